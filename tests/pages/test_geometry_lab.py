"""The Geometry lab alone: every control, every state, every wrong input; training as a student does it."""

import csv
import io
import os
import re
import signal
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import psutil
import pytest
import streamlit as streamlit
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.data.toy2d import toy2d_names
from explorer.jobs.process import LocalWorker
from explorer.lessons.geometry_lab.runs import Recipe, Settings, Source
from explorer.lessons.views import FAN
from explorer.metrics import NotFinite
from explorer.samplers import SAMPLERS
from explorer.schedules import schedule_names
from explorer.ui import work
from explorer.ui.geometry_lab import models
from explorer.ui.pad import encode_points
from explorer.ui.player import LAYERS
from explorer.zoo import from_bytes, to_bytes
from tests.pages.acting import ask, labels, press, said, until

PAGE = "pages/geometry_lab.py"
Opened = Callable[..., AppTest]
Sent = Callable[[AppTest, str], tuple[dict[str, Any], dict[str, np.ndarray]]]

OBJECTIVES = {
    "velocity": "Velocity",
    "epsilon": "Noise epsilon",
    "x0": "Clean point x0",
    "v": "v",
    "score": "Score",
}
SIDE = {
    "objective": OBJECTIVES,
    "schedule": schedule_names(),
    "sampler": SAMPLERS,
    "steps": [*range(1, 11), 12, 15, 20, 25, 30, 40, 50],
    "exact": [False, True],
}
ALLOWED: dict[str, Any] = {
    "geo_data": [*toy2d_names(), "drawing", "image"],
    "geo_compare": [False, True],
    **{f"geo_{name}": values for name, values in SIDE.items()},
    "geo_points": range(100, 2001),
    "geo_seed": range(100),
    "geo_seconds": range(1, 31),
    "geo_rate": [1e-4, 1e-3, 5e-3, 2e-2, 1e-1, 1.0, 1e6],
    "geo_batch": [64, 128, 256, 512, 1024],
    "geo_width": [16, 32, 64, 128, 256],
    "geo_depth": range(1, 7),
}
SOMETIMES = {
    **{f"geo_b_{name}": values for name, values in SIDE.items()},
    "geo_examples": [3, 10, 50, 200, 500],
    "geo_b_examples": [3, 10, 50, 200, 500],
}


@pytest.fixture(scope="module")
def opened(open_page: Opened) -> Opened:
    def lab(**query: Any) -> AppTest:
        return open_page(PAGE, **query)

    return lab


def metrics(app: AppTest, label: str = "Distance to fresh data") -> list[float]:
    return [float(metric.value) for metric in app.metric if metric.label == label]


def ranges(app: AppTest) -> list[tuple[float, float]]:
    """What a perfect model gets, lowest and highest, on each side."""
    found = [re.fullmatch(r"perfect: ([\d.]+) to ([\d.]+)", metric.delta) for metric in app.metric if metric.delta]
    return [(float(match[1]), float(match[2])) for match in found if match]


def floors(app: AppTest) -> list[float]:
    """What a perfect model gets in the middle."""
    return [(low * high) ** 0.5 for low, high in ranges(app)]


def points_shown(arrays: dict[str, np.ndarray], name: str, extent: float) -> np.ndarray:
    """An array of the player in view units."""
    return arrays[name].astype(np.float64) * 4 * extent / 32767


def png(grey: np.ndarray, name: str = "marks.png") -> tuple[str, bytes, str]:
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(file, "PNG")
    return name, file.getvalue(), "image/png"


# Without training


def test_it_opens_on_a_shipped_model_that_moves(opened: Opened, sent: Sent) -> None:
    app = opened()
    meta, arrays = sent(app, "player")
    assert [(scene["title"], scene["role"]) for scene in meta["scenes"]] == [
        ("Heun, 12 steps · velocity · flow", "model")
    ]
    assert meta["autoplay"]
    assert arrays["0.x"].shape == (13, Settings.n, 2)
    assert {f"0.{name}" for name in ("t", "x0", "target", "source", "mesh", "field", "score")} <= set(arrays)
    assert metrics(app)[0] < 1.5 * floors(app)[0]
    assert metrics(app, "Network calls") == [23]
    assert labels(app) == {"Train"}
    assert not said(app)


@pytest.mark.parametrize("name", toy2d_names())
def test_every_distribution_has_its_shipped_model_and_its_data_behind(opened: Opened, sent: Sent, name: str) -> None:
    app = opened()
    app.selectbox(key="geo_data").select(name).run()
    assert not app.exception
    meta, arrays = sent(app, "player")
    assert meta["scenes"][0]["role"] == "model"
    target = points_shown(arrays, "0.target", meta["extent"]).reshape(-1, 2)
    np.testing.assert_allclose(target, ex.toy2d(name, 2000, 1)[:1200], atol=1e-3)
    assert metrics(app)[0] < 2.5 * floors(app)[0]


@pytest.mark.parametrize(("schedule", "objective"), [*product(schedule_names(), OBJECTIVES)])
def test_every_objective_on_every_schedule_shows_a_model_or_says_that_it_is_exact(
    opened: Opened, sent: Sent, schedule: str, objective: str
) -> None:
    app = opened()
    app.selectbox(key="geo_objective").select(objective)
    app.selectbox(key="geo_schedule").select(schedule).run()
    assert not app.exception
    (scene,) = sent(app, "player")[0]["scenes"]
    shipped = (schedule, objective) in (("flow", "velocity"), ("cosine", "epsilon"))
    assert scene["role"] == ("model" if shipped else "exact")
    assert ("No network is trained" in scene["caption"]) != shipped
    shown = OBJECTIVES[objective].lower() if shipped else "exact"
    assert scene["title"] == f"Heun, 12 steps · {shown} · {schedule}"
    assert metrics(app)[0] < 2 * floors(app)[0]


