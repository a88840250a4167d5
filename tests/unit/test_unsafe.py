"""What no line of this code does: run what a file says, hand words to a shell, or write HTML where nobody looks."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("explorer", "pages", "scripts", "benchmarks")
PICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
RUNNING = {"eval", "exec", "os.system", "os.popen", "torch.jit.load", "yaml.load"}
RUNS_WHAT_IS_READ = {
    "allow_pickle": True,
    "weights_only": False,
    "shell": True,
    "unsafe_allow_javascript": True,
    "unsafe_allow_html": True,
}
HTML = {  # the files that write HTML themselves; tests/pages/test_hostile.py looks at what they write
    "explorer/ui/frame.py",
    "explorer/ui/tables.py",
    "explorer/ui/sheet.py",
    "explorer/ui/training_lab/film.py",
    "explorer/ui/conclusion_ethics/words.py",
}


def python_files() -> list[Path]:
    within = (path for folder in OURS for path in ROOT.glob(f"{folder}/**/*.py") if "node_modules" not in path.parts)
    return [ROOT / "Home.py", *within]


def dotted(node: ast.expr) -> str:
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def unsafe(source: str) -> Iterator[str]:
    """What in a source runs, or may run, what it reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.split(".")[0] in PICKLING)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLING:
            yield f"{node.module}"
        elif isinstance(node, ast.Call):
            if (name := dotted(node.func)) in RUNNING:
                yield name
            for given in node.keywords:
                constant = given.value.value if isinstance(given.value, ast.Constant) else True
                if given.arg in RUNS_WHAT_IS_READ and constant == RUNS_WHAT_IS_READ[given.arg]:
                    yield f"{given.arg}={constant}"


def writes_html(source: str) -> bool:
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(dotted(call.func).split(".")[-1] in ("html", "iframe") for call in calls)


def test_nothing_that_is_read_is_run() -> None:
    files = python_files()
    assert len(files) > 200
    found = {str(path.relative_to(ROOT)): [*unsafe(path.read_text())] for path in files}
    assert {path: what for path, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from dill import loads",
        "eval(text)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "st.markdown(text, unsafe_allow_html=True)",
        "st.markdown(text, unsafe_allow_html=chosen)",
    ],
)
def test_each_kind_would_be_found(source: str) -> None:
    assert [*unsafe(source)]


def test_html_is_written_by_files_that_are_known() -> None:
    found = {str(path.relative_to(ROOT)) for path in python_files() if writes_html(path.read_text())}
    assert found == HTML
