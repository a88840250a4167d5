"""What no line of this code does: run what a file says, hand words to a shell, or write HTML where nobody looks."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
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
HTML = {  # the files that write HTML themselves; and escape what they did not write: tests/pages/test_hostile.py looks
    "explorer/ui/frame.py",
    "explorer/ui/tables.py",
    "explorer/ui/sheet.py",
    "explorer/ui/training_lab/film.py",
    "explorer/ui/conclusion_ethics/words.py",
}
# What scripts put into markup begins with one of these: constants, icons and markup of their own, and numbers.
MARKUP = {
    "CURVES",
    "GREY_LABEL",
    "HERTZ",
    "MARKUP",
    "SPEEDS",
    "icon",
    "index",
    "on",
    "padMarkup",
    "path",
    "share",
    "svg",
    "value",
}
WRITES = r"\b(insertAdjacentHTML|outerHTML|document\.write|srcdoc|eval|Function|createContextualFragment|javascript:)"


def python_files() -> list[Path]:
    within = (path for folder in OURS for path in ROOT.glob(f"{folder}/**/*.py") if "node_modules" not in path.parts)
    return [ROOT / "Home.py", *within]


def dotted(node: ast.expr) -> str:
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@cache
def code() -> dict[str, list[ast.AST]]:
    """Every node of every file."""
    return {str(path.relative_to(ROOT)): [*ast.walk(ast.parse(path.read_text()))] for path in python_files()}


def unsafe(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """What in a source runs, or may run, what it reads."""
    for node in nodes:
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


def writes_html(nodes: Iterable[ast.AST]) -> bool:
    calls = (dotted(node.func) for node in nodes if isinstance(node, ast.Call))
    return any(name.split(".")[-1] in ("html", "iframe") for name in calls)


def test_nothing_that_is_read_is_run() -> None:
    assert len(code()) > 200
    assert {path: found for path, nodes in code().items() if (found := [*unsafe(nodes)])} == {}


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
    assert [*unsafe(ast.walk(ast.parse(source)))]


def test_html_is_written_by_files_that_are_known() -> None:
    assert {path for path, nodes in code().items() if writes_html(nodes)} == HTML


def test_scripts_put_no_words_into_markup() -> None:
    sources = [path.read_text() for path in ROOT.glob("assets/components/*.js")]
    assert len(sources) > 15
    assert not [found[0] for source in sources for found in re.finditer(WRITES, source)]
    written = [found[1] for source in sources for found in re.finditer(r"\.innerHTML = (.*?);\n", source, re.DOTALL)]
    put = {name for text in written for name in re.findall(r"(?:^|\$\{)(\w+)", text)}
    assert put == MARKUP
