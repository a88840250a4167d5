"""The mark in a sound: found where it is, and not where it is not."""

import math

import numpy as np
import pytest
import soxr
import torch

from explorer.audio.loudness import critical_bands, levels
from explorer.audio.recordings import read_recording
from explorer.audio.spectrogram import RATE
from explorer.audio.watermark import FOUND, STRENGTH, detect, marked
from explorer.lessons.voice_cloning.voices import built_in, watermark

NAMES = ["af_bella", "am_adam", "bm_george", "blend-3"]


@pytest.fixture(scope="module", params=NAMES)
def speech(request: pytest.FixtureRequest) -> torch.Tensor:
    return read_recording(built_in()[request.param].content).audio[: 3 * RATE]


def test_it_is_found_where_it_is_and_not_where_it_is_not(speech: torch.Tensor) -> None:
    kept = marked(speech[None])[0]
    assert kept.shape == speech.shape
    assert detect(kept).marked
    assert not detect(speech).marked


@pytest.mark.parametrize("speed", [0.95, 1.02])
def test_a_change_of_speed_does_not_hide_it_and_is_told(speech: torch.Tensor, speed: float) -> None:
    faster = soxr.resample(marked(speech[None])[0].numpy(), RATE, RATE / speed)
    found = detect(torch.from_numpy(np.ascontiguousarray(faster, np.float32)))
    assert found.marked
    assert found.speed == pytest.approx(speed, abs=0.006)


def test_neither_do_level_and_a_cut(speech: torch.Tensor) -> None:
    kept = marked(speech[None])[0]
    assert detect(0.1 * kept).marked
    assert detect(kept[3_001:]).score > 0.6 * detect(kept).score


def test_it_moves_magnitudes_by_its_strength_and_lies_below_the_speech_in_every_critical_band(
    speech: torch.Tensor,
) -> None:
    bare, mark = levels(speech), levels(marked(speech[None])[0] - speech)
    inside = [one - other for one, other, band in zip(bare, mark, critical_bands(), strict=True) if 400 < band < 3_000]
    wanted = -20 * math.log10(math.expm1(STRENGTH))
    assert all(wanted - 4 < below < wanted + 8 for below in inside)


def test_what_was_measured_is_of_this_mark() -> None:
    figures = watermark()
    assert figures["unmarked"] >= 1_000
    assert (figures["false"] == 0) == (figures["highest"] < FOUND)
    for easy in ("nothing", "44.1 kHz and back", "MP3, 64 kbit/s", "12 dB softer, 16 bits", "2 % faster"):
        assert figures["found"][easy] >= 0.95
    assert figures["false"] <= figures["unmarked"] / 500