@pytest.mark.parametrize(("schedule", "sampler"), [*product(schedule_names(), SAMPLERS)])
def test_every_sampler_runs_on_every_schedule(opened: Opened, sent: Sent, schedule: str, sampler: str) -> None:
    app = opened(geo_exact="true", geo_points="300")
    app.selectbox(key="geo_schedule").select(schedule)
    app.selectbox(key="geo_sampler").select(sampler).run()
    assert not app.exception
    meta, arrays = sent(app, "player")
    assert meta["scenes"][0]["title"] == f"{SAMPLERS[sampler].label}, 12 steps · exact · {schedule}"
    assert ("0.mesh" in arrays) != SAMPLERS[sampler].stochastic
    assert metrics(app)[0] < 0.35
    assert f"sampler='{sampler}'" in app.code[0].value


def test_eta_belongs_to_ddim_and_tears_the_mesh(opened: Opened, sent: Sent) -> None:
    app = opened()
    with pytest.raises(KeyError):
        app.slider(key="geo_eta")
    app.selectbox(key="geo_sampler").select("ddim").run()
    assert "0.mesh" in sent(app, "player")[1]
    assert "eta=0.0" in app.code[0].value
    still = sent(app, "player")[1]["0.x"]
    app.slider(key="geo_eta").set_value(0.5).run()
    assert not app.exception
    arrays = sent(app, "player")[1]
    assert "0.mesh" not in arrays
    assert (arrays["0.x"][-1] != still[-1]).any()
    assert "eta=0.5" in app.code[0].value


@pytest.mark.parametrize("steps", [1, 2, 50])
def test_steps_are_frames(opened: Opened, sent: Sent, steps: int) -> None:
    app = opened()
    app.select_slider(key="geo_steps").set_value(steps).run()
    assert not app.exception
    assert sent(app, "player")[1]["0.x"].shape == (steps + 1, Settings.n, 2)
    assert metrics(app, "Network calls") == [2 * steps - 1]


def test_points_and_seed(opened: Opened, sent: Sent) -> None:
    app = opened(geo_points="100", geo_seed="3")
    first = sent(app, "player")[1]["0.x"]
    assert first.shape == (13, 100, 2)
    app.slider(key="geo_seed").set_value(4).run()
    assert (sent(app, "player")[1]["0.x"][0] != first[0]).any()
    app.slider(key="geo_seed").set_value(3).run()
    np.testing.assert_array_equal(sent(app, "player")[1]["0.x"], first)
    app.slider(key="geo_points").set_value(2000).run()
    assert sent(app, "player")[1]["0.x"].shape == (13, 2000, 2)


def test_the_exact_model_recalls_its_examples(opened: Opened, sent: Sent) -> None:
    app = opened()
    assert not metrics(app, "To the nearest example")
    app.toggle(key="geo_exact").set_value(True).run()
    app.select_slider(key="geo_examples").set_value(3).run()
    assert not app.exception
    meta, arrays = sent(app, "player")
    assert meta["scenes"][0]["role"] == "exact"
    assert metrics(app, "To the nearest example") == [0.0]
    assert metrics(app)[0] > 3 * floors(app)[0]
    examples = points_shown(arrays, "0.target", meta["extent"]).reshape(-1, 2)
    np.testing.assert_allclose(examples, ex.toy2d("smiley", 20_000, 0)[:3], atol=1e-3)
    ends = points_shown(arrays, "0.x", meta["extent"])[-1]
    gaps = np.linalg.norm(ends[:, None] - examples, axis=-1).min(1)
    assert np.median(gaps) < 1e-3


def test_two_settings_side_by_side(opened: Opened, sent: Sent) -> None:
    app = opened(geo_compare="true")
    meta, arrays = sent(app, "player")
    assert [scene["title"] for scene in meta["scenes"]] == [
        "Heun, 12 steps · velocity · flow",
        "DDPM, 12 steps · velocity · flow",
    ]
    np.testing.assert_array_equal(arrays["0.x"][0], arrays["1.x"][0])
    assert (arrays["0.x"][-1] != arrays["1.x"][-1]).any()
    assert metrics(app, "Network calls") == [23, 12]
    assert labels(app) == {"Train"}

    app.selectbox(key="geo_b_schedule").select("cosine")
    app.selectbox(key="geo_b_objective").select("score")
    app.select_slider(key="geo_b_steps").set_value(7)
    app.toggle(key="geo_b_exact").set_value(True).run()
    assert not app.exception
    assert labels(app) == {"Train left", "Train right"}
    meta, arrays = sent(app, "player")
    assert [scene["role"] for scene in meta["scenes"]] == ["model", "exact"]
    assert len(arrays["1.x"]) == 8
    app.toggle(key="geo_compare").set_value(False).run()
    assert not app.exception
    assert len(sent(app, "player")[0]["scenes"]) == 1


@pytest.mark.parametrize(
    ("start", "sampler", "particles"), [((0.5, -1.0), "heun", 1), ((0.5, -1.0), "ddpm", FAN), ((9e9, 0.0), "ddim", 1)]
)
def test_a_click_starts_particles_on_both_sides(
    opened: Opened, sent: Sent, start: tuple[float, float], sampler: str, particles: int
) -> None:
    app = opened(geo_compare="true", geo_points="200")
    app.selectbox(key="geo_b_sampler").select(sampler)
    app.session_state["geo_start"] = start
    app.run()
    assert not app.exception
    meta, arrays = sent(app, "player")
    assert arrays["0.started"].shape == (13, 1, 2)
    assert arrays["1.started"].shape == (13, particles, 2)
    if max(start) < meta["extent"]:
        np.testing.assert_allclose(points_shown(arrays, "1.started", meta["extent"])[0], [start] * particles, atol=1e-3)
    press(app, "Clear the started particle")
    assert "0.started" not in sent(app, "player")[1]
    assert "Clear the started particle" not in labels(app)


