"""Figures as files: the size of a slide, both themes, letters that the last row reads, names and data."""

import csv
import io
import json
import re
import tomllib
import zipfile
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from PIL import Image

from explorer.charts import palette
from explorer.charts.slides import drawing
from explorer.charts.slides.drawing import LABEL, SCALE, SIZE, config, font, pictures, themed, together, wrapped
from explorer.charts.slides.figures import Chart, Figure, Film, Images, Spectrograms, Table, Walk
from explorer.charts.slides.files import chart_tables, data_zip, figures_zip, slug
from explorer.charts.slides.message import packed, unpacked
from explorer.files import ASSETS
from explorer.jobs.events import Event, MessageError, encode

RNG = np.random.default_rng(0)
LEAST = 0.022 * 1080  # pixels of a label
SPEC = {
    "height": 260,
    "layer": [
        {
            "data": {"values": [{"x": 0, "y": 1.5, "v": [1, 2]}, {"x": 4, "y": -2, "v": [3, 4]}]},
            "mark": {"type": "line", "color": palette.LIGHT["model"], "strokeWidth": 6},
            "encoding": {
                "x": {"field": "x", "type": "quantitative", "title": "Шаг, βήμα, خطوة"},
                "y": {"field": "y", "type": "quantitative"},
            },
        },
        {"data": {"values": [{}]}, "mark": {"type": "rule"}, "encoding": {"x": {"datum": 2, "type": "quantitative"}}},
    ],
}
SCENE = {
    "x": RNG.normal(size=(9, 40, 2)).astype(np.float32),
    "t": np.linspace(1, 0, 9, dtype=np.float32),
    "target": RNG.normal(size=(30, 2)).astype(np.float32),
    "started": RNG.normal(size=(9, 1, 2)).astype(np.float32),
}
PIXELS = RNG.integers(0, 256, (6, 5, 5, 3), dtype=np.uint8)
FIGURES: dict[str, Figure] = {
    "chart": Chart("The loss against the step", SPEC),
    "images": Images("Two rows", list("abcdef"), [("First", PIXELS, ["1"] * 6), ("Second", PIXELS[..., :1], [])]),
    "one row": Images("One row", list("abcdef"), [("", PIXELS, list("uvwxyz"))]),
    "film": Film("A film", [("Strip", np.stack([PIXELS] * 7), [f"step {k}" for k in range(7)])]),
    "walk": Walk("A walk", 3.2, [("Left", "model", SCENE), ("Right", "exact", {k: SCENE[k] for k in ("x", "t")})]),
    "spectrograms": Spectrograms("Speech", [("Guess", "model", RNG.random((4, 64, 90)), list("abcd"))]),
}
each_figure = pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES.keys())


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def drawn(figure: Figure, theme: str = "light") -> np.ndarray:
    (picture,) = pictures(figure, "Diffusion Explorer", theme)
    return np.asarray(picture)


def has(picture: np.ndarray, colour: str) -> bool:
    return bool((picture == rgb(colour)).all(-1).any())


@each_figure
def test_a_figure_travels_as_json_and_arrays(figure: Figure) -> None:
    (there,), page = unpacked(packed([figure], "A page"))
    assert (type(there), page) == (type(figure), "A page")
    for part in fields(figure):
        np.testing.assert_equal(getattr(there, part.name), getattr(figure, part.name))


@pytest.mark.parametrize("message", [b"", b"\x80\x04N.", encode(Event("other"))])
def test_other_bytes_are_no_figures(message: bytes) -> None:
    with pytest.raises(MessageError):
        unpacked(message)


@each_figure
def test_every_figure_is_a_slide_in_either_theme(figure: Figure) -> None:
    light, dark = (drawn(figure, theme) for theme in palette.THEMES)
    assert light.shape == dark.shape == (1080, 1920, 3)
    for picture, theme in ((light, "light"), (dark, "dark")):
        ground = rgb(palette.GROUNDS[theme])
        for edge in (picture[:20], picture[-15:], picture[:, :20], picture[:, -20:]):
            assert (edge == ground).all()  # nothing is cut off
        assert (picture[40:110] != ground).any()  # the title
        assert (picture[120:1000] != ground).any((1, 2)).mean() > 0.3


def test_a_table_is_no_picture() -> None:
    assert not list(pictures(Table("Cards", [{"a": 1}]), "", "light"))


def test_letters_are_read_from_the_last_row() -> None:
    assert LABEL >= LEAST
    for theme in palette.THEMES:
        sizes = re.findall(r'"\w*[fF]ontSize": (\d+)', json.dumps(config(theme)))
        assert len(sizes) >= 5
        assert min(map(int, sizes)) * SCALE >= LEAST


