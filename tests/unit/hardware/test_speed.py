"""Bands of time: from published speeds, and never faster than the weights are read."""

from dataclasses import replace

import pytest

from explorer.hardware import speed
from explorer.hardware.systems import asked_by_default, denoiser_bytes, operations, systems

SDXL = systems()["sdxl"]
ASKED = asked_by_default(SDXL)


def test_published_speeds_reach_between_a_fifth_and_four_fifths_of_the_peak() -> None:
    found = speed.reached()
    assert len(found) >= 10
    assert 0.18 < min(one.share for one in found) < 0.2
    assert 0.78 < max(one.share for one in found) < 0.8
    sdxl = next(one for one in found if one.model == "SDXL")
    assert sdxl.share == pytest.approx(8.44 * 13.52 / 165.2)


def test_what_was_counted_is_what_the_sources_say_a_step_takes() -> None:
    assert operations(SDXL, ASKED) == pytest.approx(2 * 6.76e12, rel=0.01)
    assert operations(SDXL, replace(ASKED, guided=False)) == pytest.approx(operations(SDXL, ASKED) / 2, rel=1e-6)


def test_the_band_holds_the_speed_that_was_published_of_the_same_card() -> None:
    band = speed.step(SDXL, ASKED, 165.2e12, 1008e9)
    assert band.fast <= 1 / 8.44 <= band.slow
    assert speed.sampling(SDXL, ASKED, 30, 165.2e12, 1008e9).slow == pytest.approx(30 * band.slow)


def test_a_fast_card_waits_for_its_memory() -> None:
    band = speed.step(SDXL, ASKED, 1e18, 1e9)
    assert band.fast == band.slow == pytest.approx(denoiser_bytes(SDXL, "bf16") / 1e9)


def test_training_is_three_passes_and_four_with_checkpointing() -> None:
    once = operations(SDXL, replace(ASKED, guided=False)) / 1e14
    plain, again = (speed.training_step(SDXL, ASKED, checkpointing, 1e14) for checkpointing in (False, True))
    assert plain.fast * plain.shares[1] == pytest.approx(3 * once)
    assert again.fast * again.shares[1] == pytest.approx(4 * once)
