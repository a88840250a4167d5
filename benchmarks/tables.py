"""Tables that read well in a terminal and as Markdown."""

import math
import statistics
from collections.abc import Sequence


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A titled, aligned Markdown table; the first column to the left, the others to the right."""
    cells = [list(header), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [_line(row, widths) for row in (cells[0], rule, *cells[1:])]
    return "\n".join([f"### {title}", "", *lines, ""])


def percentile_95(values: Sequence[float]) -> float:
    """NaN of nothing."""
    return (
        statistics.quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else max(values, default=math.nan)
    )


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return str(cell)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    others = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return f"| {' | '.join([row[0].ljust(widths[0]), *others])} |"
