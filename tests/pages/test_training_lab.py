"""The Training lab alone: every control and preset, real trainings of tiny networks, every wrong input."""

import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import streamlit as streamlit
import torch
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.dataset import ImageDataset
from explorer.jobs.process import LocalWorker
from explorer.lessons.trainings.plan import OWN, PRESETS, Plan
from explorer.lessons.trainings.record import SAMPLES, Training, from_json, recorded, to_json
from explorer.metrics import NotFinite
from explorer.schedules import schedule_names
from explorer.training import weights_of
from explorer.ui import shelf, trainings, work
from explorer.ui.shelf import ImageModel
from explorer.ui.training_lab import forecast, settings
from explorer.ui.training_lab import runs as lab_runs
from explorer.zoo import FOLDER, from_bytes, to_bytes
from tests.pages.acting import ask, labels, press, said, until

PAGE = "pages/training_lab.py"
TINY = {"lab_width": "8", "lab_take": "20", "lab_batch": "32"}
Opened = Callable[..., AppTest]
Sent = Callable[[AppTest, str], tuple[dict[str, Any], dict[str, np.ndarray]]]


@pytest.fixture(scope="module")
def opened(open_page: Opened) -> Opened:
    def lab(**query: Any) -> AppTest:
        return open_page(PAGE, **query)

    return lab


@pytest.fixture(autouse=True)
def _nothing_left_running(opened: Opened) -> Iterator[None]:
    yield
    for job in list(work.manager()._jobs.values()):
        job.cancel()


def running(app: AppTest) -> bool:
    return "Pause" in labels(app)


def runs(app: AppTest) -> list[Training]:
    return list(trainings._store().all(app.session_state["visitor"]).values())


def on_shelf(app: AppTest) -> list[ImageModel]:
    return list(shelf.models_of(app.session_state["visitor"]).values())


def films(app: AppTest) -> list[str]:
    """The film strips on the page, as HTML."""
    return [element.proto.body for element in app.get("html") if "lab-film" in element.proto.body]


def line(app: AppTest) -> str:
    """What the page says of the run that is shown."""
    bars = [bar.proto.text for bar in app.main.get("progress")]
    return bars[0] if bars else next(caption.value for caption in app.caption if "poch" in caption.value)


def plan(app: AppTest) -> Plan:
    """The plan that the last Start handed to the worker, which is still at it."""
    return Plan(**work.manager().jobs(app.session_state["visitor"])[-1].params["plan"])


# Without training


