"""The Core concepts page alone: every control changes what is shown, and no URL breaks it."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.data.digits import digits
from explorer.data.mnist import shipped_mnist
from explorer.ui.controls import SCHEDULE_LABELS
from explorer.ui.film import to_grey
from tests.pages.acting import ask

Buffer = tuple[dict[str, Any], dict[str, np.ndarray]]
Open = Callable[..., AppTest]
Sent = Callable[[AppTest, str], Buffer]
PAGE = "pages/core_concepts.py"
DEFAULTS = {
    "core_source": "MNIST",
    "core_digit": 3,
    "core_number": 1,
    "core_schedule": "cosine",
    "core_seed": 0,
    "core_time": 0.25,
    "core_small_steps": 50,
    "core_roads_schedule": "cosine",
    "core_sampler": "ddpm",
    "core_steps": 10,
    "core_reverse_schedule": "cosine",
    "core_start": 0,
}


@pytest.fixture(scope="session")
def image_of(sent: Callable[[AppTest, str], Buffer]) -> Callable[[AppTest], np.ndarray]:
    """The image that is noised."""
    return lambda app: sent(app, "noising")[1]["image"]


def real(digit: int, number: int) -> np.ndarray:
    """A real image of MNIST that no training sees."""
    return shipped_mnist("held-out").images[20 * digit + number - 1, 0].numpy()


def values(app: AppTest) -> dict[str, Any]:
    return {key: app.session_state[key] for key in DEFAULTS}


def png(image: Image.Image) -> tuple[str, bytes, str]:
    file = io.BytesIO()
    image.save(file, "PNG")
    return "image.png", file.getvalue(), "image/png"


def table(app: AppTest) -> str:
    return next(part.value for part in app.markdown if "Theory" in part.value)


def test_it_opens_with_everything_to_see(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE)
    assert values(app) == DEFAULTS
    meta, arrays = sent(app, "noising")
    assert meta["autoplay"]
    np.testing.assert_array_equal(arrays["image"], real(3, 1))
    assert arrays["schedule edm"].shape == (4, 121)
    assert np.isfinite(arrays["schedule edm"]).all()
    assert next(part.value for part in app.html if "<img" in part.value).count("<img") == 4
    assert any("all 9 images are scans" in part.value for part in app.markdown)
    assert any("none of the 9 images is a scan" in part.value for part in app.markdown)


def test_it_opens_on_a_real_digit_where_mnist_is_missing(
    open_page: Open, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    np.testing.assert_array_equal(sent(open_page(PAGE), "noising")[1]["image"], real(3, 1))


def test_digit_and_number_choose_the_image(open_page: Open, image_of: Callable[[AppTest], np.ndarray]) -> None:
    app = open_page(PAGE, core_digit="7", core_number="20")
    np.testing.assert_array_equal(image_of(app), real(7, 20))
    app.selectbox(key="core_digit").select(4).run()
    np.testing.assert_array_equal(image_of(app), real(4, 20))
    app.slider(key="core_number").set_value(1).run()
    np.testing.assert_array_equal(image_of(app), real(4, 1))


def test_schedule_and_seed_reach_the_clock_and_the_noise(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE)
    before = sent(app, "noising")[1]["noise"]
    app.selectbox(key="core_schedule").select("flow")
    app.slider(key="core_seed").set_value(7).run()
    meta, arrays = sent(app, "noising")
    assert meta["schedule"] == "flow"
    assert (arrays["noise"] != before).any()
    expected = np.random.default_rng(7).standard_normal((28, 28)).astype(np.float32)
    np.testing.assert_array_equal(arrays["noise"], expected)


def test_the_two_roads_follow_their_controls(open_page: Open) -> None:
    app = open_page(PAGE)
    charts = [app.get("vega_lite_chart")[0].proto]
    tables = [table(app)]
    app.slider(key="core_time").set_value(0.8).run()
    charts.append(app.get("vega_lite_chart")[0].proto)
    tables.append(table(app))
    app.select_slider(key="core_small_steps").set_value(2).run()
    tables.append(table(app))
    assert charts[0].spec != charts[1].spec
    assert "t = 0.80" in charts[1].alt
    assert len(set(tables)) == 3
    assert tables[1].splitlines()[-1] == tables[2].splitlines()[-1]  # theory does not ask how many steps
    app.selectbox(key="core_roads_schedule").select("edm").run()
    assert table(app).splitlines()[-1] != tables[2].splitlines()[-1]


def test_the_sheet_shows_the_noise_of_the_film(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE)
    rows = next(part.value for part in app.html if "<img" in part.value).split('src="data:image/png;base64,')[1:]
    cosine = Image.open(io.BytesIO(base64.b64decode(rows[list(ex.schedule_names()).index("cosine")].split('"')[0])))
    tile = np.asarray(cosine)[:, 5 * 30 + 1 : 5 * 30 + 29, 0]  # t = 0.5; images are 28 wide, with gaps of 2
    _, arrays = sent(app, "noising")
    t, alpha, sigma, _ = arrays["schedule cosine"]
    alpha, sigma = np.interp(0.5, t, alpha), np.interp(0.5, t, sigma)
    x = (alpha * arrays["image"] + sigma * arrays["noise"]) / np.hypot(alpha, sigma)
    np.testing.assert_allclose(tile.astype(float), to_grey(x).astype(float), atol=1)


@pytest.mark.parametrize("name", ex.schedule_names())
def test_the_columns_of_the_sheet_are_the_times_that_they_say(open_page: Open, name: str) -> None:
    """The same ones in each row, though the clock of EDM begins at t = 0.22."""
    schedule, rows = ex.make_schedule(name), open_page(PAGE).html
    sheet = next(part.value for part in rows if "<img" in part.value)
    written = sheet.split(f"on the {SCHEDULE_LABELS[name]} schedule at log-SNR ")[1].split('"')[0].split(", ")
    values = [float(value.replace("\N{MINUS SIGN}", "-").replace("∞", "inf")) for value in written]
    np.testing.assert_allclose(values, schedule.log_snr(torch.linspace(0, 1, 11).double()), atol=0.051)


@pytest.mark.parametrize(
    ("key", "value"),
    [("core_sampler", "heun"), ("core_steps", 20), ("core_reverse_schedule", "edm"), ("core_start", 5)],
)
def test_each_control_changes_the_walk(open_page: Open, sent: Sent, key: str, value: Any) -> None:
    app = open_page(PAGE)
    before = sent(app, "film")[1]["strip 0"]
    kind = {"core_steps": app.select_slider, "core_start": app.slider}.get(key, app.selectbox)
    kind(key=key).set_value(value).run()
    assert not app.exception
    after = sent(app, "film")[1]["strip 0"]
    assert after.shape != before.shape or (after != before).any()


def test_every_sampler_runs(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, core_steps="5")
    for name in app.selectbox(key="core_sampler").options:
        app.selectbox(key="core_sampler").select(name).run()
        assert not app.exception
        meta, arrays = sent(app, "film")
        titles = [strip["title"] for strip in meta["strips"]]
        assert titles[1] == "Exact: guess of the clean image"
        assert titles[4] == "Learned: guess of the clean image"
        for walk in (0, 3):
            assert arrays[f"strip {walk}"].shape == (6, 9, 8, 8)
            assert arrays[f"strip {walk + 1}"].shape == arrays[f"strip {walk + 2}"].shape == (5, 9, 8, 8)
        np.testing.assert_array_equal(arrays["strip 0"][0], arrays["strip 3"][0])


@pytest.mark.parametrize("schedule", ["cosine", "flow", "linear", "edm"])
def test_the_exact_walk_recalls_and_the_learned_one_does_not(open_page: Open, sent: Sent, schedule: str) -> None:
    """On every schedule, though the network was trained on one: its images stay near scans and are none."""
    arrays = sent(open_page(PAGE, core_reverse_schedule=schedule.capitalize() if schedule != "edm" else "EDM"), "film")[
        1
    ]
    for walk, least, most in ((0, 0, 2), (3, 5, 70)):  # grey levels of 255, which stand for a range of 3
        ends = arrays[f"strip {walk}"][-1].astype(float)
        nearest = arrays[f"strip {walk + 2}"][-1].astype(float)
        distance = np.sqrt(np.square(ends - nearest).mean((1, 2)))
        assert least <= np.median(distance) <= most


def test_the_snippet_runs(open_page: Open) -> None:
    printed: list[tuple[Any, ...]] = []
    exec(open_page(PAGE).code[0].value, {"print": lambda *line: printed.append(line)})
    assert printed[0] == ((51, 9, 1, 8, 8), (50, 9, 1, 8, 8))
    assert float(printed[1][1].max()) < 0.01


def test_one_step_is_an_average_and_the_page_says_so(open_page: Open) -> None:
    app = open_page(PAGE, core_steps="1")
    said = [part.value for part in app.markdown if "none of the 9 images is a scan. They are 0.3" in part.value]
    assert [line.split(":")[0] for line in said] == ["**Exact", "**Learned"]


def test_the_page_says_how_near_real_scans_are(open_page: Open) -> None:
    scans = digits()[0].flatten(1)
    gaps = (scans[:200, None] - scans[None]).square().mean(2).sqrt()
    gaps[gaps == 0] = torch.inf  # a scan and itself: no two are the same
    near = next(caption.value for caption in open_page(PAGE).caption if "What is near?" in caption.value)
    middle, low, high = map(float, re.findall(r"\d\.\d\d", near)[:3])
    assert low < middle < high
    np.testing.assert_allclose(gaps.min(1).values.median(), middle, atol=0.03)


def test_a_walk_that_leaves_the_range_of_images_is_called_so(open_page: Open) -> None:
    app = open_page(PAGE, core_sampler="Annealed Langevin", core_steps="5")
    learned = next(part.value for part in app.markdown if part.value.startswith("**Learned:**"))
    assert "leaves the range of an image" in learned
    assert "leaves" not in next(part.value for part in app.markdown if part.value.startswith("**Exact:**"))


def test_a_drawing_becomes_the_image(open_page: Open, image_of: Callable[[AppTest], np.ndarray]) -> None:
    app = open_page(PAGE, core_source="Draw")
    np.testing.assert_array_equal(image_of(app), real(3, 1))
    assert any("Draw a digit" in caption.value for caption in app.caption)
    assert app.selectbox(key="core_digit").disabled
    drawing = np.zeros((28, 28), np.uint8)
    drawing[4:24, 13:16] = 255
    app.session_state["core_pad_kept"] = base64.b64encode(drawing.tobytes()).decode()
    app.run()
    np.testing.assert_allclose(image_of(app), drawing / 127.5 - 1, atol=1e-6)
    assert not app.exception
    app.radio(key="core_source").set_value("MNIST").run()
    np.testing.assert_array_equal(image_of(app), real(3, 1))
    app.radio(key="core_source").set_value("Draw").run()
    np.testing.assert_allclose(image_of(app), drawing / 127.5 - 1, atol=1e-6)


def test_an_upload_becomes_the_image_and_a_bad_one_leaves_it(
    open_page: Open, image_of: Callable[[AppTest], np.ndarray]
) -> None:
    app = open_page(PAGE, core_source="Upload")
    np.testing.assert_array_equal(image_of(app), real(3, 1))
    paper = np.full((60, 100), 255, np.uint8)
    paper[20:40, 45:55] = 0
    app.file_uploader(key="core_upload").set_value(png(Image.fromarray(paper))).run()
    kept = image_of(app)
    assert kept.shape == (28, 28)
    assert kept[14, 14] > 0.9  # dark ink on light paper was turned over
    assert kept[0].max() < -0.9
    assert any("inverted" in caption.value for caption in app.caption)

    app.file_uploader(key="core_upload").set_value(png(Image.new("L", (1, 1)))).run()
    assert "too small" in app.error[0].value
    np.testing.assert_array_equal(image_of(app), kept)

    app.file_uploader(key="core_upload").set_value(("notes.png", b"no image", "image/png")).run()
    assert "not an image" in app.error[0].value
    np.testing.assert_array_equal(image_of(app), kept)

    app.file_uploader(key="core_upload").set_value(None).run()
    assert not app.error
    np.testing.assert_array_equal(image_of(app), real(3, 1))


def test_a_flat_upload_is_sent(open_page: Open, sent: Sent, image_of: Callable[[AppTest], np.ndarray]) -> None:
    app = open_page(PAGE, core_source="Upload")
    app.file_uploader(key="core_upload").set_value(png(Image.new("L", (30, 30), 128))).run()
    assert not app.exception
    assert np.ptp(image_of(app)) < 1e-6


def test_questions_answer_back(open_page: Open) -> None:
    app = open_page(PAGE)
    questions = ask(app, "core")
    for radio in questions:
        radio.set_value(radio.options[0])
    app.run()
    assert len(app.success) + len(app.warning) == len(questions) == 3
    app.radio(key="core_question_0").set_value("Jump there at once").run()
    assert any("Both roads" in said.value for said in app.success)
    for radio in (radio for radio in app.radio if radio.key != "core_source"):
        said = set()
        for option in radio.options:
            radio.set_value(option).run()
            said |= {part.value.split(" ", 2)[2] for part in (*app.success, *app.warning)}
        assert len(said) >= len(radio.options)  # each choice has a reply of its own


NUMBERS = ["inf", "-inf", "nan", "1e400", "9" * 400, "-1", "3.5", "1_0", "\u0663", "0x1", " 5 ", "True"]
texts = st.sampled_from(["", "None", "mnist", "Draw,MNIST", "\U0001f600", "\0", "../..", "<b>", *NUMBERS]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=30
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(list(DEFAULTS)), texts | st.lists(texts, max_size=3), min_size=1))
def test_any_url_opens_the_page(
    open_page: Open, image_of: Callable[[AppTest], np.ndarray], query: dict[str, str | list[str]]
) -> None:
    app = open_page(PAGE, **query)
    assert image_of(app).shape == (28, 28)
    for key, value in values(app).items():
        assert type(value) is type(DEFAULTS[key]), (key, value)


@pytest.mark.parametrize("bad", ["inf", "1e400", "9" * 400, "", "\u96d1\u97f3", ["x", "y"]])
def test_bad_values_fall_back_to_the_defaults(open_page: Open, bad: str | list[str]) -> None:
    assert values(open_page(PAGE, **dict.fromkeys(DEFAULTS, bad))) == DEFAULTS


def test_a_link_opens_the_exact_state(open_page: Open) -> None:
    app = open_page(PAGE, core_schedule="EDM", core_time="0.6", core_sampler="DDIM", core_steps="10", core_start="42")
    state = {"core_schedule": "edm", "core_time": 0.6, "core_sampler": "ddim", "core_steps": 10, "core_start": 42}
    assert values(app) == DEFAULTS | state
