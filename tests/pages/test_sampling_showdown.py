"""The Sampling showdown page alone: what it measures, what each control changes, jobs, models of the shelf."""

import base64
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.lessons.sampling_showdown import quality, walks
from explorer.lessons.sampling_showdown.quality import Quality, QualityTable
from explorer.metrics import NotFinite
from explorer.networks.unet import make_image_denoiser
from explorer.ui.film import to_bytes
from explorer.ui.shelf import ImageModel, keep
from tests.pages.acting import ask, said, until

Buffer = tuple[dict[str, Any], dict[str, np.ndarray]]
Open = Callable[..., AppTest]
Sent = Callable[[AppTest, str], Buffer]
PAGE = "pages/sampling_showdown.py"
DIGITS = "Digits 8 x 8"
DEFAULTS = {
    "show_model": "mnist-28",
    "show_class": "all",
    "show_guidance": 1.0,
    "show_seed": 1,
    "show_a_sampler": "ddpm",
    "show_a_steps": 3,
    "show_a_times": "own",
    "show_b_sampler": "dpmpp_2m",
    "show_b_steps": 3,
    "show_b_times": "own",
    "show_noise_class": "3",
    "show_noise_steps": 5,
    "show_noise_eta": 0.5,
    "show_noise_other": "none",
    "show_noise_seed": 1,
    "show_noise_again": False,
    "show_between_class": "3",
    "show_between_steps": 5,
    "show_between_from": 3,
    "show_between_to": 7,
    "show_trip_source": "real",
    "show_trip_class": "4",
    "show_trip_steps": 10,
}


def values(app: AppTest) -> dict[str, Any]:
    return {key: app.session_state[key] for key in DEFAULTS}


def text_of(app: AppTest) -> str:
    return "\n".join(part.value for kind in (app.markdown, app.caption, app.info) for part in kind)


def metrics(app: AppTest, label: str) -> list[str]:
    return [metric.value for metric in app.metric if metric.label == label]


def table(app: AppTest) -> dict[str, list[float]]:
    """The table of walks from one noise: apart, diversity of each row, and first of all again where it was repeated."""
    lines = next(part.value for part in app.markdown if "|other\u00a0seed" in part.value)
    rows = [line.strip("|").split("|") for line in lines.splitlines()[2:]]
    return {name.replace("\u00a0", " "): [float(cell) for cell in cells] for name, *cells in rows}


def control(app: AppTest, key: str) -> Any:
    kinds = (app.selectbox, app.select_slider, app.slider, app.radio, app.get("button_group"))
    return next(widget for kind in kinds for widget in kind if widget.key == key)


@pytest.fixture
def digits_page(open_page: Open) -> AppTest:
    return open_page(PAGE, show_model=DIGITS)


@pytest.fixture
def with_shelf(open_page: Open) -> Callable[[ImageModel], AppTest]:
    """The page, on a model that this session has on its shelf."""

    def opened(model: ImageModel) -> AppTest:
        app = open_page(PAGE, show_model=DIGITS)
        keep(model, app.session_state["visitor"])
        app.run()
        app.selectbox(key="show_model").select(model.label).run()
        assert not app.exception
        return app

    return opened


@pytest.fixture
def against_ddim(open_page: Open) -> AppTest:
    """The page on the digits, with DDIM on the right."""
    return open_page(PAGE, show_model=DIGITS, show_b_sampler="DDIM")


def model(dataset: str = "digits-8", classes: int | None = 10, side: int = 8, **about: Any) -> ImageModel:
    """An untrained model, of the shelf."""
    denoiser = make_image_denoiser((1, side, side), classes=classes, widths=(8, 16)).requires_grad_(False)
    names = tuple("0123456789"[: classes or 0])
    return ImageModel("abc", "My model", denoiser, dataset, names, about)


