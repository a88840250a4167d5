"""The pitch of a voice."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.audio.features import BANDS, LEVEL, ROWS, features, levelled, parts
from explorer.audio.pitch import pitch
from explorer.audio.spectrogram import HOP, RATE, log_mel


def voice(frequency: float, seconds: float = 0.6) -> torch.Tensor:
    phase = 2 * math.pi * frequency * torch.arange(int(seconds * RATE)) / RATE
    return sum((torch.sin(k * phase) / k for k in range(1, 7)), torch.zeros(len(phase)))


@settings(deadline=None, max_examples=25)
@given(st.floats(65, 400))
def test_the_pitch_of_a_steady_voice_is_found_within_half_a_percent(frequency: float) -> None:
    hertz, voiced = pitch(voice(frequency))
    assert bool(voiced[5:-5].all())
    assert float((hertz[5:-5] / frequency - 1).abs().max()) < 0.005


def test_a_gliding_voice_is_followed() -> None:
    frequency = torch.linspace(110, 220, RATE)
    phase = 2 * math.pi * (frequency / RATE).cumsum(0)
    hertz, voiced = pitch(sum((torch.sin(k * phase) / k for k in range(1, 6)), torch.zeros(RATE)))
    assert float(voiced[5:-5].float().mean()) == 1
    assert float((hertz[5:-5] / frequency[::HOP][5:-4] - 1).abs().max()) < 0.02


@pytest.mark.parametrize("sound", ["silence", "noise"])
def test_what_has_no_pitch_is_not_voiced(sound: str) -> None:
    audio = torch.zeros(RATE) if sound == "silence" else torch.randn(RATE, generator=torch.Generator().manual_seed(0))
    hertz, voiced = pitch(audio)
    assert float(voiced.float().mean()) < 0.02
    assert bool(hertz.isfinite().all())


def test_between_two_voices_the_pitch_goes_straight_on_a_logarithmic_scale() -> None:
    audio = torch.cat([voice(100), torch.zeros(RATE // 2), voice(200)])
    hertz, voiced = pitch(audio)
    gap = hertz[~voiced][3:-3].log()
    assert float(gap.diff().diff().abs().max()) < 1e-3
    assert 100 < float(gap.exp().min()) < float(gap.exp().max()) < 200


def test_features_are_bands_pitch_and_voicing_of_about_unit_size_and_can_be_read_back() -> None:
    audio = levelled(voice(150))
    seen = features(audio)
    assert seen.shape == (ROWS, len(audio) // HOP + 1)
    bands, hertz, voiced = parts(seen[None])
    assert torch.allclose(bands[0], log_mel(audio[None])[0], atol=1e-4)
    assert float((hertz[0, 5:-5] / 150 - 1).abs().max()) < 0.005
    assert set(voiced[0].tolist()) <= {0.0, 1.0}
    assert float(seen[:BANDS].abs().max()) < 4


def test_speech_is_brought_to_one_level_but_never_clipped() -> None:
    assert float(levelled(0.01 * voice(100)).square().mean().sqrt()) == pytest.approx(LEVEL, rel=1e-3)
    click = torch.zeros(RATE)
    click[100] = 0.5
    assert float(levelled(click).abs().max()) == pytest.approx(0.99)
    assert torch.equal(levelled(torch.zeros(10)), torch.zeros(10))
