"""Draw docs/architecture.svg: the rooms of `explorer` and the arrows between them, from the code's own imports.

python scripts/draw_architecture.py
"""

import ast
from collections import Counter
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
LAYERS = (
    ("pages", ("pages",)),
    ("what people see", ("ui",)),
    ("what a page computes, and draws", ("lessons", "charts")),
    ("machinery", ("jobs", "zoo", "hardware")),
    ("networks and data", ("networks", "data", "audio")),
    ("the core", ("core",)),
)
WIDTH, ROW, BOX, HIGH = 960, 120, 150, 46


def room_of(path: Path) -> str:
    """The room of a file; the single files of the library are the core, but for the zoo."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "pages":
        return "pages"
    name = parts[1].removesuffix(".py")
    return name if any(name in rooms for _, rooms in LAYERS) else "core"


def imports() -> Counter[tuple[str, str]]:
    """(from, to) -> how many files of the one room import from the other."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted([*(ROOT / "explorer").rglob("*.py"), *(ROOT / "pages").glob("*.py")]):
        if path.parent == ROOT / "explorer" and path.stem in ("__init__", "__main__"):
            continue
        room, others = room_of(path), set()
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                parts = module.split(".")
                if parts[0] == "explorer":
                    names = parts[1:2] or [alias.name for alias in getattr(node, "names", [])]
                    others |= {room_of(ROOT / "explorer" / f"{name}.py") for name in names if name[:1].islower()}
        found.update((room, other) for other in others - {room})
    return found


def svg() -> str:
    """The picture."""
    places = {}
    for row, (_, rooms) in enumerate(LAYERS):
        for column, room in enumerate(rooms):
            places[room] = (200 + (WIDTH - 200) * (column + 0.5) / len(rooms), 50 + row * ROW)
    height = 60 + (len(LAYERS) - 1) * ROW + HIGH
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="15">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5b6470"/></marker></defs>',
    ]
    for (one, other), count in sorted(imports().items()):
        (x1, y1), (x2, y2) = places[one], places[other]
        if y1 == y2:
            sign = 1 if x2 > x1 else -1
            ends = f"M{x1 + sign * BOX / 2} {y1}L{x2 - sign * (BOX / 2 + 3)} {y2}"
        else:
            ends = f"M{x1} {y1 + HIGH / 2}L{x2} {y2 - HIGH / 2 - 3}"
        width = 0.8 + count**0.5 / 3
        parts.append(
            f'<path d="{ends}" stroke="#5b6470" stroke-opacity=".55" stroke-width="{width:.1f}" fill="none" '
            f'marker-end="url(#tip)"><title>{count} files of {one} import from {other}</title></path>'
        )
    for row, (told, rooms) in enumerate(LAYERS):
        parts.append(f'<text x="12" y="{55 + row * ROW}" fill="#5b6470" font-size="13">{escape(told)}</text>')
        for room in rooms:
            x, y = places[room]
            parts.append(
                f'<rect x="{x - BOX / 2}" y="{y - HIGH / 2}" width="{BOX}" height="{HIGH}" rx="8" fill="#e8f2f9" '
                f'stroke="#0072b2"/><text x="{x}" y="{y + 5}" text-anchor="middle" fill="#1f2328">{room}</text>'
            )
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    (ROOT / "docs" / "architecture.svg").write_text(svg())
