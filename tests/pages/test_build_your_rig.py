"""The page that builds a rig: every system and control, every look, and bad input."""

import csv
import io
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.charts.build_your_rig import apart
from explorer.hardware import catalogue, gpus, traces
from explorer.hardware.systems import asked_by_default, peak, systems
from explorer.lessons.build_your_rig.fits import known_cards
from explorer.ui.build_your_rig import cards, fresh, machine
from explorer.ui.build_your_rig.asking import Wish
from tests.pages.acting import ask, until

PAGE = "pages/build_your_rig.py"
LOOKS = ["Machines by budget", "All cards", "How memory grows", "Time and money"]
LOOKS += ["Models of this course", "This machine", "Accuracy"]
Opened = Callable[..., AppTest]


@pytest.fixture
def opened(open_page: Opened) -> Opened:
    return lambda **query: open_page(PAGE, **{"rig_closer": "This machine", **query})


def text(app: AppTest) -> str:
    parts = (*app.header, *app.markdown, *app.caption, *app.info, *app.error)
    return "\n".join(str(part.value) for part in parts)


def test_it_opens_on_a_peak_that_was_computed_and_a_card_that_holds_it(open_page: Opened) -> None:
    app = open_page(PAGE)
    system = systems()["sdxl"]
    total = peak(system, asked_by_default(system)).total / 2**30
    assert f"At least {total:.1f} GiB in decoding; plan for {math.ceil(11 * total) / 10:.1f} GiB" in text(app)
    assert "On a **GeForce RTX 4090** it fits" in text(app)
    assert "The cheapest that holds what to plan for" in text(app)
    assert len(app.table[0].value) == len(systems())


@pytest.mark.parametrize("key", systems())
def test_every_system_opens(opened: Opened, key: str) -> None:
    app = opened(rig_system=systems()[key].name)
    assert not app.error
    assert "GiB in " in text(app)
    assert "computed at this very setting" in text(app) or "interpolated" in text(app)
    assert systems()[key].note in text(app)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("task", ["Make", "Fine-tune (LoRA)", "Train all weights"])
def test_every_look_opens_for_every_task(opened: Opened, look: str, task: str) -> None:
    app = opened(rig_closer=look, rig_task=task, rig_system="CogVideoX 5B")
    assert not app.error


def test_switches_move_the_peak(opened: Opened) -> None:
    def total(**query: Any) -> str:
        return next(part.value for part in opened(**query).header if part.value.startswith("At least"))

    plain = total()
    for change in (
        {"rig_offload": "true"},
        {"rig_precision": "4 bits (nf4)"},
        {"rig_batch": "8"},
        {"rig_sdxl_size": "512 x 512"},
        {"rig_encoders_off": "true"},
    ):
        assert total(**change) != plain, change


@pytest.mark.parametrize(("size", "said"), [("1024 x 1024", "computed at this"), ("896 x 896", "interpolated")])
def test_a_training_step_says_whether_it_was_traced(opened: Opened, size: str, said: str) -> None:
    assert f"what the layers hand on, are {said}" in text(opened(rig_task="Train all weights", rig_sdxl_size=size))


def test_a_video_can_be_more_than_was_traced_and_then_a_sentence_says_so(opened: Opened) -> None:
    app = opened(
        rig_system="CogVideoX 5B", **{"rig_cogvideox-5b_size": "1920 x 1088", "rig_cogvideox-5b_frames": "161"}
    )
    assert ["than was ever traced" in error.value or "in tiles" in error.value for error in app.error] == [True]
    app = opened(
        rig_system="CogVideoX 5B",
        rig_closer="Time and money",
        **{"rig_cogvideox-5b_size": "1920 x 1088", "rig_cogvideox-5b_frames": "161"},
    )
    assert "cannot be made" in text(app)


def test_a_budget_below_every_machine_says_what_to_do(opened: Opened) -> None:
    app = opened(rig_closer="Machines by budget", rig_budget="500")
    assert "rent a card by the hour" in text(app)


def test_a_catalogue_with_a_bad_row_names_it_and_lives_on(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "explorer.ui.build_your_rig.tiers.problems", lambda: ("cards.toml: the card X lacks year; it is left out.",)
    )
    app = opened(rig_closer="Machines by budget")
    assert ["the card X lacks year" in warning.value for warning in app.warning] == [True]
    assert catalogue.problems() == ()


def test_the_comparison_goes_with_you_as_a_file(opened: Opened) -> None:
    app = opened(rig_closer="All cards")
    assert "Comparison as CSV" in {button.label for button in app.get("download_button")}
    wish = Wish(systems()["sdxl"], asked_by_default(systems()["sdxl"]), "make", catalogue.card("GeForce RTX 4090"))
    rows = [cards.row(wish, card) for card in known_cards().values()]
    read = list(csv.DictReader(io.StringIO(cards.as_csv(rows))))
    assert [one["card"] for one in read] == list(known_cards())
    assert {"yes", "no"} <= {one["fits"] for one in read} <= {"yes", "just", "no"}