def test_it_opens_with_everything_measured(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE)
    assert values(app) == DEFAULTS
    meta, arrays = sent(app, "film")
    assert [strip["title"] for strip in meta["strips"]] == [
        "DDPM: x at time t",
        "DDPM: guess of x0",
        "DPM-Solver++(2M): x at time t",
        "DPM-Solver++(2M): guess of x0",
    ]
    assert meta["autoplay"]
    for index in range(4):
        assert arrays[f"strip {index}"].shape == (4, 16, 28, 28)
    np.testing.assert_array_equal(arrays["strip 0"][0], arrays["strip 2"][0])  # one starting noise
    assert (arrays["strip 0"][-1] != arrays["strip 2"][-1]).any()
    np.testing.assert_array_equal(arrays["strip 0"][-1], arrays["strip 1"][-1])  # both end with the sample
    assert metrics(app, "Network calls") == ["3", "3"]
    left, solver = (float(value) for value in metrics(app, "Fréchet distance of 1,000"))
    assert solver < 0.7 * left
    assert f"distances to real images are {left:.2f} and {solver:.2f}" in text_of(app)
    right = [int(value.split(" of ")[0]) for value in metrics(app, "Right class")]
    assert len(right) == 2
    assert min(right) > 14
    found = table(app)
    assert found["DDIM (eta 0)"] == [0, 0]
    assert min(found["DDPM (eta 1)"]) > 0.1
    assert found["DDPM (eta 1)"][1] > found["eta 0.5"][1] > 0
    jumps = [float(jump) for jump in re.findall(r"Largest jump ([\d.]+)", "".join(part.value for part in app.html))]
    assert jumps[0] < jumps[1]
    takeaways = text_of(app)
    for number in (f"{found['DDPM (eta 1)'][0]:.3f}", f"{jumps[0]:.2f}", f"{jumps[1]:.2f}"):
        assert f" {number} under" in takeaways or f"by {number} under" in takeaways
    for section in ("duel", "one-noise", "quality", "between", "round-trip"):
        assert f"](#{section})" in takeaways


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("show_seed", 5),
        ("show_class", "7"),
        ("show_class", "none"),
        ("show_guidance", 3.0),
        ("show_a_sampler", "heun"),
        ("show_a_steps", 5),
        ("show_a_times", "karras"),
        ("show_b_steps", 2),
        ("show_b_times", "quadratic"),
        ("show_b_eta", 0.5),
    ],
)
def test_each_control_changes_the_film(against_ddim: AppTest, sent: Sent, key: str, value: Any) -> None:
    before = sent(against_ddim, "film")[1]
    control(against_ddim, key).set_value(value).run()
    assert not against_ddim.exception
    after = sent(against_ddim, "film")[1]

    def changed(strip: int) -> bool:
        """Whether the ends are other images."""
        return bool((before[f"strip {strip}"][-1] != after[f"strip {strip}"][-1]).any())

    assert changed(0) == (key[:7] != "show_b_")
    assert changed(2) == (key[:7] != "show_a_")


def test_guidance_may_hold_in_the_middle_alone(digits_page: AppTest, sent: Sent) -> None:
    for side in "ab":
        control(digits_page, f"show_{side}_steps").set_value(10)
    control(digits_page, "show_guidance").set_value(3.0).run()
    throughout, calls = sent(digits_page, "film")[1], metrics(digits_page, "Network calls")
    control(digits_page, "show_guidance_at").set_value("middle").run()
    assert not digits_page.exception
    assert (sent(digits_page, "film")[1]["strip 2"] != throughout["strip 2"]).any()
    assert calls == ["20", "20"]
    assert all(10 < int(fewer) < 20 for fewer in metrics(digits_page, "Network calls"))
    control(digits_page, "show_guidance").set_value(1.0).run()
    assert not [box for box in digits_page.selectbox if box.key == "show_guidance_at"]


