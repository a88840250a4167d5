"""A set whose bias is known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.data.tinted import SHAPES, TINTS, judged, tinted


@given(st.integers(2, 40), st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_exactly_the_share_that_was_asked_for_has_the_usual_colour(half: int, share: float) -> None:
    pictures, shapes, colours = tinted(2 * half, share, seed=1)
    assert pictures.shape == (2 * half, 3, 32, 32)
    for number in range(len(SHAPES)):
        mine = shapes == number
        assert int(mine.sum()) == half and int((colours[mine] == number).sum()) == round(share * half)


def test_the_judge_reads_what_was_drawn() -> None:
    pictures, shapes, colours = tinted(60, 0.7, seed=2)
    assert torch.equal(judged(pictures), torch.stack([shapes, colours], 1))


def test_the_judge_says_so_where_there_is_neither() -> None:
    nothing = torch.ones(1, 3, 32, 32)
    assert judged(nothing).tolist() == [[-1, -1]]
    assert len(TINTS) == 2


@pytest.mark.parametrize(("n", "share"), [(3, 0.5), (10, -0.1), (10, 1.1)])
def test_what_cannot_be_drawn_is_refused(n: int, share: float) -> None:
    with pytest.raises(ValueError, match="n must be at least 4|share must lie"):
        tinted(n, share)