@pytest.mark.parametrize("word", ["a", "x0 = ?", "Wörter", "  trimmed  ", "twelve chars"])
def test_a_word_is_learned_from_its_ink(opened: Opened, sent: Sent, word: str) -> None:
    app = opened()
    app.selectbox(key="geo_data").select("word").run()
    app.text_input(key="geo_word").set_value(word).run()
    assert not app.exception
    assert not said(app)
    meta, arrays = sent(app, "player")
    target = points_shown(arrays, "0.target", meta["extent"]).reshape(-1, 2)
    np.testing.assert_allclose(target, ex.toy2d("word", 20_000, 0, text=word)[:500], atol=1e-3)
    assert f"text={word.strip()!r}" in app.code[0].value


@pytest.mark.parametrize("word", ["", "   ", "a\nb", "\x00", "\x1b[31m", "\u202e", "\u200b", "\u3000"])
def test_a_word_without_ink_gets_a_sentence(opened: Opened, word: str) -> None:
    app = opened(geo_data="A word", geo_word=word)
    assert len(app.warning) == 1
    assert re.fullmatch(r"Type a word of 1 to 12 letters\.|This word leaves no ink; try other letters\.", said(app)[0])
    assert not labels(app)
    assert "The stage appears here" in app.info[0].value
    app.text_input(key="geo_word").set_value("again").run()
    assert not said(app)
    assert metrics(app)


def test_a_word_that_is_too_long_is_cut_by_its_field(opened: Opened) -> None:
    assert opened(geo_data="A word", geo_word="thirteen long").session_state["geo_word"] == "thirteen lon"


@settings(max_examples=10, deadline=None)
@given(word=st.text(max_size=14))
def test_any_word_gives_a_stage_or_a_sentence(opened: Opened, word: str) -> None:
    app = opened(geo_data="A word", geo_word=word.encode("utf-8", "replace").decode(), geo_points="100", geo_steps="2")
    assert bool(said(app)) != bool(metrics(app))


def test_a_drawing_of_too_few_points_gets_a_sentence_and_then_a_model(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Draw your own")
    assert said(app) == ["Draw at least 50 points on the pad; there are 0."]
    assert not labels(app)
    drawing = np.random.default_rng(0).uniform(-1, 1, (400, 2)).astype(np.float32)
    drawing[:, 0] += 1
    app.session_state["geo_pad_kept"] = encode_points(drawing[:49], 3.2)
    app.run()
    assert said(app) == ["Draw at least 50 points on the pad; there are 49."]
    app.session_state["geo_pad_kept"] = encode_points(drawing, 3.2)
    app.run()
    assert not app.exception
    assert not said(app)
    assert labels(app) == {"Train"}
    meta, arrays = sent(app, "player")
    assert meta["scenes"][0]["role"] == "exact"
    target = points_shown(arrays, "0.target", meta["extent"]).reshape(-1, 2)
    np.testing.assert_allclose(target.mean(0), [1, 0], atol=0.1)
    assert "your own points" in app.code[0].value


@pytest.mark.parametrize("kept", ["", "not base64!", "AAAA", "AAA=", "é", "A" * 400, 7, None])
def test_a_drawing_that_is_none_gets_a_sentence(opened: Opened, kept: Any) -> None:
    app = opened(geo_data="Draw your own")
    app.session_state["geo_pad_kept"] = kept
    app.run()
    assert not app.exception
    assert bool(metrics(app)) != bool(said(app))


def test_an_image_becomes_points_and_stays_when_the_page_is_left(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="The dark parts of an image")
    assert "Upload an image" in said(app)[0]
    paper = np.full((80, 120), 255)
    paper[30:50, :] = 0
    app.file_uploader(key="geo_image").set_value(png(paper)).run()
    assert not app.exception
    assert not said(app)
    meta, arrays = sent(app, "player")
    target = points_shown(arrays, "0.target", meta["extent"]).reshape(-1, 2)
    assert target[:, 0].std() > 4 * target[:, 1].std()
    app.selectbox(key="geo_data").select("moons").run()
    app.selectbox(key="geo_data").select("image").run()
    assert not said(app)
    assert metrics(app)


@pytest.mark.parametrize(
    ("upload", "sentence"),
    [
        (("notes.png", b"no image", "image/png"), "not an image"),
        (("empty.png", b"", "image/png"), "empty"),
        (png(np.zeros((1, 1))), "too small"),
        (png(np.full((40, 40), 200)), "one shade"),
        (png(np.zeros((9, 20_000))), "20,000"),
        (("cut.png", png(np.random.default_rng(0).integers(0, 256, (64, 64)))[1][:900], "image/png"), "damaged"),
    ],
)
def test_a_bad_image_gets_a_sentence_and_the_page_lives(
    opened: Opened, upload: tuple[str, bytes, str], sentence: str
) -> None:
    app = opened(geo_data="The dark parts of an image")
    app.file_uploader(key="geo_image").set_value(upload).run()
    assert not app.exception
    (text,) = said(app)
    assert sentence in text
    assert re.fullmatch(r"[A-Z].*\.", text)
    app.file_uploader(key="geo_image").set_value(png(np.eye(64) * 255)).run()
    assert not said(app)
    assert metrics(app)


# The URL

NUMBERS = ["inf", "-inf", "nan", "1e400", "-1e400", "9" * 400, "-1", "0", "2.5", "1_0", "\u0663", "0x1", " 5 ", "True"]
WORDS = ["", "None", "flow", "Heun,DDPM", "\U0001f600", "\0", "../..", "<b>", "null", "[]", "Draw your own"]
TEXTS = st.sampled_from([*NUMBERS, *WORDS]) | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*ALLOWED, *SOMETIMES, "geo_eta", "geo_b_eta", "geo_word", "geo_start", "nothing"]),
        TEXTS | st.lists(TEXTS, max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
)
def test_any_url_opens_the_page(opened: Opened, query: dict[str, str | list[str]], compare: bool) -> None:
    app = opened(**({"geo_compare": "true"} if compare else {}) | query)
    for key, values in ALLOWED.items():
        assert app.session_state[key] in values, key
    for key, values in SOMETIMES.items():
        assert key not in app.session_state or app.session_state[key] in values, key
    assert bool(metrics(app)) != bool(said(app))