def test_one_side_that_changes_is_computed_alone(against_ddim: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    walk = walks.walk
    monkeypatch.setattr(walks, "walk", lambda *given: computed.append(given[1].sampler) or walk(*given))
    against_ddim.slider(key="show_b_eta").set_value(0.3).run()
    assert computed == ["ddim"]
    against_ddim.slider(key="show_b_eta").set_value(0.0).run()
    assert computed == ["ddim"]  # it was here before


def test_every_sampler_runs_on_either_side(digits_page: AppTest, sent: Sent) -> None:
    control(digits_page, "show_b_steps").set_value(10)
    for name in digits_page.selectbox(key="show_a_sampler").options:
        digits_page.selectbox(key="show_a_sampler").select(name).run()
        assert not digits_page.exception
        meta, arrays = sent(digits_page, "film")
        assert meta["strips"][0]["title"].startswith(name)
        assert arrays["strip 0"].shape == (11, 16, 8, 8)  # the clock is that of the other side, with more steps
        assert meta["strips"][0]["captions"][-1] == "step 3 of 3, t = 0.000"


def test_a_table_that_came_with_the_app_is_shown_at_once(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        Quality(sampler, steps, None, 500, 0.5 + 0.04 * good, 10.0 / good, 1.0, steps)
        for sampler, bonus in (("ddpm", 0), ("ddim", 5))
        for steps in (2, 10, 50)
        for good in [steps / 10 + bonus]
    ]
    table = QualityTable("python scripts/measure_samplers.py", 500, 1.5, points)
    monkeypatch.setattr(quality, "read_table", lambda name: table)
    app = open_page(PAGE, show_model=DIGITS)
    charts = [chart.proto for chart in app.get("vega_lite_chart")]
    assert "Fréchet distance against steps" in charts[0].alt
    assert "class asked for against steps" in charts[1].alt
    assert "Network calls" not in charts[0].spec
    assert "python scripts/measure_samplers.py" in text_of(app)
    assert "DDPM is not there after 50, DDIM needs 50" in text_of(app)
    assert "Dashed: 500 real training images" in text_of(app)
    points[:] = [replace(point, n=300) for point in points]  # a level that nobody measured
    app.run()
    assert "Dashed" not in text_of(app)
    control(app, "show_against").set_value("evaluations").run()
    assert not app.exception
    assert "Network calls" in app.get("vega_lite_chart")[0].proto.spec


def test_quality_is_measured_by_a_job_and_stays(with_shelf: Callable[..., AppTest]) -> None:
    app = with_shelf(model())
    assert "Nothing is measured for this model yet" in text_of(app)
    control(app, "show_measure_samplers").set_value(["ddim"])
    control(app, "show_measure_n").set_value(100)
    control(app, "show_measure_guidance").set_value(2.0)
    control(app, "show_measure_steps").set_value(5).run()
    control(app, "show_measure_guidance_at").set_value("middle").run()
    assert "3 points, about" in text_of(app)
    app.button(key="show_measure").click().run()
    assert not app.exception
    assert app.button(key="show_measure").disabled
    until(app, lambda: not app.button(key="show_measure").disabled)
    assert "100 samples a point at guidance 2 in the middle, measured here in" in text_of(app)
    assert "To come to at most 25 % above the best" in text_of(app)
    spec = app.get("vega_lite_chart")[0].proto.spec
    assert spec.count('"samples"') >= 1
    app.selectbox(key="show_model").select(DIGITS).run()
    app.selectbox(key="show_model").select("My model").run()
    assert "measured here in" in text_of(app)


def test_a_long_walk_is_a_job(with_shelf: Callable[..., AppTest], sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walks, "call_seconds", lambda denoiser, n: 0.02)  # a slow machine
    app = with_shelf(model(step=1))
    control(app, "show_a_steps").set_value(100).run()
    assert "100 network calls for 16 images: about 2.0 s on this machine." in text_of(app)
    assert len(sent(app, "film")[0]["strips"]) == 2
    assert "Two walks that have ended can be compared" in text_of(app)
    assert "This walk is long: run it below." in text_of(app)
    app.button(key="show_a_run").click().run()
    assert not app.exception
    until(app, lambda: len(sent(app, "film")[0]["strips"]) == 4)
    meta, arrays = sent(app, "film")
    assert arrays["strip 0"].shape == (61, 16, 8, 8)  # thinned
    assert meta["strips"][0]["captions"][-1] == "step 100 of 100, t = 0.000"
    assert metrics(app, "Network calls") == ["100", "3"]
    control(app, "show_a_steps").set_value(20).run()
    control(app, "show_a_steps").set_value(100).run()
    assert metrics(app, "Network calls") == ["100", "3"]


def test_a_walk_that_runs_can_be_stopped_from_other_settings(
    with_shelf: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walks, "call_seconds", lambda denoiser, n: 0.02)
    app = with_shelf(model(step=2))
    control(app, "show_a_sampler").set_value("langevin")
    control(app, "show_a_steps").set_value(1000).run()
    app.button(key="show_a_run").click().run()
    control(app, "show_a_steps").set_value(20).run()
    until(app, lambda: any(button.label == "Stop" for button in app.button), 20)
    next(button for button in app.button if button.label == "Stop").click().run()
    until(app, lambda: not any(button.label == "Stop" for button in app.button))


def test_a_model_without_classes_or_classifier(with_shelf: Callable[..., AppTest]) -> None:
    app = with_shelf(model("own", None, side=12))
    assert not any("class" in (box.key or "") for box in app.selectbox)
    assert "none for this model's data" in text_of(app)
    assert "over the pixels" in text_of(app)
    assert not metrics(app, "Right class")
    assert table(app)["DDIM (eta 0)"] == [0, 0]
    assert "are not here: this is a real image of MNIST" in text_of(app)
    assert float(metrics(app, "Error")[0]) > 0


@pytest.mark.parametrize(
    ("key", "value", "rows"),
    [
        ("show_noise_class", "8", ["DDIM (eta 0)", "eta 0.5", "DDPM (eta 1)"]),
        ("show_noise_steps", 10, ["DDIM (eta 0)", "eta 0.5", "DDPM (eta 1)"]),
        ("show_noise_eta", 0.2, ["DDIM (eta 0)", "eta 0.2", "DDPM (eta 1)"]),
        ("show_noise_seed", 9, ["DDIM (eta 0)", "eta 0.5", "DDPM (eta 1)"]),
        ("show_noise_other", "euler_maruyama", ["DDIM (eta 0)", "eta 0.5", "DDPM (eta 1)", "Euler-Maruyama (SDE)"]),
    ],
)
def test_walks_from_one_noise_follow_their_controls(
    digits_page: AppTest, key: str, value: Any, rows: list[str]
) -> None:
    before = table(digits_page)
    control(digits_page, key).set_value(value).run()
    assert not digits_page.exception
    after = table(digits_page)
    assert list(after) == rows
    assert after != before
    assert after["DDIM (eta 0)"] == [0, 0]


def test_a_walk_repeats_with_its_seed(digits_page: AppTest) -> None:
    assert "With its seed" not in text_of(digits_page)
    once = table(digits_page)
    digits_page.toggle(key="show_noise_again").set_value(True).run()
    assert not digits_page.exception
    assert table(digits_page) == {name: [0, *cells] for name, cells in once.items()}
    assert "With its seed each repeats to 0.000." in text_of(digits_page)


@pytest.mark.parametrize(
    ("key", "value"),
    [("show_between_class", "5"), ("show_between_steps", 2), ("show_between_from", 50), ("show_between_to", 51)],
)
def test_the_way_between_noises_follows_its_controls(digits_page: AppTest, key: str, value: Any) -> None:
    def sheet() -> str:
        return next(part.value for part in digits_page.html if "Largest jump" in part.value)

    before = sheet()
    control(digits_page, key).set_value(value).run()
    assert not digits_page.exception
    assert sheet() != before


def test_equal_noises_give_equal_images_under_ddim(digits_page: AppTest) -> None:
    control(digits_page, "show_between_to").set_value(3).run()
    assert not digits_page.exception
    assert "the largest jump is 0.00 under DDIM" in text_of(digits_page)


def test_the_round_trip_follows_its_controls(digits_page: AppTest) -> None:
    errors = []
    for steps in (2, 5, 20):
        control(digits_page, "show_trip_steps").set_value(steps).run()
        errors.append(float(metrics(digits_page, "Error")[0]))
    assert errors[0] > errors[1] > errors[2]
    control(digits_page, "show_trip_class").set_value("9").run()
    assert float(metrics(digits_page, "Error")[0]) != errors[2]
    assert "An image that this app holds out of every training." in text_of(digits_page)
    before = metrics(digits_page, "Its standard deviation")
    digits_page.slider(key="show_trip_which").set_value(7).run()
    assert metrics(digits_page, "Its standard deviation") != before


def test_a_drawing_goes_to_its_noise_and_back(digits_page: AppTest) -> None:
    scan = metrics(digits_page, "Error")
    control(digits_page, "show_trip_source").set_value("drawing").run()
    assert metrics(digits_page, "Error") == scan  # until something is drawn
    drawing = np.zeros((8, 8), np.uint8)
    drawing[1:7, 3:5] = 255
    digits_page.session_state["show_pad_8_kept"] = base64.b64encode(drawing.tobytes()).decode()
    digits_page.run()
    assert not digits_page.exception
    assert "Your drawing." in text_of(digits_page)
    assert metrics(digits_page, "Error") != scan


def test_the_snippet_runs(digits_page: AppTest) -> None:
    printed: list[torch.Tensor] = []
    exec(digits_page.code[0].value, {"print": printed.append})
    start, end, back = (float(value) for value in printed)
    assert start == 0
    assert back < 0.1 < end


def test_every_number_of_steps_that_the_page_names_can_be_set(open_page: Open) -> None:
    app = open_page(PAGE)
    offered = {int(option.replace(",", "")) for option in app.select_slider(key="show_a_steps").options}
    questions = ask(app, "show")
    texts = [part.value for part in app.markdown if part.value.startswith("- ") and "](#" not in part.value]
    for radio in questions:
        texts += [radio.label]
        for option in radio.options:
            radio.set_value(option).run()
            texts += [option, *(reply.value for reply in (*app.success, *app.warning))]
    named = [int(number.replace(",", "")) for text in texts for number in re.findall(r"([\d,]+) steps?\b", text)]
    assert {3, 10, 15, 30} <= set(named) <= offered


def broken_model(value: float) -> ImageModel:
    broken = replace(model(), key="broken")
    broken.denoiser.network.head.bias.fill_(value)  # type: ignore[union-attr, operator]
    return broken


def measure(app: AppTest) -> AppTest:
    """Have DDIM measured in 1, 2 and 5 steps."""
    control(app, "show_measure_samplers").set_value(["ddim"])
    control(app, "show_measure_n").set_value(100)
    control(app, "show_measure_steps").set_value(5).run()
    app.button(key="show_measure").click().run()
    return until(app, lambda: not app.button(key="show_measure").disabled)


def test_a_model_that_blew_up_says_so_everywhere(with_shelf: Callable[..., AppTest]) -> None:
    app = with_shelf(broken_model(3e38))  # the weights are finite, what they make is not
    blown_up = str(NotFinite())
    assert sum(blown_up in part.value for part in app.info) == 2  # both sides
    assert sum(blown_up in part.value for part in app.error) == 3
    assert "nan" not in text_of(app).lower()
    measure(app)
    assert any("Steps of which this is so: DDIM in 1, DDIM in 2, DDIM in 5." in text for text in said(app))
    assert ".." not in text_of(app) + "".join(said(app))


def test_a_model_that_cannot_be_sent_to_a_worker_says_why(with_shelf: Callable[..., AppTest]) -> None:
    app = measure(with_shelf(broken_model(float("nan"))))
    assert any("not finite" in text for text in said(app))
    assert not any("failed" in text or ".." in text for text in said(app))


def test_wrong_answers_say_why(open_page: Open) -> None:
    app = open_page(PAGE)
    for radio in [radio for radio in app.radio if "question" in (radio.key or "")]:
        replies = set()
        for option in radio.options:
            app.radio(key=radio.key).set_value(option).run()
            replies |= {reply.value.partition(". ")[2] for reply in (*app.success, *app.warning)}
        assert len(replies) >= len(radio.options)


def test_questions_answer_back(digits_page: AppTest) -> None:
    questions = ask(digits_page, "show")
    for radio in questions:
        radio.set_value(radio.options[0])
    digits_page.run()
    assert len(digits_page.success) + len(digits_page.warning) == len(questions) == 3


NUMBERS = ["inf", "-inf", "nan", "1e400", "9" * 400, "-1", "3.5", "1_0", "0x1", " 5 ", "True"]
texts = st.sampled_from(["", "None", "ddim", "All in turn,3", "\U0001f600", "\0", "../..", "<b>", *NUMBERS]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=30
)


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(set(DEFAULTS) - {"show_model"})), texts | st.lists(texts, max_size=3)))
def test_any_url_opens_the_page(open_page: Open, query: dict[str, str | list[str]]) -> None:
    app = open_page(PAGE, **({"show_model": DIGITS} | query))
    for key, value in values(app).items():
        assert type(value) is type(DEFAULTS[key]), (key, value)


