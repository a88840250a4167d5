"""Render the emoji that the text-to-image model learns from: pictures, captions and what is held out.

    npm install --prefix ARTWORK @iconify-json/{noto,noto-v1,twemoji,fluent-emoji-flat,fluent-emoji} \\
        @iconify-json/{fxemoji,emojione,streamline-emojis} emojibase-data
    pip install resvg-py
    python scripts/draw_emoji.py ARTWORK FOLDER        # writes FOLDER/emoji.npz and FOLDER/emoji.json

A minute. The artwork is that of its makers (see `MAKERS`), under terms that let it be changed and passed on.
"""

import argparse
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from emoji_colours import PALETTE, to_oklab, to_rgb
from emoji_concepts import CONCEPTS
from PIL import Image

SIDE, FINE, MARGIN = 32, 8, 1
HELD_OUT = 10  # one in so many of the pairs
MAKERS = {  # npm package: (the word for its style, who drew it, terms)
    "noto": ("noto", "Google, Noto Emoji", "Apache-2.0"),
    "noto-v1": ("blob", "Google, Noto Emoji up to 2016 (blobs)", "Apache-2.0"),
    "twemoji": ("twemoji", "Twitter and the Twemoji contributors", "CC-BY-4.0"),
    "fluent-emoji": ("fluent", "Microsoft, Fluent Emoji", "MIT"),
    "fluent-emoji-flat": ("flat", "Microsoft, Fluent Emoji, flat", "MIT"),
    "fxemoji": ("firefox", "Mozilla, FxEmojis", "CC-BY-4.0"),
    "emojione": ("emojione", "EmojiOne 2, kept by EmojiTwo", "CC-BY-4.0"),
    "streamline-emojis": ("streamline", "Streamline", "CC-BY-4.0"),
}


def squashed(name: str) -> str:
    """A name as letters and digits alone: how makers write them differs in the rest."""
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", plain)


def words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name.lower().replace("’", "")).encode("ascii", "ignore").decode()
    return re.findall(r"[a-z]+|\d+", plain.replace("'", ""))


def read_labels(artwork: Path) -> dict[str, dict[str, Any]]:
    """What CLDR says of each emoji, by its label: keywords, the character, its code points."""
    entries = json.loads((artwork / "emojibase-data/en/data.json").read_text())
    return {entry["label"].lower().replace("’", "'"): entry for entry in entries}


def names_of(label: str, entry: dict[str, Any]) -> set[str]:
    """Ways in which makers may name an emoji."""
    character = entry["emoji"].replace("\ufe0f", "")
    names = {label, label.removesuffix(" face"), label.replace("cook", "chef")}
    if len(character) == 1:
        names.add(unicodedata.name(character, ""))
    return {squashed(name) for name in names} - {""}