@pytest.mark.parametrize("bad", ["inf", "1e400", "9" * 400, "", "\u96d1\u97f3", ["x", "y"]])
def test_bad_values_fall_back_to_the_defaults(opened: Opened, bad: str | list[str]) -> None:
    defaults, app = opened(), opened(**dict.fromkeys(ALLOWED, bad))
    assert {key: app.session_state[key] for key in ALLOWED} == {key: defaults.session_state[key] for key in ALLOWED}


def test_a_link_opens_exactly_its_state(opened: Opened, sent: Sent) -> None:
    query = {
        "geo_data": "Swiss roll", "geo_compare": "true", "geo_objective": "v", "geo_schedule": "EDM",
        "geo_sampler": "DDIM", "geo_steps": "9", "geo_eta": "0.3", "geo_b_objective": "Score",
        "geo_b_schedule": "Linear", "geo_b_sampler": "Annealed Langevin", "geo_b_steps": "4",
        "geo_b_exact": "true", "geo_b_examples": "10", "geo_points": "200", "geo_seed": "42", "geo_seconds": "7",
        "geo_rate": "0.1", "geo_batch": "64", "geo_width": "16", "geo_depth": "2",
    }  # fmt: skip
    app = opened(**query)
    wanted = {
        "geo_data": "swiss_roll", "geo_compare": True, "geo_objective": "v", "geo_schedule": "edm",
        "geo_sampler": "ddim", "geo_steps": 9, "geo_eta": 0.3, "geo_b_objective": "score",
        "geo_b_schedule": "linear", "geo_b_sampler": "langevin", "geo_b_steps": 4, "geo_b_exact": True,
        "geo_b_examples": 10, "geo_points": 200, "geo_seed": 42, "geo_seconds": 7, "geo_rate": 0.1,
        "geo_batch": 64, "geo_width": 16, "geo_depth": 2,
    }  # fmt: skip
    assert {key: app.session_state[key] for key in wanted} == wanted
    titles = [scene["title"] for scene in sent(app, "player")[0]["scenes"]]
    assert titles == ["DDIM, 9 steps · exact · edm", "Annealed Langevin, 4 steps · exact · linear"]
    assert dict(app.query_params) == query


# Training


def running(app: AppTest) -> bool:
    return any(label.startswith("Stop") for label in labels(app))


def steps_of(app: AppTest) -> list[int]:
    """Steps of the training history."""
    slider = next((slider for slider in app.select_slider if slider.label == "Training history"), None)
    found = [re.match(r"step ([\d,]+)", option) for option in slider.options] if slider else []
    return [int(match[1].replace(",", "")) for match in found if match]


def progress(app: AppTest) -> list[str]:
    return [element.proto.text for element in app.get("progress")]


def shelf(app: AppTest) -> dict[Recipe, models.Trained]:
    return models.shelf_of(app.session_state["visitor"])


def snapshots(app: AppTest) -> list[int]:
    """Steps at which the newest model on the shelf was kept."""
    models = list(shelf(app).values())
    return sorted(models[-1].snapshots) if models else []


def charts(app: AppTest) -> int:
    return len(app.get("vega_lite_chart"))


def recipe(name: str = "smiley", schedule: str = "flow", objective: str = "velocity") -> Recipe:
    return Recipe(Source(name), schedule, objective)


def worker_of(app: AppTest) -> psutil.Process:
    job = next(job for job in work.manager().jobs(app.session_state["visitor"]) if not job.finished)
    assert isinstance(job._worker, LocalWorker)
    return psutil.Process(job._worker.pid)


@pytest.fixture(scope="module")
def trained(opened: Opened) -> AppTest:
    """A page on which a student has trained once: read it, do not change it."""
    app = opened(geo_data="Moons", geo_objective="v", geo_seconds="1", geo_points="500")
    press(app, "Train")
    assert running(app)
    assert len(progress(app)) == 1
    until(app, lambda: not running(app))
    for seconds in (4, 12, 30):  # on a busy machine a second is a few steps
        if shelf(app)[recipe("moons", objective="v")].state[0]["step"] < 300:
            app.slider(key="geo_seconds").set_value(seconds).run()
            press(app, "Train")
            until(app, lambda: not running(app))
    return app


def test_training_improves_the_samples_in_place(trained: AppTest, sent: Sent) -> None:
    (scene,) = sent(trained, "player")[0]["scenes"]
    assert (scene["role"], scene["caption"]) == ("model", "")
    assert labels(trained) == {"Train", "Resume", "Reset"}
    assert not said(trained)
    assert not progress(trained)
    assert charts(trained) == 2
    assert len(steps_of(trained)) > 8
    assert metrics(trained)[0] < 2.5 * floors(trained)[0]
    history = next(slider for slider in trained.select_slider if slider.label == "Training history")
    distances = [float(option.rpartition(" ")[2]) for option in history.options]
    assert distances[-1] < 0.5 * distances[0]


