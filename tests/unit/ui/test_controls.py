"""Every name that a select box offers is explained in a line."""

import pytest
from streamlit.testing.v1 import AppTest

from explorer.denoiser import PREDICTIONS
from explorer.samplers import sampler_names
from explorer.schedules import schedule_names
from explorer.ui.controls import LINES


def test_every_schedule_prediction_and_sampler_has_a_line() -> None:
    assert set(LINES) == {*schedule_names(), *PREDICTIONS, *sampler_names()}
    assert all(line.endswith(".") for line in LINES.values())


@pytest.mark.parametrize("help", [None, "How a sample walks."])
def test_a_select_box_has_the_lines_of_what_it_offers(help: str | None) -> None:
    def app(help: str | None) -> None:
        from explorer.ui.controls import SCHEDULE_LABELS, choice

        choice("Schedule", SCHEDULE_LABELS, "flow", key="schedule", help=help)
        choice("Other", {"a": "A", "b": "B"}, "a", key="other", help=help)

    boxes = AppTest.from_function(app, args=(help,)).run().selectbox
    said = boxes[0].help
    assert [line.split("**")[1] for line in said.splitlines() if line.startswith("- ")] == boxes[0].options
    assert all(LINES[name] in said for name in schedule_names())
    assert said.startswith(help or "- ")
    assert boxes[1].help == (help or "")
