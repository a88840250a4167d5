"""Nothing that lasts is measured by a clock that somebody may set."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "explorer").rglob("*.py"), *(ROOT / "pages").glob("*.py"), ROOT / "Home.py"])
SETTABLE = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.strftime", "time.ctime"}
SETTABLE |= {f"{name}.{now}" for name in ("datetime", "date") for now in ("now", "utcnow", "today")}
ALLOWED = {
    ("explorer/logs.py", "datetime.now"),  # when a line was printed
    ("explorer/lessons/download.py", "time.time"),  # the age of files that a download left, which disks date so
    ("explorer/ui/path.py", "date.today"),  # the day on a certificate
}


def calls(path: Path) -> set[str]:
    """The calls of a file that read the time of day, by the last two of their names."""
    made = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    names = (".".join(ast.unparse(function).split(".")[-2:]) for function in made)
    return {name for name in names if name in SETTABLE}


@pytest.mark.parametrize("name", ["time.time()", "datetime.datetime.now()", "datetime.date.today()"])
def test_such_calls_are_found(name: str, tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    path.write_text(f"print({name})")
    assert len(calls(path)) == 1


def test_the_time_of_day_is_read_where_it_is_meant_alone() -> None:
    assert {(path.relative_to(ROOT).as_posix(), name) for path in FILES for name in calls(path)} == ALLOWED
