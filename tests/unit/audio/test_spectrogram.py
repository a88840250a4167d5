"""Waveforms to bands and back."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.audio.spectrogram import (
    BANDS,
    FLOOR,
    HOP,
    RATE,
    centres,
    griffin_lim,
    hertz,
    istft,
    log_mel,
    magnitudes,
    mel,
    mel_filters,
    stft,
)


def tone(frequency: float, seconds: float = 1.0) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * frequency * torch.arange(int(seconds * RATE)) / RATE)[None]


@given(st.floats(20, 8_000))
def test_the_scale_of_the_ear_has_an_inverse_and_1000_hz_is_1000(frequency: float) -> None:
    assert hertz(mel(frequency)) == pytest.approx(frequency, rel=1e-9)
    assert mel(1000) == pytest.approx(1000, abs=0.1)


def test_filters_are_triangles_that_each_sum_to_one_and_leave_no_gap() -> None:
    filters = mel_filters()
    assert torch.allclose(filters.sum(1), torch.ones(BANDS))
    assert bool((filters >= 0).all())
    inside = (torch.arange(filters.shape[1]) * RATE / 512 > 60) & (torch.arange(filters.shape[1]) * RATE / 512 < 3_900)
    assert bool((filters.sum(0)[inside] > 0).all())


@pytest.mark.parametrize("frequency", [200, 440, 1000, 2500, 3500])
def test_a_tone_is_loudest_in_its_own_band(frequency: float) -> None:
    bands = log_mel(tone(frequency))[0, :, 40]
    nearest = min(range(BANDS), key=lambda band: abs(centres()[band] - frequency))
    assert abs(int(bands.argmax()) - nearest) <= 1


def test_silence_is_the_floor_and_a_hop_is_a_column() -> None:
    bands = log_mel(torch.zeros(2, RATE))
    assert bands.shape == (2, BANDS, RATE // HOP + 1)
    assert torch.allclose(bands, torch.tensor(math.log(FLOOR)))


def test_the_transform_has_an_inverse() -> None:
    audio = torch.randn(2, 40 * HOP, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(istft(stft(audio)), audio, atol=1e-5)


def test_magnitudes_have_the_bands_that_were_asked_for() -> None:
    wanted = log_mel(tone(300) + tone(1700))
    assert float((mel_filters() @ magnitudes(wanted, 60) - wanted.exp()).abs().max()) < 0.05 * float(wanted.exp().max())


def test_griffin_and_lim_find_a_sound_with_the_same_bands_and_from_a_seed_the_same_sound() -> None:
    wanted = log_mel(tone(300) + tone(1700))
    again = griffin_lim(wanted)
    assert float((log_mel(again)[:, :, 5:-5] - wanted[:, :, 5:-5]).abs().median()) < 0.6
    assert torch.equal(again, griffin_lim(wanted))
    assert not torch.equal(again, griffin_lim(wanted, seed=1))