@pytest.mark.parametrize(
    "title",
    [
        "A long title, " * 12,
        "Ω" * 300,
        "Шум превращается в данные: " * 5,
        "t = 0.5 " * 40,
        "日本語 עברית <script>alert('&')</script> ../../etc",
    ],
)
@pytest.mark.parametrize("kind", ["chart", "images"])
def test_no_title_is_cut(title: str, kind: str) -> None:
    figure = FIGURES[kind]
    other = Chart(title, SPEC) if isinstance(figure, Chart) else Images(title, [], [("", PIXELS, [])])
    picture = drawn(other)
    assert (picture[:, -40:] == rgb(palette.GROUNDS["light"])).all()
    for size in (50, 36):
        lines = wrapped(title, font(size, True), 1800)
        assert "".join("".join(lines).split()) == "".join(title.split())
        assert all(font(size, True).getlength(line) <= 1800 for line in lines)
    assert not any(line.endswith("=") for line in wrapped("t = 0.5 " * 40, font(36), 1800))


def test_non_latin_letters_are_drawn() -> None:
    pictures_of = [drawn(Images(title, [], [("", PIXELS, [])])) for title in ("Шум", "θόρυβος", "ضوضاء", "רעש")]
    for number, picture in enumerate(pictures_of):
        assert all((picture != other).any() for other in pictures_of[:number])


def test_a_chart_has_the_colours_of_the_theme_that_is_asked_for() -> None:
    chart = FIGURES["chart"]
    assert has(drawn(chart, "light"), palette.LIGHT["model"])
    dark = drawn(chart, "dark")
    assert has(dark, palette.DARK["model"]) and not has(dark, palette.LIGHT["model"])


@pytest.mark.parametrize("theme", palette.THEMES)
def test_colours_are_changed_and_data_are_not(theme: str) -> None:
    other = "light" if theme == "dark" else "dark"
    theirs = [*palette.THEMES[other].values(), *palette.MORE[other], palette.GROUNDS[other], palette.INKS[other]]
    ours = [*palette.THEMES[theme].values(), *palette.MORE[theme], palette.GROUNDS[theme], palette.INKS[theme]]
    data = {"values": [{"name": theirs[0]}]}
    spec = {"data": data, "scale": {"range": theirs}, "mark": {"color": theirs[1]}}
    found = themed(spec, theme)
    assert found == {"data": data, "scale": {"range": ours}, "mark": {"color": ours[1]}}
    assert themed(found, theme) == found


def test_pixels_stay_sharp_squares() -> None:
    image = np.zeros((1, 2, 2, 1), np.uint8)
    image[0, 0, 0] = image[0, 1, 1] = 255
    picture = drawn(Images("Two white pixels", [], [("", image, [])]), "dark")
    body = picture[150:1000, 400:1500, 0]
    white = np.flatnonzero((body == 255).any(1))
    black = np.flatnonzero((body == 0).any(1))
    side = min(len(white), len(black))
    assert side > 600
    assert ((body[white[0] : white[0] + side] == 0) | (body[white[0] : white[0] + side] == 255)).mean() > 0.6


def test_many_rows_go_on_to_another_picture() -> None:
    rows = [(f"Row {k}", PIXELS, ["0.5"] * 6) for k in range(14)]
    found = list(pictures(Images("Many", [], rows), "", "light"))
    assert len(found) > 1
    assert {picture.size for picture in found} == {SIZE}
    names = zipfile.ZipFile(io.BytesIO(figures_zip([Images("Many", [], rows)], "Page"))).namelist()
    assert names == [f"{theme}/01-many-{k}.png" for theme in palette.THEMES for k in range(1, len(found) + 1)]


@pytest.mark.parametrize("n", [1, 2, 3, 7, 10, 16, 20])
def test_images_are_put_together_in_their_order(n: int) -> None:
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 2, 3, 1))
    whole = together(images)
    assert list(dict.fromkeys(whole[whole != 128].tolist())) == list(range(n))
    assert (whole != 128).sum() == images.size


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The loss, smoothed, against the training step", "the-loss-smoothed-against-the-training-step"),
        ("../../etc/passwd", "etc-passwd"),
        ("<script>alert('x')</script>", "script-alert-x-script"),
        ("C:\\con|?*\0\n.png", "c-con-png"),
        ("Fréchet", "frechet"),
        ("日本語 шум", "日本語-шум"),
        ("", "figure"),
        ("…/…", "figure"),
        ("x" * 500, "x" * 60),
    ],
)
def test_names_of_files_are_harmless(text: str, name: str) -> None:
    assert slug(text) == name