def test_bad_values_fall_back_to_the_defaults(open_page: Open) -> None:
    assert values(open_page(PAGE, **dict.fromkeys(DEFAULTS, "\u96d1\u97f3"))) == DEFAULTS


def test_a_link_opens_the_exact_state(open_page: Open) -> None:
    query = {
        "show_model": DIGITS,
        "show_class": "7",
        "show_a_sampler": "Heun",
        "show_a_steps": "50",
        "show_b_sampler": "DDIM",
        "show_b_eta": "0.4",
    }
    state: dict[str, Any] = {
        "show_model": "digits-8",
        "show_class": "7",
        "show_a_sampler": "heun",
        "show_a_steps": 50,
        "show_b_sampler": "ddim",
    }
    app = open_page(PAGE, **query, show_a_times="Karras", show_trip_steps="20")
    assert values(app) == DEFAULTS | state | {"show_a_times": "karras", "show_trip_steps": 20}
    assert app.session_state["show_b_eta"] == 0.4


def test_the_model_that_is_told_in_words_is_compared_too(open_page: Open, sent: Sent) -> None:
    app = open_page("pages/sampling_showdown.py", show_model="Emoji 32 x 32", show_class="strawberry")
    assert not app.error
    meta, arrays = sent(app, "film")
    assert arrays["strip 0"].shape[1:] == (16, 32, 32, 3)
    seed = app.slider(key="show_seed").value
    wanted = ex.sample(ex.load_pretrained("emoji"), 16, "ddpm", 3, seed, condition="strawberry", keep="last").samples
    drawn = [strip["title"] for strip in meta["strips"]].index("DDPM: guess of x0")
    shown = arrays[f"strip {drawn}"][-1].astype(int)
    assert np.abs(shown - to_bytes(wanted.permute(0, 2, 3, 1).numpy(), 1.0)).mean() < 3
