"""A page as a Jupyter notebook: its words, its formulas, and its code in cells."""

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

INSTALL = "The code runs wherever the package `explorer` of this course is installed."


@dataclass
class Told:
    """What a page tells beside its demo; each part is Markdown, the code is Python."""

    title: str
    lead: str
    words: list[str] = field(default_factory=list)
    notice: list[str] = field(default_factory=list)
    mathematics: list[tuple[str, str]] = field(default_factory=list)  # (sentence, LaTeX)
    code: str = ""
    references: list[str] = field(default_factory=list)


def as_notebook(told: Told) -> str:
    """The page as a notebook (nbformat 4.5), in the order in which it is read: what it is about, then the code."""
    texts = [f"# {told.title}\n\n{told.lead}"]
    if told.words:
        texts.append(_list("Words", told.words))
    if told.notice:
        texts.append(_list("What to notice", told.notice))
    if told.mathematics:
        texts.append("## The mathematics")
        texts += [f"{sentence}\n\n$$\n{formula}\n$$" for sentence, formula in told.mathematics]
    cells = [_cell("markdown", text) for text in [*texts, f"## The code\n\n{INSTALL}"]]
    cells += [_cell("code", part) for part in code_cells(told.code)]
    if told.references:
        cells.append(_cell("markdown", _list("References", told.references)))
    numbered = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells, start=1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"cells": numbered, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(about, indent=1, ensure_ascii=False)


def code_cells(code: str) -> list[str]:
    """The code, cut where an empty line parts two statements that are not indented."""
    lines = code.strip().splitlines()
    statements = ast.parse("\n".join(lines)).body
    cuts = [0]
    for before, after in pairwise(statements):
        gap = [number for number in range(before.end_lineno or 0, after.lineno - 1) if not lines[number].strip()]
        cuts += gap[:1]
    return ["\n".join(lines[start:end]).strip() for start, end in pairwise([*cuts, len(lines)])]


def _list(head: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {head}", "", *(f"- {line}" for line in lines)])


def _cell(kind: str, source: str) -> dict[str, Any]:
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, **code, "source": source.splitlines(keepends=True)}
