"""What a browser sends to the player: a click on a stage, or anything."""

import math
from typing import Any

import pytest

from explorer.ui.player import _start


def test_a_click_on_a_stage_is_where_a_particle_starts() -> None:
    assert _start({"start": {"scene": 1, "x": -3, "y": 0.5}}, 2, 3.2) == (1, -3.0, 0.5)
    assert _start({"start": {"scene": 0, "x": 3.3, "y": -3.3}}, 1, 3.2) == (0, 3.3, -3.3)  # on the rim


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"start": None},
        {"start": 1},
        {"start": []},
        {"start": {"scene": 0, "x": 1}},
        {"start": {"scene": 2, "x": 1, "y": 1}},
        {"start": {"scene": -1, "x": 1, "y": 1}},
        {"start": {"scene": "a", "x": 1, "y": 1}},
        {"start": {"scene": math.inf, "x": 1, "y": 1}},
        {"start": {"scene": 0, "x": math.nan, "y": 1}},
        {"start": {"scene": 0, "x": 1, "y": math.nan}},
        {"start": {"scene": 0, "x": 10**400, "y": 1}},
        {"start": {"scene": 0, "x": 1e30, "y": 1}},
        {"start": {"scene": 0, "x": [1], "y": {}}},
    ],
)
def test_anything_else_is_no_click(state: dict[str, Any]) -> None:
    assert _start(state, 2, 3.2) is None
