"""Every page's figures as files: all that it shows is there, at the size of a slide, with its data."""

import csv
import io
import json
import re
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore
from typing import Any

import pyarrow
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.charts import palette
from explorer.charts.slides.drawing import SCALE
from explorer.charts.slides.figures import Chart, Figure, Film, Images, Spectrograms, Table, Walk
from explorer.charts.slides.files import chart_tables, slug
from explorer.charts.slides.message import unpacked
from explorer.lessons.path import MODULES
from explorer.ui import gathering
from tests.pages.acting import press

Open = Callable[..., AppTest]
COMPONENTS: dict[str, type] = {
    "explorer_player": Walk,
    "explorer_film": Film,
    "explorer_noising": Images,
    "explorer_diagram": Images,
    "explorer_speech": Spectrograms,
}


@pytest.fixture(autouse=True)
def nothing_is_drawn_yet() -> None:
    gathering.draw.cache_clear()


def gathered(app: AppTest) -> tuple[bytes, list[Figure]]:
    press(app, "Gather them")
    kept = app.session_state["gathering_kept"]
    figures, page = unpacked(kept)
    assert page == app.title[0].value
    return kept, figures


def files(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def shown_on(app: AppTest) -> dict[type, int]:
    """How many of each kind the page shows."""
    counts = dict.fromkeys((Chart, Images, Film, Walk, Spectrograms), 0)
    counts[Chart] = len(app.get("vega_lite_chart"))
    bodies = [element.proto.body for element in app.get("html")]
    counts[Images] = sum('role="group"' in body for body in bodies)
    counts[Film] = sum("lab-film" in body for body in bodies)
    for component in app.get("bidi_component"):
        if kind := COMPONENTS.get(component.proto.component_name):
            counts[kind] += 1
    return counts


@pytest.mark.parametrize("page", MODULES)
def test_all_that_a_page_shows_is_in_its_files(open_page: Open, page: str) -> None:
    app = open_page(f"pages/{page}.py")
    shown = shown_on(app)
    assert sum(shown.values()) > 0
    kept, figures = gathered(app)
    assert shown_on(app) == shown
    assert {kind: sum(isinstance(figure, kind) for figure in figures) for kind in shown} == shown
    told = f"**{(count := sum(shown.values()))} figure{'s' * (count != 1)}**"
    assert any(told in element.value for element in app.markdown)

    pictures = files(gathering.draw(kept))
    for number, figure in enumerate(figures, start=1):
        if isinstance(figure, Table):
            continue
        for theme in palette.THEMES:
            name = re.compile(rf"{theme}/{number:02}-{re.escape(slug(figure.title))}(-\d)?\.png")
            assert any(name.fullmatch(picture) for picture in pictures)
    for name, content in pictures.items():
        picture = Image.open(io.BytesIO(content))
        assert picture.size == (1920, 1080)
        assert picture.getpixel((0, 0)) == tuple(bytes.fromhex(palette.GROUNDS[name.split("/")[0]][1:]))

    data = files(gathering.data_of(kept))
    drawn = [figure for figure in figures if isinstance(figure, Chart)]
    for chart, element in zip(drawn, app.get("vega_lite_chart"), strict=True):
        spec = json.loads(element.proto.spec)
        number = figures.index(chart) + 1
        tables = [
            list(csv.DictReader(io.StringIO(content.decode())))
            for name, content in data.items()
            if name.startswith(f"{number:02}-")
        ]
        assert tables == [as_read(rows) for rows in chart_tables(spec) or [sent_apart(element.proto)]]
        sizes = [int(size) for size in re.findall(r'[fF]ontSize": (\d+)', json.dumps(spec))]
        assert all(size * SCALE >= 0.022 * 1080 for size in sizes)


def sent_apart(proto: Any) -> list[dict[str, Any]]:
    """The rows that Streamlit takes out of a specification where they lie at its top."""
    return pyarrow.ipc.open_stream(proto.data.data).read_all().to_pylist()


def as_read(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [{name: "" if row.get(name) is None else str(row[name]) for name in names} for row in rows]


def test_an_ordinary_run_keeps_nothing(open_page: Open) -> None:
    app = open_page("pages/build_your_rig.py")
    assert "gathering_kept" not in app.session_state
    assert gathered(app)[1]
    assert {"Figures, 1920 x 1080", "Data"} <= {button.label for button in app.get("download_button")}
    app.run()
    assert not [name for name in app.session_state if name in ("gathering_kept", "gathering_open", "gathering_wanted")]
    assert "Figures, 1920 x 1080" not in {button.label for button in app.get("download_button")}


def test_what_is_gathered_is_what_stands_there_now(open_page: Open) -> None:
    app = open_page("pages/core_concepts.py")
    app.select_slider(key="core_small_steps").set_value(2).run()
    _, figures = gathered(app)
    assert any("2 small steps" in figure.title for figure in figures)
    app.select_slider(key="core_small_steps").set_value(5).run()
    _, figures = gathered(app)
    assert any("5 small steps" in figure.title for figure in figures)


def test_what_a_person_types_makes_no_strange_file(open_page: Open) -> None:
    app = open_page("pages/geometry_lab.py", geo_data="A word", geo_word="<b>../\\&", geo_exact="true")
    kept, figures = gathered(app)
    assert any("<b>../\\&" in figure.title for figure in figures)
    for content in (gathering.draw(kept), gathering.data_of(kept)):
        for name in files(content):
            assert re.fullmatch(r"((light|dark)/)?[\w-]+\.(png|csv|npz|txt)", name)


def test_a_drawing_that_fails_leaves_the_data(monkeypatch: pytest.MonkeyPatch, open_page: Open) -> None:
    kept, figures = gathered(open_page("pages/build_your_rig.py"))
    monkeypatch.setattr(gathering, "COMMAND", [sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(RuntimeError, match="exit code 3"):
        gathering.draw(kept)
    monkeypatch.setattr(gathering, "COMMAND", [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(gathering, "LONGEST", 1)
    with pytest.raises(RuntimeError, match="not drawn within 1 s"):
        gathering.draw(kept)
    assert len(files(gathering.data_of(kept))) > len(figures)


def test_a_class_that_downloads_the_same_figures_has_them_drawn_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn = tmp_path / "drawn"
    script = f"import sys, time; open({str(drawn)!r}, 'a').write('x'); time.sleep(0.2); print(sys.stdin.read())"
    monkeypatch.setattr(gathering, "COMMAND", [sys.executable, "-c", script])
    with ThreadPoolExecutor(12) as threads:
        files = list(threads.map(gathering.draw, [b"one"] * 10 + [b"two"] * 2))
    assert [file.strip() for file in files] == [b"one"] * 10 + [b"two"] * 2
    assert drawn.read_text() == "xx"


def test_who_gathers_is_told_how_many_are_drawn_before(monkeypatch: pytest.MonkeyPatch, open_page: Open) -> None:
    app = press(open_page("pages/build_your_rig.py"), "Gather them")
    assert not any("before yours" in element.value for element in app.markdown)
    monkeypatch.setattr(gathering, "_drawers", Semaphore(0))
    monkeypatch.setattr(gathering, "COMMAND", [sys.executable, "-c", ""])
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(gathering.draw, name) for name in (b"first", b"second")]
        while gathering._asked < 2:
            time.sleep(0.01)
        app = press(app, "Gather again")
        assert any("2 other pages are being drawn before yours" in element.value for element in app.markdown)
        gathering._drawers.release(2)
    assert [one.result() for one in waiting] == [b"", b""]
    assert gathering._asked == 0


@pytest.mark.parametrize(("memory", "drawers"), [(None, 1), (690 * 2**20, 1), (4 * 2**30, 2), (64 * 2**30, 3)], ids=str)
def test_more_than_one_page_is_drawn_at_once_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, memory: int | None, drawers: int
) -> None:
    monkeypatch.setattr(gathering, "available_cores", lambda: 3)
    monkeypatch.setattr(gathering, "allowed_memory", lambda: memory)
    assert gathering.at_once() == drawers


def test_no_pictures_are_offered_of_tables_alone(open_page: Open) -> None:
    app = press(open_page("pages/build_your_rig.py", rig_closer="All cards"), "Gather them")
    assert "Figures, 1920 x 1080" in {button.label for button in app.get("download_button")}
    app = press(
        open_page(
            "pages/build_your_rig.py",
            rig_system="CogVideoX 5B",
            rig_closer="Machines by budget",
            **{"rig_cogvideox-5b_size": "1920 x 1088", "rig_cogvideox-5b_frames": "161"},
        ),
        "Gather them",
    )
    offered = {button.label for button in app.get("download_button")}
    assert "Data" in offered and "Figures, 1920 x 1080" not in offered


def test_a_page_that_was_left_gathers_nothing_later(open_page: Open) -> None:
    app = open_page("pages/build_your_rig.py")
    app.session_state["gathering_wanted"] = "another page"
    app.run()
    assert "gathering_wanted" not in app.session_state and "gathering_kept" not in app.session_state


def test_a_page_without_a_figure_says_so(open_page: Open) -> None:
    app = press(open_page("pages/conclusion_ethics.py", ethics_look="Timeline"), "Gather them")
    assert "The page shows no figure now." in [element.value for element in app.markdown]
    assert "gathering_kept" not in app.session_state


def test_what_grows_under_one_title_is_there_once(open_page: Open) -> None:
    _, figures = gathered(open_page("pages/guided_generation.py", guide_closer="Scales and seeds"))
    titles = [(type(figure), figure.title) for figure in figures]
    assert len(titles) == len(set(titles))
    (sheet,) = (figure for figure in figures if isinstance(figure, Images))
    assert len(sheet.rows) > 4