def find(artwork: Path, package: str, labels: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The icon of a package for each label that it draws."""
    icons = json.loads((artwork / f"@iconify-json/{package}/icons.json").read_text())["icons"]
    by_code = {
        tuple(part for part in code.upper().split("-") if part != "FE0F"): name
        for code, name in json.loads((artwork / f"@iconify-json/{package}/chars.json").read_text()).items()
    }
    by_name: dict[str, str] = {}
    for name in sorted(icons, key=lambda name: (bool(icons[name].get("hidden")), len(name))):
        by_name.setdefault(squashed(name), name)
    found = {}
    for label, entry in labels.items():
        code = tuple(part for part in entry["hexcode"].split("-") if part != "FE0F")
        name = by_code.get(code)
        if name not in icons:
            longest = sorted(names_of(label, entry), key=len, reverse=True)
            name = next((by_name[one] for one in longest if one in by_name), None)
        if name is not None:
            found[label] = name
    return found


def render(body: str, box: tuple[float, float, float], size: int) -> np.ndarray:
    """RGBA (size, size, 4), 0 to 1, of the square of an SVG's body with this left, top and side."""
    left, top, side = box
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {side} {side}" width="{side}" height="{side}">{body}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True))
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")) / 255.0


def picture(icons: dict[str, Any], name: str) -> np.ndarray | None:
    """An icon fitted into the square, premultiplied RGBA (32, 32, 4) uint8; None where it cannot be drawn."""
    icon = icons["icons"][name]
    width, height = (icon.get(part, icons.get(part, 16)) for part in ("width", "height"))
    side = max(width, height)
    left, top = icon.get("left", 0) - (side - width) / 2, icon.get("top", 0) - (side - height) / 2
    try:
        seen = render(icon["body"], (left, top, side), 160)[..., 3] > 0.03
        if not seen.any():
            return None
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        extent = max(np.ptp(rows), np.ptp(columns)) + 1
        fitted = extent / 160 * side * SIDE / (SIDE - 2 * MARGIN)
        middle = [(part[0] + part[-1] + 1) / 320 * side for part in (columns, rows)]
        fine = render(icon["body"], (left + middle[0] - fitted / 2, top + middle[1] - fitted / 2, fitted), SIDE * FINE)
    except BaseException as error:  # resvg panics on some files
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    fine[..., :3] *= fine[..., 3:]
    return np.round(255 * fine.reshape(SIDE, FINE, SIDE, FINE, 4).mean((1, 3))).astype(np.uint8)


def dominant(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, float] | None:
    """How much each pixel belongs to the hue that a picture has most of, (32, 32), the mean OKLab colour of those, and
    their share of it; None for a picture that has hardly any colour."""
    opacity = image[..., 3] / 255
    lab = to_oklab(straight(image))
    chroma, hue = np.hypot(lab[..., 1], lab[..., 2]), np.arctan2(lab[..., 2], lab[..., 1])
    coloured = opacity * (chroma > 0.05)
    if coloured.sum() < 0.2 * opacity.sum():
        return None
    turns = np.linspace(-np.pi, np.pi, 72, endpoint=False)
    away = np.abs(np.angle(np.exp(1j * (hue[..., None] - turns))))
    peak = turns[(coloured[..., None] * chroma[..., None] * (away < np.pi / 8)).sum((0, 1)).argmax()]
    distance = np.abs(np.angle(np.exp(1j * (hue - peak))))
    belongs = coloured * np.clip((np.radians(60) - distance) / np.radians(20), 0, 1)
    mean = (lab * belongs[..., None]).sum((0, 1)) / belongs.sum()
    return belongs, mean, float(belongs.sum() / opacity.sum())


def straight(image: np.ndarray) -> np.ndarray:
    """The colours of a premultiplied picture in [0, 1], white where it is clear."""
    opacity = image[..., 3:] / 255
    return np.where(opacity > 0.02, image[..., :3] / 255 / np.maximum(opacity, 0.02), 1).clip(0, 1)


def recoloured(image: np.ndarray, belongs: np.ndarray, mean: np.ndarray, colour: str) -> np.ndarray:
    """The picture with its main hue turned to that of a colour's name; light and shade stay."""
    lab, opacity, target = to_oklab(straight(image)), image[..., 3:] / 255, PALETTE[colour]
    chroma, aimed = np.hypot(mean[1], mean[2]), np.hypot(target[1], target[2])
    turn = np.arctan2(target[2], target[1]) - np.arctan2(mean[2], mean[1])
    rotated = (lab[..., 1] + 1j * lab[..., 2]) * np.exp(1j * turn) * (aimed / chroma)
    new = np.stack([lab[..., 0] + 0.85 * (target[0] - mean[0]), rotated.real, rotated.imag], -1)
    share = (belongs / np.maximum(opacity[..., 0], 0.02)).clip(0, 1)[..., None]
    mixed = to_rgb(lab * (1 - share) + new * share)
    return np.round(255 * np.concatenate([mixed * opacity, opacity], -1)).astype(np.uint8)


def nearest_colour(mean: np.ndarray) -> str:
    return min(PALETTE, key=lambda name: float(np.sum((PALETTE[name] - mean) ** 2 * [0.5, 1, 1])))


def held_out(pairs: list[tuple[str, str]], seed: int) -> set[tuple[str, str]]:
    """One in ten of the pairs, of each first thing at most one."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    held: dict[str, str] = {}
    for index in order:
        first, second = pairs[index]
        if len(held) < round(len(pairs) / HELD_OUT):
            held.setdefault(first, second)
    return set(held.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artwork", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    artwork = given.artwork / "node_modules"
    known = read_labels(artwork)
    labels = {label: known[label] for drawn in CONCEPTS.values() for label in drawn}
    pictures, rows, drawn_by = [], [], {}
    for package, (style, maker, terms) in MAKERS.items():
        icons = json.loads((artwork / f"@iconify-json/{package}/icons.json").read_text())
        found = find(artwork, package, labels)
        drawn_by[style] = {"maker": maker, "terms": terms, "package": f"@iconify-json/{package}"}
        for concept, several in CONCEPTS.items():
            for label in several:
                image = picture(icons, found[label]) if label in found else None
                if image is not None:
                    pictures.append(image)
                    rows.append({"concept": concept, "label": label, "style": style, "icon": found[label]})
        print(style, sum(row["style"] == style for row in rows), "pictures", flush=True)

    pairs = sorted({(row["concept"], row["style"]) for row in rows})
    styles = {concept: sum(pair[0] == concept for pair in pairs) for concept in CONCEPTS}
    few = [concept for concept, count in styles.items() if count < 4]
    print(len(CONCEPTS), "concepts,", len(pairs), "pairs,", len(rows), "pictures; in fewer than four styles:", few)
    held = held_out([pair for pair in pairs if styles[pair[0]] >= 4], seed=0)
    found = [dominant(image) for image in pictures]
    colourable = sorted({row["concept"] for row, main in zip(rows, found, strict=True) if main and main[2] > 0.3})
    recolours, which = [], []
    for image, row, main in zip(pictures, rows, found, strict=True):
        row["held"] = (row["concept"], row["style"]) in held
        row["colour"] = nearest_colour(main[1]) if main and main[2] > 0.5 else None
        which.append(len(recolours) if main and main[2] > 0.3 else -1)
        if main and main[2] > 0.3:
            recolours.append([recoloured(image, main[0], main[1], colour) for colour in PALETTE])
    drawn_so = {(row["concept"], row["colour"]) for row in rows}  # a lemon is yellow in every training
    held_colours = held_out([(concept, colour) for concept in colourable for colour in PALETTE], seed=1) - drawn_so
    keywords = {
        label: [words(tag) for tag in entry.get("tags", []) if 0 < len(words(tag)) <= 2]
        for label, entry in labels.items()
    }
    given.folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        given.folder / "emoji.npz", pictures=np.stack(pictures), recoloured=np.array(recolours), which=np.array(which)
    )
    about = {
        "rows": rows,
        "concepts": {concept: [words(label) for label in several] for concept, several in CONCEPTS.items()},
        "keywords": keywords,
        "characters": {label: entry["emoji"] for label, entry in labels.items()},
        "colours": list(PALETTE),
        "held_colours": sorted(held_colours),
        "styles": drawn_by,
    }
    (given.folder / "emoji.json").write_text(json.dumps(about))
    held_pictures = sum(row["held"] for row in rows)
    print(len(recolours), "can be recoloured; held out:", held_pictures, "pictures,", len(held_colours), "colours")


if __name__ == "__main__":
    main()
