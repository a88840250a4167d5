"""The U-Net page alone: every control changes what is shown, any model of the shelf is drawn, no URL breaks it."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

import explorer as ex
from explorer.data.emoji import emoji
from explorer.data.images import load_dataset
from explorer.data.mnist import shipped_mnist
from explorer.metrics import NotFinite
from explorer.networks.structure import structure
from explorer.networks.unet import make_image_denoiser
from explorer.ui.film import to_bytes, to_grey
from explorer.ui.shelf import ImageModel, keep
from explorer.ui.unet import to_own_range
from tests.pages.acting import ask

Buffer = tuple[dict[str, Any], dict[str, np.ndarray]]
Open = Callable[..., AppTest]
Sent = Callable[[AppTest, str], Buffer]
PAGE = "pages/unet.py"
DIGITS = {"unet_model": "Digits 8 x 8"}
SHELF = {
    "three levels": {"widths": (8, 16, 24), "depth": 2, "patch": 1},
    "attention": {"widths": (8, 16), "attention": True, "classes": 3},
    "one level": {"widths": (16,), "patch": 4, "classes": 2},
    "one place": {"widths": (16, 16), "patch": 8},
}


def errors_under(app: AppTest) -> str:
    """The sheet of what each cut costs."""
    return next(part.value for part in app.html if "<img" in part.value)


def scan(digit: int, index: int) -> np.ndarray:
    """A held-out scan."""
    held_out = load_dataset("digits-8").held_out
    assert held_out.labels is not None
    return held_out.images[held_out.labels == digit][index].numpy()


def test_it_opens_with_everything_to_see(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE)
    meta, arrays = sent(app, "diagram")
    denoiser = ex.load_pretrained("mnist-28")
    parts = structure(denoiser.network, denoiser.shape)
    described = [(part["name"], tuple(part["output"]), part["parameters"]) for part in meta["parts"]]
    assert described == [(part.name, part.output_shape, part.parameters) for part in parts]
    assert arrays["x"].shape == arrays["x0"].shape == (17, 28, 28)
    assert {f"maps {part.name}" for part in parts} <= set(arrays)
    assert "whole" not in arrays
    assert meta["source"] == "real, unseen"
    assert errors_under(app).count("<img") == 2 + sum(part.kind in ("encoder", "attention") for part in parts)
    film, _ = sent(app, "film")
    assert [strip["title"] for strip in film["strips"]] == ["Whole", "Skip 1 cut"]
    assert len(app.get("vega_lite_chart")) == 3


def test_the_clean_image_is_the_scan_that_was_chosen(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, **DIGITS, unet_class="7", unet_number="2")
    meta, arrays = sent(app, "diagram")
    np.testing.assert_array_equal(arrays["image"], to_grey(scan(7, 1)[0]))
    assert meta["source"] == "real, unseen"
    app.selectbox(key="unet_source").select("model").run()
    meta, arrays = sent(app, "diagram")
    assert meta["source"] == "made by it"
    assert (arrays["image"] != to_grey(scan(7, 1)[0])).any()


def test_it_opens_on_a_real_image_where_mnist_is_missing(
    open_page: Open, sent: Sent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    app = open_page(PAGE, unet_class="7", unet_number="20")
    meta, arrays = sent(app, "diagram")
    assert meta["source"] == "real, unseen"
    np.testing.assert_array_equal(arrays["image"], to_grey(shipped_mnist("held-out").images[159, 0].numpy()))
    assert "unet_download" not in {button.key for button in app.button}


def test_a_drawing_becomes_the_clean_image(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, **DIGITS, unet_source="Your drawing")
    assert any("Until you draw" in caption.value for caption in app.caption)
    drawing = np.zeros((8, 8), np.uint8)
    drawing[2:6, 3:5] = 255
    app.session_state["unet_pad_8_kept"] = base64.b64encode(drawing.tobytes()).decode()
    app.run()
    np.testing.assert_array_equal(sent(app, "diagram")[1]["image"], to_grey(drawing / 127.5 - 1))


def test_images_that_are_missing_are_offered_where_they_are_missed(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    denoiser = make_image_denoiser((1, 28, 28), widths=(8,), patch=4, classes=10).requires_grad_(False)
    app = open_page(PAGE, **DIGITS)
    keep(ImageModel("f", "Clothes", denoiser, "fashion-28", tuple("0123456789")), app.session_state["visitor"])
    app.run()
    app.selectbox(key="unet_model").select("Clothes").run()
    assert app.button(key="unet_download").label == "Download Fashion-MNIST 28 x 28 (4.4 MB)"
    app.selectbox(key="unet_source").select("model").run()
    assert "unet_download" not in {button.key for button in app.button}
    app = open_page(PAGE, **DIGITS)
    assert "unet_download" not in {button.key for button in app.button}


@pytest.mark.parametrize(
    ("kind", "key", "value"), [("selectbox", "unet_told", 4), ("slider", "unet_seed", 9), ("slider", "unet_number", 5)]
)
def test_each_control_changes_what_the_network_says(
    open_page: Open, sent: Sent, kind: str, key: str, value: int
) -> None:
    app = open_page(PAGE, **DIGITS)
    before = sent(app, "diagram")[1]
    getattr(app, kind)(key=key).set_value(value).run()
    after = sent(app, "diagram")[1]
    assert (after["x0"] != before["x0"]).any()
    assert (after["maps decoder 1"] != before["maps decoder 1"]).any()


def test_a_cut_reaches_the_diagram_the_numbers_and_the_samples(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, **DIGITS)
    before = sent(app, "diagram")[1]
    app.slider(key="unet_skip_1").set_value(0.0).run()
    assert not app.exception
    meta, arrays = sent(app, "diagram")
    assert meta["scales"] == {"skip 1": 0.0}
    np.testing.assert_array_equal(arrays["whole"], before["x0"])
    np.testing.assert_array_equal(arrays["error whole"], before["error x0"])
    np.testing.assert_array_equal(arrays["maps encoder 1"], before["maps encoder 1"])
    assert arrays["error x0"][:13].mean() > before["error x0"][:13].mean()
    assert "As you set it" in errors_under(app)
    app.slider(key="unet_skip_2").set_value(0.5).run()
    assert [strip["title"] for strip in sent(app, "film")[0]["strips"]] == ["Whole", "Skip 1 cut, skip 2 × 0.5"]
    app.button(key="unet_whole").click().run()
    assert sent(app, "diagram")[0]["scales"] == {}


def test_the_error_in_the_sheet_is_that_of_the_diagram(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, **DIGITS, unet_skip_1="0.3")
    _, arrays = sent(app, "diagram")
    for name in ("error x0", "error whole"):
        for error in arrays[name][::4]:
            assert f"{error:.3f}" in errors_under(app)


def test_a_model_that_blew_up_says_so(open_page: Open) -> None:
    denoiser = make_image_denoiser((1, 8, 8), widths=(8, 16)).requires_grad_(False)
    denoiser.network.head.bias.fill_(3e38)  # type: ignore[union-attr, operator]
    app = open_page(PAGE, **DIGITS)
    keep(ImageModel("mine", "Mine", denoiser, "own"), app.session_state["visitor"])
    app.run()
    app.selectbox(key="unet_model").select("mine").run()
    assert not app.exception
    assert [said.value for said in app.error] == [str(NotFinite())]
    assert not any("nan" in part.value for part in app.html)


@pytest.mark.parametrize("name", SHELF)
def test_any_model_of_the_shelf_is_drawn(open_page: Open, sent: Sent, name: str) -> None:
    size = SHELF[name]
    denoiser = make_image_denoiser((1, 8, 8), **size).requires_grad_(False)  # type: ignore[arg-type]
    classes = tuple("abc"[: int(str(size.get("classes", 0)))])
    app = open_page(PAGE, **DIGITS, unet_class="7")
    keep(ImageModel("mine", "Mine", denoiser, "own", classes), app.session_state["visitor"])
    app.run()
    app.selectbox(key="unet_model").select("mine").run()
    assert not app.exception
    meta, arrays = sent(app, "diagram")
    assert [part["name"] for part in meta["parts"]] == [part.name for part in structure(denoiser.network, (1, 8, 8))]
    assert sum(key.startswith("maps ") for key in arrays) == len(meta["parts"])
    names = {slider.key for slider in app.slider}
    assert ("unet_attention" in names) == bool(size.get("attention"))
    assert {f"unet_skip_{level}" for level in range(1, len(denoiser.network.encoders) + 1)} <= names
    assert any("are not here" in caption.value for caption in app.caption)


def test_the_noise_level_moves_the_marks(open_page: Open) -> None:
    app = open_page(PAGE, **DIGITS)
    before = [chart.proto.spec for chart in app.get("vega_lite_chart")]
    app.select_slider(key="unet_level").set_value(-4.0).run()
    after = [chart.proto.spec for chart in app.get("vega_lite_chart")]
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_the_snippet_runs(open_page: Open) -> None:
    printed: list[tuple[Any, ...]] = []
    exec(open_page(PAGE).code[0].value, {"print": lambda *line: printed.append(line)})
    *parts, whole, less = printed
    assert [line[0] for line in parts][1:3] == ["stem", "encoder 1"]
    assert float(less[1]) > float(whole[1])


def test_questions_answer_back(open_page: Open) -> None:
    app = open_page(PAGE, **DIGITS)
    for radio in ask(app, "unet"):
        radio.set_value(radio.options[0])
    app.run()
    assert (len(app.success), len(app.warning)) == (1, 2)
    for radio in app.radio:
        said = set()
        for option in radio.options:
            radio.set_value(option).run()
            said |= {part.value.split(" ", 2)[2] for part in (*app.success, *app.warning)}
        assert len(said) >= len(radio.options)  # each choice has a reply of its own


def test_the_answers_to_the_questions_are_true(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, unet_skip_1="0")
    meta, arrays = sent(app, "diagram")
    added = arrays["error x0"] - arrays["error whole"]
    assert added[3:11].mean() > 3 * abs(added[-3:].mean())
    shares = {part["name"]: part["parameters"] for part in meta["parts"]}
    lowest = [part["name"] for part in meta["parts"] if part["output"][-1] == meta["parts"][-2]["output"][-1]]
    deep = sum(n for name, n in shares.items() if name not in (*lowest, "embedding", "head", "up 1"))
    assert deep > sum(shares.values()) / 2


def test_what_is_said_of_the_parts_is_what_they_do(open_page: Open, sent: Sent) -> None:
    meta, arrays = sent(open_page(PAGE), "diagram")
    said = {part["name"]: part["does"] for part in meta["parts"]}
    assert "14 x 14 places become 7 x 7" in said["down 1"]
    assert "7 x 7 places become 4 x 4" in said["down 2"]
    assert "repeated until 4 x 4 places are 7 x 7" in said["up 2"]
    assert "repeated until 7 x 7 places are 14 x 14" in said["up 1"]
    for name, (few, many) in {"up 1": (7, 14), "up 2": (4, 7)}.items():
        rows = np.arange(many) * few // many  # every place has the value of one of the few
        maps = arrays[f"maps {name}"]
        np.testing.assert_array_equal(maps, maps[:, :, np.searchsorted(rows, rows)][..., np.searchsorted(rows, rows)])


def test_the_noise_level_falls_to_the_right_on_every_axis(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, **DIGITS)
    level = app.select_slider(key="unet_level")
    assert level.options[0] == "9.0"
    assert level.options[-1] == "\N{MINUS SIGN}9.0"
    moments = [moment["logSnr"] for moment in sent(app, "diagram")[0]["moments"]]
    assert moments == sorted(moments, reverse=True)
    for chart in app.get("vega_lite_chart"):
        layer = json.loads(chart.proto.spec)["layer"][0]
        assert layer["encoding"]["x"]["scale"]["reverse"]


def test_maps_keep_their_range() -> None:
    values = np.array([[[[-2.0, 0.0], [1.0, 2.0]], [[5.0, 5.0], [5.0, 5.0]]]])
    grid, bounds = to_own_range(values)
    assert grid.tolist() == [[[[0, 128], [191, 255]], [[0, 0], [0, 0]]]]
    assert bounds.tolist() == [[[-2.0, 2.0], [5.0, 5.0]]]


KEYS = ["unet_model", "unet_source", "unet_class", "unet_number", "unet_told", "unet_seed", "unet_skip_1", "unet_level"]
texts = st.sampled_from(["", "None", "inf", "nan", "-1", "3.5", "9" * 400, "Digits 8 x 8,", "<b>", "\0"]) | st.text(
    st.characters(exclude_categories=["Cs"]), max_size=20
)


@settings(max_examples=8, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), texts | st.lists(texts, max_size=3), min_size=1))
def test_any_url_opens_the_page(open_page: Open, query: dict[str, Any]) -> None:
    assert not open_page(PAGE, **{**DIGITS, **query}).exception


def test_a_network_that_is_told_in_words_shows_its_cross_attention_and_colours(open_page: Open, sent: Sent) -> None:
    app = open_page(PAGE, unet_model="Emoji 32 x 32", unet_class="penguin", unet_told="nothing")
    meta, arrays = sent(app, "diagram")
    parts = {part["name"]: part for part in meta["parts"]}
    assert "words of the prompt" in parts["cross-attention"]["does"]
    assert arrays["x"].shape == (17, 32, 32, 3)
    real = emoji().held_out(["penguin"]).images[0].numpy()
    assert np.abs(arrays["image"].astype(int) - to_bytes(real.transpose(1, 2, 0), 1.0)).max() <= 1
    assert meta["source"] == "real, unseen"
    before = arrays["maps cross-attention"]
    app.selectbox(key="unet_told").set_value(4).run()
    assert not app.exception
    assert (sent(app, "diagram")[1]["maps cross-attention"] != before).any()
    app.slider(key="unet_cross-attention").set_value(0.0).run()
    assert not app.exception
    assert sent(app, "diagram")[0]["scales"] == {"cross-attention": 0.0}
