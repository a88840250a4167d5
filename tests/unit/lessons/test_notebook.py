"""A page as a notebook: valid, in order, and with its code cut where a reader would cut it."""

import json

import nbformat
import pytest

from explorer.lessons.notebook import Told, as_notebook, code_cells

CODE = """
import math

def area(r):
    one = 1

    return one * math.pi * r**2

for r in range(3):

    print(area(r))
text = '''a

b'''

print(text)
"""


def test_code_is_cut_between_statements_and_never_within_one() -> None:
    cells = code_cells(CODE)
    assert [cell.splitlines()[0] for cell in cells] == [
        "import math",
        "def area(r):",
        "for r in range(3):",
        "print(text)",
    ]
    assert "'''a\n\nb'''" in cells[2]
    scope: dict[str, object] = {}
    for cell in cells:
        exec(cell, scope)


def test_code_without_an_empty_line_is_one_cell() -> None:
    assert code_cells("a = 1\nb = 2\n") == ["a = 1\nb = 2"]


@pytest.mark.parametrize("lead", ["Plain.", "日本語, עברית, <script>alert(1)</script> $x$ \\alpha"])
def test_the_notebook_is_valid_and_has_all_that_the_page_tells(lead: str) -> None:
    told = Told("Means", lead, ["**t**: time"], ["Look."], [("The mean:", r"\bar x")], CODE, ["A paper"])
    text = as_notebook(told)
    nbformat.validate(json.loads(text))
    notebook = nbformat.reads(text, as_version=4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert texts[0] == f"# Means\n\n{lead}"
    assert [text.splitlines()[0] for text in texts[1:]] == [
        "## Words",
        "## What to notice",
        "## The mathematics",
        "The mean:",
        "## The code",
        "## References",
    ]
    assert "$$\n\\bar x\n$$" in texts[4]
    assert [cell.source for cell in notebook.cells if cell.cell_type == "code"] == code_cells(CODE)


def test_what_a_page_does_not_tell_has_no_heading() -> None:
    notebook = nbformat.reads(as_notebook(Told("Means", "Lead.", code="1")), as_version=4)
    assert [cell.source.splitlines()[0] for cell in notebook.cells] == ["# Means", "## The code", "1"]
