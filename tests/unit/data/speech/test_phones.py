"""When each sound is heard."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from explorer.data.speech.phones import FRAMES, NUMBERS, PHONES, SILENCE, timed

SPOKEN = st.lists(st.tuples(st.sampled_from(PHONES), st.floats(0.02, 0.5)), min_size=1, max_size=20)


def test_there_are_as_many_phones_as_the_dictionary_has() -> None:
    assert len(PHONES) == len(set(PHONES)) == 1 + 3 * 15 + 24
    assert min(NUMBERS.values()) == 1  # 0 is no phone at all


def test_three_sounds_are_placed_where_they_are_heard() -> None:
    sounds = timed(["K", "AE1", "T"], [0.1, 0.2, 0.05])
    assert sounds.shape == (3, 28)
    numbers = sounds[0].tolist()
    assert numbers == [NUMBERS["K"]] * 8 + [NUMBERS["AE1"]] * 16 + [NUMBERS["T"]] * 4
    assert torch.allclose(sounds[1, :8], (torch.arange(8) + 0.5) / 4 - 1)
    assert torch.allclose(sounds[2, 8:24], torch.tensor(math.log(16) / 2 - 1))


@given(SPOKEN, st.integers(1, 400))
def test_any_script_fills_the_frames_that_are_asked_for_with_silence_after_it(
    spoken: list[tuple[str, float]], frames: int
) -> None:
    phones, seconds = [phone for phone, _ in spoken], [second for _, second in spoken]
    sounds = timed(phones, seconds, frames)
    assert sounds.shape == (3, frames)
    assert bool(sounds.isfinite().all())
    assert bool((sounds[1].abs() < 1).all())
    end = round(sum(seconds) * FRAMES)
    assert set(sounds[0, end + 1 :].tolist()) <= {float(NUMBERS[SILENCE])}
    assert bool((sounds[0] >= 1).all())


def test_nothing_said_is_silence() -> None:
    assert set(timed([], [], 10)[0].tolist()) == {float(NUMBERS[SILENCE])}