def test_a_run_whose_samples_are_not_finite_says_so(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    record = replace(recorded("digits"), results={1: {"training_loss": 0.2, "held_out_loss": 0.3, "blew_up": 1}})
    monkeypatch.setattr(lab_runs, "_recorded", lambda preset: record)
    app = opened()
    assert [said.value for said in app.error] == [str(NotFinite())]
    assert "0.200, held-out 0.300" in [metric.value for metric in app.metric]
    assert from_json(to_json(record).encode()).result == record.result


def test_it_opens_on_a_recorded_run_without_a_click(opened: Opened, sent: Sent) -> None:
    app = opened()
    assert not said(app)
    assert app.selectbox(key="lab_shown").value == "recorded-digits"
    (film,) = films(app)
    assert film.count("<img") == 5
    for title in ("Epoch 1<", "Epoch 25<", "Epoch 50<", "Epoch 100<", "Real images<"):
        assert title in film
    meta, arrays = sent(app, "film")
    record = recorded("digits")
    assert [strip["title"] for strip in meta["strips"]] == [record.name]
    assert arrays["strip 0"].shape == (len(record.moments), SAMPLES, 8, 8)
    assert len(app.get("vega_lite_chart")) == 2
    assert f"{record.result['copies']:.0%}" in [metric.value for metric in app.metric]
    assert labels(app) == {"Start"}
    assert app.segmented_control(key="lab_preset").value == "digits"
    assert not runs(app)
    assert not work.manager().jobs(app.session_state["visitor"])


def test_every_preset_sets_the_controls_and_shows_its_record(opened: Opened) -> None:
    app = opened()
    for name in [*reversed(PRESETS)]:
        app.segmented_control(key="lab_preset").set_value(name).run()
        assert not app.exception
        assert app.segmented_control(key="lab_preset").value == name
        assert app.selectbox(key="lab_shown").value == f"recorded-{name}"
        assert PRESETS[name].about in [caption.value for caption in app.caption]
        wanted = settings.settings_of(PRESETS[name].plan)
        assert {key: app.session_state[key] for key in wanted} == wanted
        assert len(films(app)) == 1


CONTROLS: dict[str, tuple[str, list[Any]]] = {
    "lab_take": ("take", settings.TAKES),
    "lab_width": ("width", settings.WIDTHS),
    "lab_depth": ("depth", [1, 2, 3]),
    "lab_attention": ("attention", [False, True]),
    "lab_objective": ("prediction", ["epsilon", "x0", "v", "velocity", "score"]),
    "lab_schedule": ("schedule", schedule_names()),
    "lab_rate": ("learning_rate", settings.RATES),
    "lab_decay": ("decay", [False, True]),
    "lab_batch": ("batch_size", settings.BATCHES),
    "lab_ema": ("ema_decay", settings.EMAS),
    "lab_epochs": ("epochs", settings.EPOCHS),
}


def control(app: AppTest, key: str) -> Any:
    kinds = (app.select_slider, app.slider, app.selectbox, app.toggle, app.segmented_control)
    return next(widget for kind in kinds for widget in kind if widget.key == key)


def test_every_control_has_help_changes_the_plan_and_the_estimate(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened()
    plans: list[Plan] = []
    seen = forecast.forecast
    monkeypatch.setattr(forecast, "forecast", lambda plan, data: plans.append(plan) or seen(plan, data))
    for key, (name, values) in CONTROLS.items():
        before = control(app, key).value
        assert control(app, key).proto.help
        for value in (values[0], values[-1]):
            control(app, key).set_value(value).run()
            assert not app.exception
            assert getattr(plans[-1], name) == value, key
        control(app, key).set_value(before).run()
    assert plans[-1] == Plan()
    app.selectbox(key="lab_until").select("seconds").run()
    app.slider(key="lab_seconds").set_value(7).run()
    assert plans[-1] == Plan(epochs=None, seconds=7)
    assert app.segmented_control(key="lab_preset").value is None
    assert "Training takes 7 s" in next(text.value for text in app.caption if "of memory" in text.value)


def test_a_link_opens_exactly_its_state_and_nonsense_the_defaults(opened: Opened) -> None:
    query = {
        "lab_data": "Digits 8 x 8", "lab_take": "100", "lab_width": "16", "lab_depth": "2", "lab_attention": "true",
        "lab_objective": "Score", "lab_schedule": "EDM", "lab_rate": "0.01", "lab_batch": "64", "lab_ema": "0.9",
        "lab_until": "Seconds", "lab_seconds": "9",
    }  # fmt: skip
    app = opened(**query)
    wanted = Plan(
        take=100, width=16, depth=2, attention=True, prediction="score", schedule="edm", learning_rate=0.01,
        batch_size=64, ema_decay=0.9, epochs=None, seconds=9,
    )  # fmt: skip
    made = settings.settings_of(wanted)
    assert {key: app.session_state[key] for key in made} == made
    defaults = settings.settings_of(Plan())
    for bad in ("inf", "", "9" * 400, "\u96d1", ["x", "y"]):
        app = opened(**dict.fromkeys([*defaults, "lab_seconds", "lab_shown", "lab_preset", "lab_other"], bad))
        assert {key: app.session_state[key] for key in defaults} == defaults
        assert len(films(app)) == 1


def test_a_batch_larger_than_the_data_is_allowed_and_explained(opened: Opened) -> None:
    app = opened(lab_take="20", lab_batch="1024")
    text = next(caption.value for caption in app.caption if "of memory" in caption.value)
    assert "20 training images" in text
    assert "A batch of 1024 is larger than the data" in text
    assert not app.button(key="lab_start").disabled


def test_a_run_that_is_longer_than_allowed_says_so(opened: Opened) -> None:
    app = opened(lab_epochs="5000", lab_width="64", lab_depth="3")
    assert any("it is paused then, and can be resumed" in caption.value for caption in app.caption)
    assert not any("it is paused then" in caption.value for caption in opened().caption)


def test_what_does_not_fit_memory_is_refused_before_it_starts(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(lab_width="64", lab_depth="3", lab_batch="1024")
    assert not app.button(key="lab_start").disabled
    monkeypatch.setattr(forecast, "memory_for_training", lambda: 100 * 2**20)
    app.run()
    assert app.button(key="lab_start").disabled
    (sentence,) = said(app)
    assert "a run may have 100 MB here: choose a smaller batch, width or depth." in sentence
    control(app, "lab_width").set_value(8).run()
    control(app, "lab_batch").set_value(32).run()
    assert not app.button(key="lab_start").disabled
    assert not said(app)


def test_a_step_that_is_too_long_to_pause_is_refused(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "LONGEST_STEP", 1e-9)
    app = opened()
    assert app.button(key="lab_start").disabled
    assert "too long to pause or to keep anything in time: choose a smaller batch, width or depth" in said(app)[0]


def test_a_training_may_be_expected_to_take_half_of_what_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for most, expected in ((8 * 2**30, 4 * 2**30), (None, None)):
        monkeypatch.setattr(work.manager().engine, "memory_of_job", most)
        assert forecast.memory_for_training() == expected


def test_a_network_of_too_many_weights_is_refused(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "MOST_WEIGHTS", 100_000)
    app = opened()
    assert app.button(key="lab_start").disabled
    assert "choose a smaller width or depth" in said(app)[0]


def test_two_records_are_compared(opened: Opened, sent: Sent) -> None:
    app = opened()
    app.selectbox(key="lab_other").select("recorded-memorise").run()
    assert not app.exception
    assert len(films(app)) == 2
    meta, _ = sent(app, "film")
    assert [strip["title"] for strip in meta["strips"]] == [recorded(name).name for name in ("digits", "memorise")]
    specs = [chart.proto.spec for chart in app.get("vega_lite_chart")]
    assert all('"strokeDash": [5, 3]' in spec for spec in specs)
    assert "Solid lines: Digits, 100 epochs. Dashed lines: " in " ".join(caption.value for caption in app.caption)
    app.selectbox(key="lab_shown").select("recorded-memorise").run()
    assert len(films(app)) == 1  # a run is not compared with itself


def test_questions_answer_back(opened: Opened) -> None:
    app = opened()
    ask(app, "lab")
    app.radio(key="lab_question_0").set_value("The network learns its images by heart")
    app.radio(key="lab_question_1").set_value("At the end of any run").run()
    assert app.success[0].value.startswith("Yes.")
    assert app.warning[0].value.startswith("Not quite.")


@pytest.mark.parametrize(
    "query", [{}, {"lab_until": "Seconds", "lab_take": "20", "lab_objective": "Score", "lab_decay": "false"}]
)
def test_the_snippet_runs(opened: Opened, query: dict[str, str]) -> None:
    snippet = opened(lab_width="8", lab_attention="true", **query).code[0].value
    scope: dict[str, Any] = {}
    exec(snippet.replace("epochs = 2", "epochs = 1").replace("seconds = 2", "seconds = 0.1"), scope)
    assert scope["samples"].shape == (20, 1, 8, 8)


# Training


@pytest.fixture(scope="module")
def trained(opened: Opened) -> AppTest:
    """A page on which a student has trained once: read it, do not change it."""
    app = opened(lab_epochs="60", **TINY)
    press(app, "Start")
    assert running(app)
    assert line(app)
    assert "to come" in films(app)[0]
    return until(app, lambda: not running(app))


def test_a_training_is_shown_measured_and_put_on_the_shelf(trained: AppTest, sent: Sent) -> None:
    (run,) = runs(trained)
    assert run.name == "Run 1: own settings"
    assert trained.selectbox(key="lab_shown").value == run.run
    assert not said(trained)
    assert line(trained).startswith("Epoch 60 of 60")
    assert "to come" not in films(trained)[0]
    assert labels(trained) == {"Start", "Train as long again", "Forget this run", "Keep on the shelf"}
    assert sent(trained, "film")[1]["strip 0"].shape[0] == len(run.moments) >= 4
    assert run.validation[-1, 1] < run.validation[0, 1]
    (model,) = on_shelf(trained)
    assert (model.key, model.label, model.dataset, model.classes) == (
        run.run, run.name, "digits-8", tuple("0123456789"),
    )  # fmt: skip
    assert model.about["step"] == 38
    assert run.state
    np.testing.assert_array_equal(ex.training.weights_of(model.denoiser), run.state[1]["averaged"])
    assert not any(parameter.requires_grad for parameter in model.denoiser.parameters())


def test_every_image_page_offers_what_was_trained(trained: AppTest) -> None:
    def offer() -> None:
        import streamlit

        from explorer.ui.shelf import models as shelf

        streamlit.selectbox("Model", [model.label for model in shelf().values()])

    app = AppTest.from_function(offer)
    app.session_state["visitor"] = trained.session_state["visitor"]
    assert app.run().selectbox[0].options == ["Run 1: own settings"]


def test_a_reload_and_another_page_find_it(trained: AppTest, opened: Opened, open_page: Opened) -> None:
    visitor = trained.session_state["visitor"]
    again = opened(visitor=visitor)
    assert [run.run for run in runs(again)] == [run.run for run in runs(trained)]
    assert again.selectbox(key="lab_shown").value == runs(trained)[0].run
    other = open_page("pages/geometry_lab.py", visitor=visitor)
    assert len(on_shelf(other)) == 1
    assert not other.sidebar.get("progress")
    assert not on_shelf(opened())


def test_a_moment_is_kept_under_a_name_and_taken_away(
    trained: AppTest, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(visitor=trained.session_state["visitor"])
    (run,) = runs(app)
    name = run.name
    moment = next(slider for slider in app.select_slider if slider.label == "Moment")
    moment.set_value(run.kept_steps[0]).run()
    app.text_input(key=f"lab_name_{run.run}").set_value("  Early  ")
    press(app, "Keep on the shelf")
    assert re.match(r"“Early”, of epoch [\d.]+, is on the shelf", app.success[0].value)
    assert [model.label for model in on_shelf(app)] == [name, "Early"]
    assert on_shelf(app)[1].about["step"] == run.kept_steps[0]

    content: dict[str, Any] = {}
    with monkeypatch.context() as patch:
        patch.setattr(
            streamlit, "download_button", lambda label, data, *_, **__: content.setdefault(label, data()) and False
        )
        app.run()
    denoiser, about = from_bytes(content["Weights as safetensors"])
    assert about["name"] == "Early"
    np.testing.assert_array_equal(ex.training.weights_of(denoiser), ex.training.weights_of(on_shelf(app)[1].denoiser))
    assert to_json(from_json(content["History as JSON"].encode())) == content["History as JSON"]


def test_pause_resume_and_stop(opened: Opened) -> None:
    app = opened(lab_until="Seconds", lab_seconds="400", **TINY)
    press(app, "Start")
    until(app, lambda: runs(app)[0].moments)
    press(app, "Pause")
    until(app, lambda: not running(app))
    (run,) = runs(app)
    assert line(app).startswith("Paused at ")
    assert "so far: epoch" in films(app)[0]
    assert labels(app) == {"Start", "Resume", "Stop", "Forget this run", "Keep on the shelf"}
    assert not on_shelf(app)
    app.text_input(key=f"lab_name_{run.run}").set_value("Half")
    moment = app.select_slider(key=f"lab_moment_{run.run}")
    assert moment.value == run.kept_steps[-1]
    assert len(set(moment.options)) == len(run.kept_steps)
    kept = run.kept_steps[0]
    moment.set_value(kept).run()
    press(app, "Keep on the shelf")
    assert run.state
    paused = run.state[0]["step"]

    press(app, "Resume")
    assert running(app)
    until(app, lambda: runs(app)[0].curve[-1, 0] > paused)
    (run,) = runs(app)
    moment = app.select_slider(key=f"lab_moment_{run.run}")
    assert moment.value == kept  # a choice stays while others come
    moment.set_value(run.kept_steps[-1]).run()
    press(app, "Stop")
    until(app, lambda: not running(app))
    (ended,) = runs(app)
    assert ended.run == run.run
    run = ended
    assert (np.diff(run.curve[:, 0]) > 0).all()
    assert line(app).startswith("Stopped at ")
    assert "ended at: epoch" in films(app)[0]
    assert "not reached" in films(app)[0]
    assert next(slider.value for slider in app.select_slider if slider.label == "Moment") == run.kept_steps[-1]
    assert labels(app) == {"Start", "Resume", "Forget this run", "Keep on the shelf"}
    half, model = on_shelf(app)
    assert (half.label, half.about["step"]) == ("Half", kept)
    assert (model.label, model.about["step"]) == (run.name, max(run.moments))
    assert model.about["step"] > paused

    press(app, "Forget this run")
    app.run()
    assert not runs(app)
    assert app.selectbox(key="lab_shown").value.startswith("recorded-")
    assert len(on_shelf(app)) == 2


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_worker_leaves_its_last_checkpoint(opened: Opened) -> None:
    app = opened(lab_until="Seconds", lab_seconds="400", **TINY)
    press(app, "Start")
    until(app, lambda: runs(app)[0].state)
    (job,) = work.manager().jobs(app.session_state["visitor"])
    assert isinstance(job._worker, LocalWorker)
    os.kill(job._worker.pid, signal.SIGKILL)
    until(app, lambda: not running(app))
    (error,) = app.error
    assert "stopped from outside" in error.value
    assert "What it had sent last is kept" in error.value
    (run,) = runs(app)
    assert run.state
    checkpoint = run.state[0]["step"]
    assert checkpoint in run.kept_steps
    press(app, "Keep on the shelf")
    assert on_shelf(app)[0].about["step"] == max(run.kept_steps)
    press(app, "Resume")
    until(app, lambda: runs(app)[0].progress["step"] > checkpoint)
    assert not said(app)


def test_a_run_that_is_trained_for_longer_and_stopped_loses_nothing(opened: Opened) -> None:
    app = opened(lab_epochs="40", **TINY)
    press(app, "Start")
    until(app, lambda: not running(app))
    (first,) = runs(app)
    measured = [metric.value for metric in app.metric]
    assert first.result
    assert measured
    press(app, "Train as long again")
    press(app, "Stop")
    until(app, lambda: not running(app))
    (run,) = runs(app)
    assert (run.plan.epochs, run.results) == (80, first.results)
    assert [metric.value for metric in app.metric][: len(measured) - 1] == measured[:-1]  # the speed is the newest
    assert set(first.moments) <= set(run.moments)
    assert line(app).startswith(("Stopped at epoch ", "Epoch 40 of 40"))
    assert labels(app) >= {"Resume", "Forget this run", "Keep on the shelf"}
    assert next(model for model in on_shelf(app) if model.key == run.run).about["accuracy"] == first.result["accuracy"]

    press(app, "Resume")
    until(app, lambda: not running(app))
    (run,) = runs(app)
    assert list(run.results) == [25, 50]  # steps
    said_of = [caption.value for caption in app.caption if caption.value.startswith("Measured at epoch ")]
    assert said_of == ["Measured at epoch 40:", "Measured at epoch 80:"]
    assert "Train as long again" in labels(app)
    by_step = {model.about["step"]: model for model in on_shelf(app)}
    assert by_step[25].about["accuracy"] == run.results[25]["accuracy"]
    assert by_step[50].about["accuracy"] == run.results[50]["accuracy"]
    assert by_step[50].label == f"{run.name}, epoch 80"


def test_runs_are_numbered_for_the_visitor_and_never_twice(opened: Opened) -> None:
    first = opened(lab_epochs="1", **TINY)
    visitor = first.session_state["visitor"]
    press(first, "Start")
    until(first, lambda: not running(first))
    second = opened(visitor=visitor, lab_epochs="1", **TINY)  # a reload, or another tab
    press(second, "Start")
    assert [run.name for run in runs(first)] == ["Run 1: own settings", "Run 2: own settings"]
    assert second.selectbox(key="lab_shown").value == runs(first)[1].run
    until(second, lambda: not running(second))
    first.run()
    assert first.selectbox(key="lab_shown").value == runs(first)[0].run  # each tab shows what it showed
    press(second, "Forget this run")
    assert [run.name for run in runs(first)] == ["Run 1: own settings"]
    press(first, "Start")
    assert [run.name for run in runs(first)] == ["Run 1: own settings", "Run 3: own settings"]
    stranger = opened(lab_epochs="1", **TINY)
    assert not runs(stranger)
    press(stranger, "Start")
    assert [run.name for run in runs(stranger)] == ["Run 1: own settings"]


def test_runs_of_one_name_are_told_apart(opened: Opened) -> None:
    record = recorded("digits")
    app = opened()
    for name in ("Mine", "Mine", "Recorded: Digits, 100 epochs", "Nothing"):
        record.name = name
        load(app, "run.json", to_json(record).encode())
        load_nothing(app)
    options = app.selectbox(key="lab_shown").options
    assert len(set(options)) == len(options) == 4 + len(PRESETS)
    assert options[:4] == ["Nothing (2)", "Recorded: Digits, 100 epochs (2)", "Mine (2)", "Mine"]
    assert len(set(app.selectbox(key="lab_other").options)) == 4 + len(PRESETS)


def test_two_tabs_see_one_run_and_one_shelf(opened: Opened) -> None:
    first = opened(lab_epochs="40", **TINY)
    press(first, "Start")
    second = opened(visitor=first.session_state["visitor"])
    until(second, lambda: not running(second))
    until(first, lambda: not running(first))
    assert len(runs(first)) == len(on_shelf(first)) == 1
    assert runs(first)[0].result
    assert not said(first) + said(second)


def test_a_link_names_what_is_shown_and_compared(opened: Opened) -> None:
    app = opened(lab_shown="Recorded: No EMA", lab_other="Recorded: Digits, 100 epochs")
    assert (app.selectbox(key="lab_shown").value, app.selectbox(key="lab_other").value) == (
        "recorded-no-ema",
        "recorded-digits",
    )
    assert len(films(app)) == 2
    assert not app.info


def test_a_run_that_a_link_names_and_that_is_not_here_is_said(opened: Opened) -> None:
    app = opened(lab_shown="Run 7: own settings", lab_other="Run 8")
    assert [info.value for info in app.info] == [
        "The run of this link is not here (it may be another visitor's or has expired): “Digits, 100 epochs” is shown.",
        "The run that this link compares with is not here (it may be another visitor's or has expired).",
    ]
    app.run()
    assert len(app.info) == 2  # until another is chosen
    app.selectbox(key="lab_shown").select("recorded-rate").run()
    app.selectbox(key="lab_other").select("recorded-digits").run()
    assert not app.info


@pytest.mark.parametrize(
    ("page", "key"), [("pages/unet.py", "unet_model"), ("pages/sampling_showdown.py", "show_model")]
)
def test_a_model_of_the_shelf_survives_and_one_that_is_not_there_is_said(
    opened: Opened, open_page: Opened, page: str, key: str
) -> None:
    owner = opened()
    denoiser = Plan(width=8).denoiser((1, 8, 8), 10).requires_grad_(False)
    visitor = owner.session_state["visitor"]
    model = shelf.keep(ImageModel("mine", "Mine", denoiser, "digits-8", tuple("0123456789")), visitor)
    again = open_page(page, visitor=visitor, **{key: "Mine"})  # a reload, or a second tab
    assert again.selectbox(key=key).value == "mine"
    assert not again.info
    stranger = open_page(page, **{key: "Mine"})
    (info,) = stranger.info
    assert info.value == (
        "The model of this link is not on your shelf (it may be another visitor's or has expired): MNIST 28 x 28 is "
        "shown."
    )
    assert "Mine" not in stranger.selectbox(key=key).options
    shelf._store().drop(visitor, model.key)  # as time or another tab does
    again.run()
    assert not again.exception
    assert again.selectbox(key=key).value == "mnist-28"
    assert again.info[0].value == info.value
    again.selectbox(key=key).select("digits-8").run()
    assert not again.info


def test_the_sidebar_tells_of_a_run_that_has_ended_until_it_is_looked_at(opened: Opened, open_page: Opened) -> None:
    app = opened(lab_epochs="40", **TINY)
    press(app, "Start")
    other = open_page("pages/geometry_lab.py", visitor=app.session_state["visitor"])
    until(other, lambda: not other.sidebar.get("progress"))
    told = (
        f"Run 1: own settings: done. {runs(app)[0].result['accuracy']:.0%} of its samples are of the class asked for."
    )

    def lines(page: AppTest) -> list[str]:
        return [part.value for part in page.sidebar.markdown if told in part.value]

    assert lines(other)
    assert "*Training lab*" in [part.value for part in other.sidebar.markdown]
    app.run()  # the lab itself shows how it ended
    assert not lines(app)
    assert not lines(other.run())

    press(app, "Start")
    until(other.run(), lambda: not other.sidebar.get("progress"))
    press(other, "Dismiss")
    assert "Dismiss" not in labels(other)
    assert "Dismiss" not in labels(other.run())


def test_two_trainings_run_and_a_third_is_refused(opened: Opened, open_page: Opened) -> None:
    app = opened(lab_until="Seconds", lab_seconds="400", **TINY)
    press(app, "Start")
    press(app, "Start")
    assert [run.name for run in runs(app)] == ["Run 1: own settings", "Run 2: own settings"]
    press(app, "Start")
    assert said(app) == ["You already have 2 jobs running or waiting: stop one, or wait for it."]
    assert len(runs(app)) == 2
    other = open_page("pages/geometry_lab.py", visitor=app.session_state["visitor"])
    bars = [bar.proto.text for bar in other.sidebar.get("progress")]
    assert [bar.split(":")[0] for bar in bars] == ["Run 1", "Run 2"]
    assert "*Training lab*" in [part.value for part in other.sidebar.markdown]
    other.run()
    assert not other.exception


def test_a_rate_that_diverges_gets_a_sentence(opened: Opened) -> None:
    app = opened(lab_rate=f"{settings.RATES[-1]:g}", lab_objective="Clean point x0", **TINY)
    press(app, "Start")
    until(app, lambda: not running(app))
    run = runs(app)[0]
    assert run.diverged or run.curve[:, 2].max() > 5 * run.curve[0, 2]
    specs = [chart.proto.spec for chart in app.get("vega_lite_chart")]
    assert not any(word in spec for spec in specs for word in ("NaN", "Infinity"))
    assert bool(app.error) == run.diverged


def test_own_images_are_trained_and_resumed_only_with_them(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.data import images as registry
    from explorer.ui import datasets

    digits = registry.load_dataset("digits-8")
    own = ImageDataset(OWN, digits.images[:50], digits.labels[:50], digits.classes)  # type: ignore[index]
    chosen: list[ImageDataset | None] = [own]
    monkeypatch.setattr(datasets, "own_images", lambda: chosen[0])
    app = opened(lab_data=datasets.OWN_LABEL, lab_until="Seconds", lab_seconds="400", lab_width="8", lab_batch="32")
    press(app, "Start")
    assert plan(app).digest
    until(app, lambda: runs(app)[0].moments)
    press(app, "Pause")
    until(app, lambda: not running(app))
    assert not app.button(key="lab_resume").disabled
    chosen[0] = ImageDataset(OWN, -own.images, own.labels, own.classes)  # other images
    app.run()
    assert app.button(key="lab_resume").disabled
    chosen[0] = None
    app.run()
    assert app.button(key="lab_resume").disabled
    assert app.button(key="lab_start").disabled
    assert "There is nothing to train on yet" in said(app)[-1]


def test_own_images_belong_to_a_model_only_while_they_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.data.digest import digest
    from explorer.ui import datasets

    images = ImageDataset(OWN, torch.zeros(20, 1, 8, 8))
    more = ImageDataset(OWN, torch.zeros(21, 1, 8, 8))
    larger = ImageDataset(OWN, torch.zeros(20, 1, 28, 28))
    here: list[ImageDataset | None] = [images]
    monkeypatch.setattr(datasets, "find_dataset", lambda name: here[0])
    denoiser = Plan(width=8).denoiser((1, 8, 8), None)
    trained = ImageModel("one", "One", denoiser, OWN, about={"plan": {"digest": digest(images.images.numpy())}})
    loaded = ImageModel("two", "Two", denoiser, OWN)
    assert shelf.dataset_of(trained) is images
    assert shelf.dataset_of(loaded) is None
    for here[0] in (more, larger, None):
        assert shelf.dataset_of(trained) is None


# Files


def load(app: AppTest, name: str, content: bytes) -> AppTest:
    app.file_uploader(key="lab_file").set_value((name, content, "application/octet-stream")).run()
    assert not app.exception
    return app


def load_nothing(app: AppTest) -> None:
    app.file_uploader(key="lab_file").set_value(None).run()


def test_weights_are_loaded_back_onto_the_shelf(opened: Opened) -> None:
    denoiser = Plan(width=8, attention=True).denoiser((1, 8, 8), 10)
    content = to_bytes(denoiser, name="Mine", dataset="digits-8", classes=list("0123456789"))
    app = load(opened(), "mine.safetensors", content)
    assert "“Mine” is on the shelf" in app.success[0].value
    (model,) = on_shelf(app)
    assert (model.label, model.dataset, model.classes) == ("Mine", "digits-8", tuple("0123456789"))
    np.testing.assert_array_equal(ex.training.weights_of(model.denoiser), ex.training.weights_of(denoiser))
    load(app, "again.safetensors", content)
    assert [model.label for model in on_shelf(app)] == ["Mine", "Mine (2)"]


def test_what_a_file_says_of_its_model_is_not_trusted(opened: Opened, open_page: Opened) -> None:
    denoiser = Plan(width=8).denoiser((1, 8, 8), 2)
    lies = {
        "name": "\ud800",
        "dataset": ["own"],
        "classes": ["a", "\ud800"],
        "step": [1],
        "plan": "x",
        "pad": "x" * 999,
    }
    app = load(opened(), "mine.safetensors", to_bytes(denoiser, **lies))
    (model,) = on_shelf(app)
    assert (model.label, model.dataset, model.classes, model.about) == ("Loaded", OWN, ("0", "1"), {})
    for page in ("pages/unet.py", "pages/sampling_showdown.py"):
        other = open_page(page, visitor=app.session_state["visitor"])
        other.selectbox(key=f"{'unet' if 'unet' in page else 'show'}_model").select("Loaded").run()
        assert not other.exception


def test_a_model_of_own_images_finds_them_again(opened: Opened) -> None:
    content = to_bytes(Plan(width=8).denoiser((1, 8, 8), None), name="Mine", dataset=OWN, digest="abc", classes=())
    (model,) = on_shelf(load(opened(), "mine.safetensors", content))
    assert model.about == {"plan": {"digest": "abc"}}


def test_a_shipped_file_is_known_again(opened: Opened) -> None:
    content = (FOLDER / "digits-8.safetensors").read_bytes()
    (model,) = on_shelf(load(opened(), "digits-8.safetensors", content))
    assert (model.label, model.dataset, model.classes) == ("Digits 8 x 8 (2)", "digits-8", tuple("0123456789"))


def test_the_shelf_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamlit, "session_state", {})
    denoiser = Plan(width=8).denoiser((1, 8, 8), None)
    size = 4 * sum(parameter.numel() for parameter in denoiser.parameters())
    monkeypatch.setattr(shelf._store(), "most_bytes", 2 * size)
    for key in "abc":
        shelf.keep(ImageModel(key, key, denoiser, OWN))
    assert list(shelf.models()) == ["b", "c"]
    monkeypatch.setattr(shelf._store(), "most_bytes", 1)
    shelf.keep(ImageModel("d", "d", denoiser, OWN))
    assert list(shelf.models()) == ["d"]  # the newest stays, whatever its size


def test_a_history_is_loaded_back_and_shown(opened: Opened) -> None:
    record = recorded("digits")
    record.name = "My run"
    app = load(opened(), "run.json", to_json(record).encode())
    (run,) = runs(app)
    assert app.selectbox(key="lab_shown").value == run.run != record.run
    assert "“My run” is shown" in app.success[0].value
    assert films(app)[0].count("<img") == 5
    assert "Keep on the shelf" not in labels(app)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("w.safetensors", b"not weights", "This is not a file of weights"),
        ("w.safetensors", b"", "This is not a file of weights"),
        ("w.safetensors", to_bytes(ex.make_denoiser_2d(0)), "for the Geometry lab"),
        ("h.json", b"not json", "This is not a history"),
        ("h.json", json.dumps({"explorer": "training"}).encode(), "This is not a history"),
    ],
)
def test_a_wrong_file_gets_a_sentence_and_the_page_lives(
    opened: Opened, name: str, content: bytes, sentence: str
) -> None:
    app = load(opened(), name, content)
    (error,) = app.error
    assert sentence in error.value
    assert len(films(app)) == 1
    assert not on_shelf(app)
    assert not runs(app)
    app.file_uploader(key="lab_file").set_value(None).run()
    assert not said(app)


def test_the_session_keeps_a_few_runs_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    state: dict[str, Any] = {}
    monkeypatch.setattr(streamlit, "session_state", state)
    vector = weights_of(Plan().denoiser((1, 8, 8), None)).numpy()
    monkeypatch.setattr(trainings._store(), "most_bytes", 2 * vector.nbytes)  # of one run
    for number in range(9):
        run = Training(str(number), str(number), Plan(), images=1)
        run.state = ({"step": 1, "seconds": 1.0}, {"averaged": vector, "weights": vector})
        trainings.remember(run)
    kept = trainings.known()
    assert list(kept) == [str(number) for number in range(9)][-trainings.MOST_TRAININGS :]
    assert sum(run.bytes for run in kept.values()) <= 2 * vector.nbytes
    assert kept["8"].state
    assert not kept["3"].state
    assert [model.label for model in shelf.models().values()] == [str(number) for number in range(8)]
