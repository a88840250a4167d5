"""The arrows between the rooms of the house, drawn from the imports: they go one way.

pages -> ui -> lessons, charts -> jobs, zoo, hardware -> networks, data, audio -> the core.
"""

import ast
import importlib.util
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = {
    "arguments",
    "files",
    "modes",
    "once",
    "schedules",
    "denoiser",
    "samplers",
    "guidance",
    "training",
    "metrics",
    "dataset",
    "masked",
    "settings",
    "logs",
}
LAYERS: list[set[str]] = [
    CORE,
    {"networks", "data", "audio"},
    {"jobs", "zoo", "hardware"},
    {"lessons", "charts"},
    {"ui", "__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FILES = sorted((ROOT / "explorer").rglob("*.py"))
PAGES = {path.stem for path in (ROOT / "pages").glob("*.py")}


def modules_imported(path: Path) -> set[str]:
    """Full names of the modules of this project that a file imports, at its top, in a function or for its types."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
        else:
            continue
        found |= {name if _file(name) else name.rpartition(".")[0] for name in names}
    return found


def _file(module: str) -> Path | None:
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def room_of(module: str) -> str | None:
    """The file or folder of `explorer` that a module lies in; None outside, and for the package itself."""
    package, _, rest = module.partition(".")
    return rest.partition(".")[0] or None if package == "explorer" else None


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def upward(module: str, imported: set[str]) -> set[str]:
    """Those of `imported` that a module of `explorer` may not import, as "MODULE imports OTHER"."""
    room = room_of(module)
    wrong = {name for name in imported if name.partition(".")[0] in {"pages", "Home", "tests", "benchmarks", "scripts"}}
    if room != "ui":
        wrong |= {name for name in imported if name.partition(".")[0] == "streamlit"}
    if room is not None:
        wrong |= {name for name in imported if (other := room_of(name)) and LEVEL[other] > LEVEL[room]}
    return {f"{module} imports {name}" for name in wrong}


def test_every_room_has_a_layer() -> None:
    rooms = {room_of(module_of(path)) for path in FILES} - {None}
    assert rooms <= set(LEVEL), "a new room of explorer/ needs its place in LAYERS"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_arrow_runs_back_up(path: Path) -> None:
    module = module_of(path)
    imported = modules_imported(path)
    if module == "explorer":  # the public face names what lies behind it, whatever the layer
        imported = {name for name in imported if room_of(name) == "ui"}
    assert not upward(module, imported)


def test_an_arrow_that_runs_back_up_is_seen() -> None:
    assert upward("explorer.training", {"explorer.data.images"})
    assert upward("explorer.jobs.worker", {"explorer.lessons.tasks"})
    assert upward("explorer.lessons.unet", {"streamlit"})
    assert upward("explorer.ui.frame", {"pages.unet"})
    assert not upward("explorer.ui.unet", {"explorer.lessons.unet", "streamlit", "explorer.networks.unet"})


def test_rooms_of_one_layer_do_not_go_in_circles() -> None:
    rooms: dict[str, set[str]] = {}
    for path in FILES:
        if room := room_of(module_of(path)):
            others = {other for name in modules_imported(path) if (other := room_of(name)) and other != room}
            rooms.setdefault(room, set()).update(others)
    TopologicalSorter(rooms).prepare()  # raises CycleError, with the circle


def test_no_two_files_import_each_other() -> None:
    files = {module_of(path): modules_imported(path) - {"explorer"} for path in FILES if path.name != "__init__.py"}
    TopologicalSorter(files).prepare()


def test_no_lesson_chart_or_panel_knows_another_page() -> None:
    """A file that is named as a page imports none that is named as another; a shared one imports none at all."""
    shared = ("lessons", "charts", "ui")
    for path in FILES:
        room, name = ([*path.relative_to(ROOT / "explorer").with_suffix("").parts, ""])[:2]
        if room not in shared:
            continue
        parts = [module.split(".") for module in modules_imported(path)]
        known = {place[2] for place in parts if len(place) > 2 and place[1] in shared and place[2] in PAGES}
        assert known <= {name}, f"{path.relative_to(ROOT)} imports what belongs to {known - {name}}"


def test_the_picture_of_the_architecture_is_that_of_the_code() -> None:
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "scripts" / "draw_architecture.py")
    assert spec is not None and spec.loader is not None
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    assert (ROOT / "docs" / "architecture.svg").read_text() == drawing.svg(), "run scripts/draw_architecture.py"
