"""What guidance makes of a share, and what a judge with errors says of one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.lessons.conclusion_ethics.bias import corrected, expected, margin


@given(st.floats(0.01, 0.99), st.floats(0.5, 6))
def test_guidance_sharpens_towards_what_is_more_frequent(share: float, scale: float) -> None:
    assert expected(share, 1) == pytest.approx(share)
    assert expected(1 - share, scale) == pytest.approx(1 - expected(share, scale))
    if scale > 1:
        assert (expected(share, scale) - share) * (share - 0.5) >= -1e-12
    assert expected(0.5, scale) == 0.5


def test_nine_in_ten_become_nearly_all_at_three() -> None:
    assert expected(0.9, 3) == pytest.approx(0.729 / 0.730)


@given(st.floats(0, 1), st.floats(0.6, 1), st.floats(0, 0.4))
def test_a_share_seen_through_errors_is_corrected(truth: float, hit: float, false: float) -> None:
    seen = truth * hit + (1 - truth) * false
    assert corrected(seen, hit, false) == pytest.approx(truth, abs=1e-9)


def test_a_judge_who_guesses_says_nothing() -> None:
    with pytest.raises(ValueError, match="says nothing"):
        corrected(0.5, 0.5, 0.5)


def test_the_interval_is_that_of_a_share() -> None:
    assert margin(0.5, 100) == pytest.approx(0.098)