def test_a_gpu_that_is_found_is_named_with_what_it_could_make(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = gpus.Gpu("NVIDIA GeForce RTX 4090", "NVIDIA", 24564 * 2**20, None, "a test")
    stranger = gpus.Gpu("<b>Voodoo</b> 2", "NVIDIA", None, None, "a test")
    monkeypatch.setattr(gpus, "found", lambda: gpus.Found((gpu, stranger), ("Something did not answer.",)))
    machine.found.clear()
    app = opened()
    machine.found.clear()
    assert "It could make" in text(app)
    assert "Stable Diffusion XL (fits)" in text(app)
    assert "not in the catalogue" in text(app)
    assert "Something did not answer." in text(app)
    assert "<b>Voodoo" not in text(app)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(
        st.sampled_from(
            [
                "rig_system",
                "rig_card",
                "rig_batch",
                "rig_sdxl_size",
                "rig_precision",
                "rig_offload",
                "rig_budget",
                "rig_tier",
                "rig_price",
                "rig_hours",
                "rig_currency",
                "rig_task",
            ]
        ),
        st.sampled_from(["inf", "-1", "nan", "1e9", "<b>", "", "0", "999999999999999999999999"]) | st.text(max_size=9),
        min_size=1,
    ),
    look=st.sampled_from(LOOKS),
)
def test_any_link_opens(open_page: Opened, query: dict[str, str], look: str) -> None:
    app = open_page(PAGE, **{**query, "rig_closer": look})
    assert app.selectbox(key="rig_system").value in systems()


def test_the_snippet_runs(opened: Opened, capsys: pytest.CaptureFixture[str]) -> None:
    exec(opened().code[0].value, {})
    said = capsys.readouterr().out
    assert said.startswith("inference")
    assert "train" in said


def test_questions_answer_back(opened: Opened) -> None:
    app = opened()
    assert len(ask(app, "rig")) == 2
    app.radio(key="rig_question_0").set_value("Weights in 4 bits")
    app.radio(key="rig_question_1").set_value("It halves").run()
    assert app.success[0].value.startswith("Yes.")
    assert app.warning[0].value.startswith("Not quite.")


@pytest.mark.parametrize(
    ("query", "name", "options"),
    [
        ({}, "emoji", {"batch_size": 64}),
        ({"rig_course_model": "Scenes 32 x 32", "rig_course_task": "Make"}, "scenes", {"mode": "inference"}),
        ({"rig_course_model": "2D points", "rig_course_optimizer": "sgd"}, "toy2d", {"optimizer": "sgd"}),
        (
            {"rig_course_model": "MNIST 28 x 28", "rig_course_checkpointing": "true", "rig_course_batch": "8"},
            "mnist-28",
            {"gradient_checkpointing": True, "batch_size": 8},
        ),
        ({"rig_course_precision": "16 bits (bf16)", "rig_course_model": "gone"}, "emoji", {"precision": "bf16"}),
    ],
)
def test_a_model_of_this_course_is_counted_to_the_byte(
    opened: Opened, query: dict[str, str], name: str, options: dict[str, Any]
) -> None:
    app = opened(**{"rig_closer": "Models of this course", **query})
    model = ex.load_pretrained("toy2d-swiss_roll-flow-velocity" if name == "toy2d" else name)
    total = ex.estimate_memory(model, **{"batch_size": 64, **options}).total
    assert f"{total / 2**20:,.2f} MiB, computed" in text(app)
    assert f"{sum(weight.numel() for weight in model.parameters()):,} weights" in text(app)
    assert ("is not on your shelf" in text(app)) == (query.get("rig_course_model") == "gone")


def test_a_setting_that_was_interpolated_is_traced_by_a_job(opened: Opened) -> None:
    pytest.importorskip("diffusers")
    app = opened(rig_system="Stable Diffusion 1.5", rig_sd15_size="640 x 640", rig_batch="2")
    before = text(app)
    assert "interpolated between settings" in before
    app.button(key="rig_trace").click().run()
    until(app, lambda: "Traced just now" in text(app))
    assert "computed at this very setting" in text(app)
    assert app.header[0].value.partition(" in ")[0] in before
    others = opened(rig_system="Stable Diffusion 1.5", rig_sd15_size="640 x 640", rig_batch="2")
    assert "computed at this very setting" in text(others)
    assert "Traced just now" not in text(others)


def test_without_diffusers_it_says_what_to_install(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh, "find_spec", lambda name: None)
    traces._fresh.clear()
    app = opened(rig_system="Stable Diffusion 1.5", rig_sd15_size="640 x 640", rig_batch="2")
    assert "install the app with its extra `rig`" in text(app)


@given(st.lists(st.floats(1, 500), min_size=1, max_size=12), st.floats(1, 500))
def test_names_of_lines_do_not_run_into_each_other(sizes: list[float], card: float) -> None:
    kept = apart({**{f"{size} GiB": size for size in sizes}, "A card": card})
    assert kept["A card"] == card
    named = sorted(size for name, size in kept.items() if name != "A card")
    assert max(sizes) in named
    assert all(b - a >= 0.08 * max([*sizes, card]) for a, b in pairwise(named))