def test_the_history_shows_the_model_of_that_moment(trained: AppTest, opened: Opened, sent: Sent) -> None:
    app = opened(visitor=trained.session_state["visitor"], geo_data="Moons", geo_objective="v", geo_points="500")
    history = next(slider for slider in app.select_slider if slider.label == "Training history")
    now = metrics(app)[0]
    assert steps_of(app) == steps_of(trained)
    history.set_value(steps_of(app)[0]).run()
    assert not app.exception
    assert metrics(app)[0] > 2 * now
    history = next(slider for slider in app.select_slider if slider.label == "Training history")
    history.set_value(steps_of(app)[-1]).run()
    assert metrics(app)[0] == now


def test_the_newest_moment_and_the_stage_say_the_same_distance(trained: AppTest, opened: Opened) -> None:
    app = opened(visitor=trained.session_state["visitor"], geo_data="Moons", geo_objective="v")
    history = next(slider for slider in app.select_slider if slider.label == "Training history")
    for moment, option in zip(steps_of(app)[::-3], history.options[::-3], strict=True):
        next(slider for slider in app.select_slider if slider.label == "Training history").set_value(moment).run()
        assert metrics(app) == [pytest.approx(float(option.rpartition(" ")[2]), abs=1e-3)]
    assert "Heun, 12 steps, 1,000 points, seed 0" in history.help
    assert any("Heun, 12 steps, 1,000 points, seed 0" in caption.value for caption in app.caption)


def test_stop_then_resume_goes_on_from_the_step(opened: Opened) -> None:
    app = opened(geo_data="Circles", geo_objective="v", geo_seconds="20", geo_points="300")
    press(app, "Train")
    until(app, lambda: len(snapshots(app)) > 1)
    press(app, "Stop")
    until(app, lambda: not running(app))
    assert not said(app)
    stopped = shelf(app)[recipe("circles", objective="v")].state[0]
    assert stopped["step"] > 0
    assert stopped["seconds"] < 20
    assert steps_of(app)[-1] == stopped["step"]
    before = steps_of(app)

    app.slider(key="geo_seconds").set_value(1).run()
    press(app, "Resume")
    until(app, lambda: not running(app))
    assert not said(app)
    model = shelf(app)[recipe("circles", objective="v")]
    assert model.state[0]["step"] > stopped["step"]
    assert stopped["seconds"] + 1 <= model.state[0]["seconds"] < stopped["seconds"] + 2
    assert steps_of(app)[: len(before)] == before
    assert len(steps_of(app)) > len(before)
    assert (np.diff(model.curve[:, 0]) > 0).all()

    again = opened(visitor=app.session_state["visitor"], geo_data="Circles", geo_objective="v", geo_points="300")
    assert steps_of(again) == steps_of(app)
    found = shelf(again)[recipe("circles", objective="v")]
    np.testing.assert_array_equal(found.curve, model.curve)

    press(app, "Reset")
    assert labels(app) == {"Train"}
    assert not steps_of(app)
    assert not charts(app)