def test_names_differ_where_titles_do_not() -> None:
    figures = [Images("../Same", [], [("", PIXELS, [])])] * 2
    with zipfile.ZipFile(io.BytesIO(figures_zip(figures, "Page"))) as archive:
        assert archive.namelist() == [f"{theme}/0{k}-same.png" for theme in palette.THEMES for k in (1, 2)]
        for name in archive.namelist():
            assert Image.open(archive.open(name)).size == SIZE


def read(content: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_data_are_what_the_figures_show() -> None:
    risky = Table("Risky", [{"=A1": "=1+1", "b": "@x"}, {"=A1": "-cmd", "b": "+0.5"}, {"b": -1.5}])
    files = read(data_zip([*FIGURES.values(), risky], "Page"))
    told = files.pop("README.txt").decode()
    assert all(re.search(rf"^{re.escape(name)}: .+", told, re.M) for name in files)
    rows = list(csv.DictReader(io.StringIO(files["01-the-loss-against-the-step.csv"].decode())))
    assert rows == [{"x": "0", "y": "1.5", "v0": "1", "v1": "2"}, {"x": "4", "y": "-2", "v0": "3", "v1": "4"}]
    picture = np.asarray(Image.open(io.BytesIO(files["02-two-rows-1.png"])))
    np.testing.assert_array_equal(picture, np.concatenate(list(PIXELS), 1))
    captions = list(csv.DictReader(io.StringIO(files["03-one-row.csv"].decode())))
    assert captions[1] == {"row": "", "column": "2", "head": "b", "caption": "v"}
    film = np.load(io.BytesIO(files["04-a-film.npz"]))
    np.testing.assert_array_equal(film["strip 1"], np.stack([PIXELS] * 7))
    assert film["captions 1"].tolist() == [f"step {k}" for k in range(7)]
    walk = np.load(io.BytesIO(files["05-a-walk.npz"]))
    for name, array in SCENE.items():
        np.testing.assert_array_equal(walk[f"1.{name}"], array)
    ends = list(csv.DictReader(io.StringIO(files["05-a-walk.csv"].decode())))
    assert len(ends) == 80 and float(ends[0]["x"]) == pytest.approx(SCENE["x"][-1, 0, 0], abs=1e-5)
    assert np.load(io.BytesIO(files["06-speech.npz"]))["strip 1"].shape == (4, 64, 90)
    assert files["07-risky.csv"].decode().splitlines()[1:] == ["'=1+1,'@x", "'-cmd,+0.5", ",-1.5"]


def test_a_table_that_several_layers_draw_is_there_once() -> None:
    rows = [{"x": 1}, {"x": 2}]
    layers = [{"data": {"values": rows}}, {"data": {"values": rows}}, {"data": {"values": [{}]}}, {"mark": "rule"}]
    assert chart_tables({"layer": layers}) == [rows]
    assert chart_tables({"data": {"values": rows}}) == [rows]


def test_moments_are_the_first_and_the_last_and_some_between() -> None:
    assert drawing.moments(1, 5) == [0]
    assert drawing.moments(3, 5) == [0, 1, 2]
    assert drawing.moments(101, 5) == [0, 25, 50, 75, 100]


@pytest.mark.parametrize(
    "figure", [Images("none", [], []), Film("none", [("", np.zeros((2, 0, 4, 4, 1), np.uint8), [])])]
)
def test_what_is_empty_is_not_drawn(figure: Images | Film) -> None:
    assert list(pictures(figure, "", "light")) == []


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=A1", "'=A1"),
        (" =A1", "' =A1"),
        ("-2+3", "'-2+3"),
        ("-5.2 %", "-5.2 %"),
        ("+1.0e5", "+1.0e5"),
        ("-5 s", "-5 s"),
    ],
)
def test_no_cell_is_a_formula(cell: str, written: str) -> None:
    read = list(csv.reader(io.StringIO(data_zip_of([{cell: cell}]))))
    assert read == [[written], [written]]


def data_zip_of(rows: list[dict[str, str]]) -> str:
    """The table in the data of a figure that is a table."""
    with zipfile.ZipFile(io.BytesIO(data_zip([Table("a table", rows)], "a page"))) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".csv"))
        return archive.read(name).decode()


@pytest.mark.parametrize("theme", palette.THEMES)
def test_slides_have_the_colours_of_the_app(theme: str) -> None:
    app = tomllib.loads((ASSETS.parent / ".streamlit" / "config.toml").read_text())["theme"][theme]
    drawn = palette.GROUNDS[theme], palette.INKS[theme], palette.LINES[theme]
    assert drawn == (app["backgroundColor"], app["textColor"], app["borderColor"])
    assert app["chartCategoricalColors"] == [palette.THEMES[theme][role] for role in palette.CATEGORIES]