def test_reset_forgets_every_training_of_these_settings(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Grid", geo_schedule="Linear", geo_seconds="1", geo_points="200")
    for _ in range(2):
        press(app, "Train")
        until(app, lambda: not running(app))
    assert sent(app, "player")[0]["scenes"][0]["role"] == "model"
    press(app, "Reset")
    for _ in range(2):
        app.run()
        assert labels(app) == {"Train"}
        assert sent(app, "player")[0]["scenes"][0]["role"] == "exact"


def test_a_rate_that_diverges_gets_a_sentence_and_the_model_stays(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Pinwheel", geo_objective="Clean point x0", geo_seconds="1", geo_points="300")
    press(app, "Train")
    until(app, lambda: not running(app))
    good, history = metrics(app)[0], steps_of(app)

    app.select_slider(key="geo_rate").set_value(1e6).run()
    for button in ("Train", "Resume"):
        press(app, button)
        until(app, lambda: not running(app))
        (error,) = app.error
        assert "The loss stopped being a finite number" in error.value
        assert "Lower the learning rate" in error.value
        assert metrics(app)[0] < 1.5 * good
        assert steps_of(app) == history
        assert sent(app, "player")[0]["scenes"][0]["role"] == "model"

    app.select_slider(key="geo_rate").set_value(5e-3).run()
    press(app, "Resume")
    until(app, lambda: not running(app))
    assert not said(app)
    assert metrics(app)[0] < 1.5 * good
    assert steps_of(app)[-1] > history[-1]


def test_a_first_run_that_diverges_can_be_reset(opened: Opened) -> None:
    app = opened(geo_data="Grid", geo_objective="Score", geo_rate="1e+06", geo_points="200")
    press(app, "Train")
    until(app, lambda: not running(app))
    assert "Lower the learning rate" in app.error[0].value
    press(app, "Reset")
    assert not said(app)
    assert labels(app) == {"Train"}


@pytest.mark.parametrize("rate", ["0.1", "1"])
def test_a_rate_that_is_too_high_but_finite_shows_what_it_made(opened: Opened, rate: str) -> None:
    app = opened(geo_data="Moons", geo_objective="Score", geo_rate=rate, geo_seconds="1", geo_points="200")
    press(app, "Train")
    until(app, lambda: not running(app))
    assert metrics(app)
    specs = [chart.proto.spec for chart in app.get("vega_lite_chart")]
    assert not any(word in spec for spec in specs for word in ("NaN", "Infinity"))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_worker_that_is_killed_gets_a_sentence_and_what_came_last_is_kept(opened: Opened, sent: Sent) -> None:
    spirals = recipe("spirals", objective="epsilon")
    app = opened(geo_data="Spirals", geo_objective="Noise epsilon", geo_seconds="30", geo_points="300")
    press(app, "Train")
    until(app, lambda: snapshots(app) and shelf(app)[spirals].state)
    os.kill(worker_of(app).pid, signal.SIGKILL)
    until(app, lambda: not running(app))
    (error,) = app.error
    assert "stopped from outside" in error.value
    assert "What it had sent last is kept" in error.value
    assert sent(app, "player")[0]["scenes"][0]["role"] == "model"
    assert labels(app) == {"Train", "Resume", "Reset"}
    app.slider(key="geo_seconds").set_value(1).run()
    kept = shelf(app)[spirals].state[0]["step"]
    press(app, "Resume")
    until(app, lambda: not running(app))
    assert not said(app)
    assert shelf(app)[spirals].state[0]["step"] > kept


def test_two_trainings_at_once_and_a_third_is_refused(opened: Opened, sent: Sent) -> None:
    app = opened(
        geo_data="Three modes", geo_compare="true", geo_objective="v", geo_b_objective="Clean point x0",
        geo_seconds="30", geo_points="200",
    )  # fmt: skip
    press(app, "Train left")
    press(app, "Train right")
    assert labels(app) == {"Stop left", "Stop right"}
    assert len(progress(app)) == 2
    app.selectbox(key="geo_objective").select("score").run()
    press(app, "Train left")
    assert said(app) == ["You already have 2 jobs running or waiting: stop one, or wait for it."]
    app.selectbox(key="geo_objective").select("v").run()
    assert labels(app) == {"Stop left", "Stop right"}
    until(app, lambda: [scene["role"] for scene in sent(app, "player")[0]["scenes"]] == ["model", "model"])
    press(app, "Stop left")
    until(app, lambda: "Train left" in labels(app))
    assert "Stop right" in labels(app)
    assert len(progress(app)) == 1
    press(app, "Stop right")
    until(app, lambda: not running(app))
    kept = shelf(app)
    assert {key.prediction for key in kept} == {"v", "x0"}
    vectors = [model.snapshots[max(model.snapshots)][1] for model in kept.values()]
    assert len(vectors[0]) == len(vectors[1])
    assert not np.allclose(vectors[0], vectors[1])


def test_changing_controls_while_training_neither_ends_nor_mixes_up_the_job(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Eight gaussians", geo_objective="v", geo_seconds="30", geo_points="200")
    press(app, "Train")
    (job,) = work.manager().jobs(app.session_state["visitor"])
    app.selectbox(key="geo_sampler").select("ddpm").run()
    app.select_slider(key="geo_steps").set_value(12).run()
    app.select_slider(key="geo_width").set_value(256).run()
    app.slider(key="geo_depth").set_value(6).run()
    app.slider(key="geo_seed").set_value(9).run()
    app.toggle(key="geo_exact").set_value(True).run()
    app.toggle(key="geo_exact").set_value(False).run()
    assert running(app)
    app.selectbox(key="geo_schedule").select("cosine").run()
    assert not running(app)
    assert sent(app, "player")[0]["scenes"][0]["role"] == "exact"
    app.selectbox(key="geo_data").select("moons").run()
    app.selectbox(key="geo_data").select("eight_gaussians").run()
    app.selectbox(key="geo_schedule").select("flow").run()
    assert running(app)
    until(app, lambda: sent(app, "player")[0]["scenes"][0]["role"] == "model")
    press(app, "Stop")
    until(app, lambda: not running(app))
    assert work.manager().jobs(app.session_state["visitor"]) == [job]
    (model,) = shelf(app).values()
    assert model.size == {"width": 64, "depth": 3}
    assert not said(app)


def test_a_reload_finds_the_running_job_and_a_second_tab_sees_the_same(opened: Opened, sent: Sent) -> None:
    query = {"geo_data": "Checkerboard", "geo_objective": "v", "geo_points": "200", "geo_seconds": "30"}
    first = opened(geo_width="32", **query)
    press(first, "Train")
    second = opened(visitor=first.session_state["visitor"], **query)
    assert running(second)
    until(second, lambda: sent(second, "player")[0]["scenes"][0]["role"] == "model")
    press(second, "Stop")
    until(second, lambda: not running(second))
    until(first, lambda: not running(first))
    assert steps_of(first) == steps_of(second)

    second.select_slider(key="geo_width").set_value(128).run()
    second.slider(key="geo_seconds").set_value(1).run()
    press(second, "Train")
    until(second, lambda: not running(second))
    first.run()
    assert not first.exception
    assert steps_of(first) == steps_of(second)
    assert shelf(first)[recipe("checkerboard", objective="v")].size["width"] == 128

    other = opened(**query)
    assert labels(other) == {"Train"}
    assert sent(other, "player")[0]["scenes"][0]["role"] == "exact"


def test_training_a_drawing(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Draw your own", geo_seconds="1", geo_points="300")
    angle = np.linspace(0, 2 * np.pi, 200)
    drawing = np.stack([np.cos(angle), np.sin(angle)], 1) * 1.5
    app.session_state["geo_pad_kept"] = encode_points(drawing, 3.2)
    app.run()
    press(app, "Train")
    until(app, lambda: not running(app))
    assert sent(app, "player")[0]["scenes"][0]["role"] == "model"
    assert metrics(app)[0] < 0.3
    app.session_state["geo_pad_kept"] = encode_points(drawing + 0.5, 3.2)
    app.run()
    assert sent(app, "player")[0]["scenes"][0]["role"] == "exact"


# Files


def weights(schedule: str = "flow", prediction: str = "velocity", seed: int = 0, **size: int) -> bytes:
    return to_bytes(ex.make_denoiser_2d(seed, schedule=schedule, prediction=prediction, **size))


def load(app: AppTest, content: bytes) -> AppTest:
    upload = ("weights.safetensors", content, "application/octet-stream")
    app.file_uploader(key="geo_weights").set_value(upload).run()
    assert not app.exception
    return app


def test_loading_weights_shows_that_model_under_its_own_settings(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Moons", geo_exact="true", geo_points="200")
    load(app, weights("edm", "score", width=16, depth=1))
    state = app.session_state
    assert (state["geo_schedule"], state["geo_objective"], state["geo_exact"]) == ("edm", "score", False)
    assert sent(app, "player")[0]["scenes"][0]["role"] == "model"
    assert not said(app)
    assert labels(app) == {"Train", "Reset"}
    press(app, "Reset")
    assert sent(app, "player")[0]["scenes"][0]["role"] == "exact"


def captions(app: AppTest, sent: Sent) -> list[str]:
    return [scene["caption"] for scene in sent(app, "player")[0]["scenes"]]


def of(distribution: Any, **about: Any) -> bytes:
    """Weights whose file says that they learned this."""
    return to_bytes(ex.make_denoiser_2d(0), distribution=distribution, **about)


@pytest.mark.parametrize("compare", ["true", "false"])
def test_a_file_is_believed_in_what_it_learned(opened: Opened, sent: Sent, compare: str) -> None:
    app = load(opened(geo_compare=compare, geo_points="200"), of("pinwheel"))
    assert app.session_state["geo_data"] == "pinwheel"
    assert not any(captions(app, sent))
    meta, arrays = sent(app, "player")
    target = points_shown(arrays, "0.target", meta["extent"]).reshape(-1, 2)
    np.testing.assert_allclose(target, ex.toy2d("pinwheel", 2000, 1)[:1200], atol=1e-3)
    load(app, of("word", text="bat"))
    assert (app.session_state["geo_data"], app.session_state["geo_word"]) == ("word", "bat")
    assert not any(captions(app, sent))
    assert sent(app, "player")[0]["scenes"][0]["role"] == "model"


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ({"distribution": "heart"}, "“heart”"),
        ({"distribution": "drawing", "digest": "0" * 16}, "a drawing that is not here"),
        ({"distribution": "image"}, "an image that is not here"),
        ({"distribution": "word"}, "a word that it does not tell"),
        ({"distribution": "word", "text": "longer than a word"}, "a word"),
        ({"distribution": "word", "text": ["a"]}, "a word"),
        ({"distribution": "x" * 5000}, "not tell"),
        ({"distribution": ["smiley"]}, "not tell"),
        ({"distribution": "a\nb"}, "not tell"),
        ({"distribution": None}, "not tell"),
    ],
)
def test_what_a_file_learned_is_named_where_it_is_not_here(
    opened: Opened, sent: Sent, about: dict[str, Any], named: str
) -> None:
    app = load(opened(geo_compare="true", geo_points="200"), of(**about))
    assert app.session_state["geo_data"] == "smiley"
    for caption in captions(app, sent):
        assert named in caption
        assert "data of “Smiley”" in caption
    assert any(named in caption.value for caption in app.caption)
    assert 'ex.load("weights.safetensors")' in app.code[0].value
    press(app, "Reset")
    assert not any(captions(app, sent))


def test_a_drawing_is_found_again_by_the_weights_that_learned_it(
    opened: Opened, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(geo_data="Draw your own", geo_points="200", geo_seconds="1")
    app.session_state["geo_pad_kept"] = encode_points(np.random.default_rng(0).uniform(-1, 1, (400, 2)), 3.2)
    app.run()
    press(app, "Train")
    until(app, lambda: not running(app))
    content = downloads(monkeypatch, app)["Weights as safetensors"]
    app.selectbox(key="geo_data").select("moons").run()
    load(app, content)
    assert app.session_state["geo_data"] == "drawing"
    assert captions(app, sent) == [""]
    elsewhere = load(opened(geo_points="200"), content)
    assert "a drawing that is not here" in captions(elsewhere, sent)[0]


def test_what_is_saved_and_loaded_samples_the_same(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Smiley", geo_points="200", geo_steps="5")
    shipped = sent(app, "player")[1]["0.x"]
    denoiser = ex.load_pretrained("toy2d-smiley-flow-velocity")
    load(app, weights(seed=3))
    assert (sent(app, "player")[1]["0.x"] != shipped).any()
    load(app, to_bytes(denoiser))
    np.testing.assert_array_equal(sent(app, "player")[1]["0.x"], shipped)


def test_loaded_weights_go_before_an_earlier_training(opened: Opened, sent: Sent) -> None:
    app = opened(geo_data="Grid", geo_objective="v", geo_seconds="1", geo_points="200", geo_steps="4")
    press(app, "Train")
    until(app, lambda: not running(app))
    load(app, weights("flow", "v", seed=5, width=16))
    expected = ex.sample(ex.make_denoiser_2d(5, prediction="v", width=16), 200, "heun", steps=4).samples
    for _ in range(2):
        meta, arrays = sent(app, "player")
        np.testing.assert_allclose(points_shown(arrays, "0.x", meta["extent"])[-1], expected, atol=1e-3)
        app.run()


def test_a_wrong_file_gets_a_sentence_and_the_model_stays(opened: Opened, sent: Sent) -> None:
    app = opened(geo_points="200")
    before = sent(app, "player")[1]["0.x"]
    load(app, b"not weights")
    assert said(app) == ["This is not a file of weights from this app; choose one that it saved."]
    np.testing.assert_array_equal(sent(app, "player")[1]["0.x"], before)
    app.file_uploader(key="geo_weights").set_value(None).run()
    assert not said(app)
    load(app, b"")
    assert len(said(app)) == 1
    load(app, weights())
    assert not said(app)


def test_enormous_weights_are_shown_without_an_error(opened: Opened) -> None:
    denoiser = ex.make_denoiser_2d(0)
    for parameter in denoiser.parameters():
        parameter.data.fill_(3e38)
    app = load(opened(geo_points="200"), to_bytes(denoiser))
    assert app.metric
    assert [said.value for said in app.error] == [str(NotFinite())]
    assert app.metric[0].value == "none"
    app.toggle(key="geo_exact").set_value(True).run()
    assert not app.error
    assert metrics(app)[0] < 1


def downloads(monkeypatch: pytest.MonkeyPatch, app: AppTest) -> dict[str, Any]:
    """What each download button would hand over, by its label."""
    content: dict[str, Any] = {}

    def button(label: str, data: Any, *args: Any, **options: Any) -> bool:
        content[label] = data() if callable(data) else data
        return False

    with monkeypatch.context() as patch:
        patch.setattr(streamlit, "download_button", button)
        app.run()
    assert not app.exception
    return content


def test_the_csv_holds_the_paths(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(geo_points="100", geo_steps="3", geo_seed="8")
    rows = list(csv.DictReader(io.StringIO(downloads(monkeypatch, app)["Paths as CSV"])))
    assert len(rows) == 4 * 100
    walk = ex.sample(ex.load_pretrained("toy2d-smiley-flow-velocity"), 100, "heun", steps=3, seed=8)
    for row, (frame, particle) in zip(rows, product(range(4), range(100)), strict=True):
        assert int(row["particle"]) == particle
        assert float(row["t"]) == pytest.approx(float(walk.t[frame]), abs=1e-5)
        at = [float(row["x"]), float(row["y"])]
        np.testing.assert_allclose(at, walk.x[frame, particle], rtol=1e-3, atol=1e-3)


def test_the_weights_of_the_stage_can_be_taken_away(
    opened: Opened, trained: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = opened(visitor=trained.session_state["visitor"], geo_data="Moons", geo_objective="v", geo_points="200")
    denoiser, about = from_bytes(downloads(monkeypatch, app)["Weights as safetensors"])
    assert (about["distribution"], denoiser.prediction) == ("moons", "v")
    samples = ex.sample(denoiser, 2000, "heun", steps=12, keep="last").samples
    assert ex.sliced_wasserstein(samples, ex.toy2d("moons", 2000, 1)) < 2.5 * floors(app)[0]
    app.toggle(key="geo_exact").set_value(True).run()
    assert set(downloads(monkeypatch, app)) == {"Paths as CSV", "This page as a notebook"}


@pytest.mark.parametrize(
    "query",
    [
        {},
        {
            "geo_data": "A word",
            "geo_word": "it's",
            "geo_objective": "Score",
            "geo_schedule": "EDM",
            "geo_sampler": "DDPM",
        },
        {"geo_exact": "true", "geo_examples": "10", "geo_sampler": "DDIM", "geo_eta": "0.4", "geo_schedule": "Linear"},
        {
            "geo_rate": "0.0001",
            "geo_batch": "64",
            "geo_width": "16",
            "geo_depth": "1",
            "geo_sampler": "Annealed Langevin",
        },
    ],
)
def test_the_snippet_runs_and_gives_a_distance(opened: Opened, query: dict[str, str]) -> None:
    snippet = opened(geo_points="200", geo_steps="3", **query).code[0].value
    printed: list[tuple[Any, ...]] = []
    exec(snippet.replace("max_seconds=3", "max_seconds=0.05"), {"print": lambda *line: printed.append(line)})
    assert 0 < printed[-1][0] < np.inf


def test_the_snippet_of_the_exact_model_gives_the_number_on_the_page(opened: Opened) -> None:
    app = opened(geo_exact="true", geo_examples="3", geo_points="200", geo_seed="5")
    scope: dict[str, Any] = {}
    exec(app.code[0].value, scope)
    fresh = ex.toy2d("smiley", 2000, 1)
    assert ex.sliced_wasserstein(scope["trajectory"].samples, fresh) == pytest.approx(metrics(app)[0], abs=6e-4)


def test_questions_answer_back(opened: Opened) -> None:
    app = opened()
    ask(app, "geo")
    app.radio(key="geo_question_0").set_value("No")
    app.radio(key="geo_question_1").set_value("The exact model, it is exact").run()
    assert "No" not in app.success[0].value
    assert app.success[0].value.startswith("Yes.")
    assert app.warning[0].value.startswith("Not quite.")
    wrong = app.warning[0].value.removeprefix("Not quite. ")
    app.radio(key="geo_question_1").set_value("The network").run()
    assert not app.warning
    assert wrong not in app.success[1].value


def test_the_page_says_which_way_the_arrows_point(opened: Opened) -> None:
    app = opened()
    (layers,) = (part.value for part in app.markdown if "**Velocity**: where" in part.value)
    assert all(f"**{label}**" in layers for label in LAYERS.values())
    ask(app, "geo")
    app.radio(key="geo_question_2").set_value("To the data").run()
    assert app.success[0].value.startswith("Yes.")


def test_the_shelf_drops_the_oldest_models_when_it_is_full(opened: Opened) -> None:
    app = opened(geo_points="100", geo_steps="2")
    recipes = [("flow", "v"), ("edm", "v"), ("cosine", "v"), ("linear", "v"), ("flow", "x0")]
    for schedule, prediction in recipes:
        load(app, weights(schedule, prediction, width=512, depth=10))
        app.run()
    kept = shelf(app)
    assert sum(model.bytes for model in kept.values()) <= models.SHELF_BYTES
    assert [(recipe.schedule, recipe.prediction) for recipe in kept] == recipes[-len(kept) :]
    assert 1 <= len(kept) < len(recipes)


def test_weights_that_were_loaded_are_there_after_a_reload_for_this_visitor_alone(opened: Opened, sent: Sent) -> None:
    query = {"geo_data": "Grid", "geo_objective": "v", "geo_points": "100", "geo_steps": "3"}
    app = load(opened(**query), weights("flow", "v", seed=5, width=16))
    seen = sent(app, "player")
    assert seen[0]["scenes"][0]["role"] == "model"
    again = opened(visitor=app.session_state["visitor"], **query)
    np.testing.assert_array_equal(sent(again, "player")[1]["0.x"], seen[1]["0.x"])
    assert sent(opened(**query), "player")[0]["scenes"][0]["role"] == "exact"
