"""Put what the text-to-image models need into `assets`: weights in 16 bits, their cards, the sheet of emoji, credits.

    python scripts/ship_pictures.py FOLDER               # what FOLDER holds now, with the figures that are there
    python scripts/ship_pictures.py FOLDER --measure     # judge both models first: half an hour

FOLDER is that of `draw_emoji.py`, `train_pictures.py` and `train_judges.py`.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure_pictures import measure_emoji, measure_scenes
from pictures import Emoji
from PIL import Image
from torch import nn
from train_judges import TASKS
from train_pictures import CONFIG, loaded

from explorer.data.emoji import FOLDER as PICTURES
from explorer.data.emoji import SIDE
from explorer.data.scenes import HELD_OUT
from explorer.lessons.guided_generation.models import TELLERS
from explorer.networks.clip import Clip
from explorer.networks.judge import Judge
from explorer.zoo import FOLDER as WEIGHTS
from explorer.zoo import LOOKERS, save_looker, to_bytes, write_card

COLUMNS = 48
COOLED = {  # what shipped last: each goes on where the one before it was stopped
    "emoji": "--cool 1600, --cool 2300, --cool 6500 and --cool 6200",
    "scenes": "--cool 2600, --cool 3900, --cool 10000, --cool 9000, --cool 10500 and --cool 9900",
}
ADDRESSES = {
    "noto": "https://github.com/googlefonts/noto-emoji",
    "blob": "https://github.com/googlefonts/noto-emoji",
    "twemoji": "https://github.com/jdecked/twemoji",
    "fluent": "https://github.com/microsoft/fluentui-emoji",
    "flat": "https://github.com/microsoft/fluentui-emoji",
    "firefox": "https://github.com/mozilla/fxemoji",
    "emojione": "https://github.com/EmojiTwo/emojitwo",
    "streamline": "https://github.com/webalys-hq/streamline-vectors",
}
TERMS = {
    "Apache-2.0": "https://www.apache.org/licenses/LICENSE-2.0",
    "MIT": "https://opensource.org/license/mit",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
}


def ship_sheet(emoji: Emoji) -> None:
    """The renderings on white, in a PNG, and what each is."""
    PICTURES.mkdir(exist_ok=True)
    images = ((emoji.real(np.arange(len(emoji.rows))).numpy() + 1) * 127.5).round().astype(np.uint8)
    rows = -(-len(images) // COLUMNS)
    tiles = np.full((rows * COLUMNS, 3, SIDE, SIDE), 255, np.uint8)
    tiles[: len(images)] = images
    sheet = tiles.reshape(rows, COLUMNS, 3, SIDE, SIDE).transpose(0, 3, 1, 4, 2)
    Image.fromarray(sheet.reshape(rows * SIDE, COLUMNS * SIDE, 3)).save(PICTURES / "emoji.png", optimize=True)
    makers = {
        style: {"maker": maker["maker"], "terms": maker["terms"], "address": ADDRESSES[style]}
        for style, maker in emoji.about["styles"].items()
    }
    about = {
        "concepts": [row["concept"] for row in emoji.rows],
        "styles": [row["style"] for row in emoji.rows],
        "held": [int(row["held"]) for row in emoji.rows],
        "makers": makers,
        "characters": {character: label for label, character in emoji.about["characters"].items()},
        "held_colours": emoji.about["held_colours"],
    }
    (PICTURES / "emoji.json").write_text(json.dumps(about, ensure_ascii=False) + "\n")
    (PICTURES / "README.md").write_text(credits(makers, len(images)))


def credits(makers: dict[str, dict[str, str]], count: int) -> str:
    """Who drew the sheet, and under which terms."""
    rows = "\n".join(
        f"| {style} | [{about['maker']}]({about['address']}) | [{about['terms']}]({TERMS[about['terms']]}) |"
        for style, about in makers.items()
    )
    return f"""# {count:,} emoji, 32 x 32

`emoji.png` holds emoji that others drew, **under their makers' terms**, not under those of the code around it. Each was
rendered on white at 32 x 32 pixels, and nothing else was changed. `emoji.json` says of each what it shows and whose
style it is. `LICENSE` has the texts of the terms that ask for it.

| style | by | terms |
|---|---|---|
{rows}

Sets under share-alike terms (OpenMoji, EmojiOne 1) are not among them, and no model here has seen them.
`python scripts/draw_emoji.py` and `python scripts/ship_pictures.py` make these files from the makers' SVG.
"""


def ship_model(name: str, folder: Path, emoji: Emoji, figures: dict[str, Any]) -> None:
    """A text-to-image model in 16 bits, and its card."""
    denoiser = loaded(name, folder)
    (WEIGHTS / f"{name}.safetensors").write_bytes(to_bytes(denoiser, half=True, name=name))
    state, cooled = torch.load(folder / f"{name}.pt"), folder / f"{name}-cooled.pt"
    last = torch.load(cooled) if cooled.exists() else None
    size = dict(denoiser.network.size)  # type: ignore[arg-type]
    size["text"] = {**size["text"], "words": len(size["text"]["words"])}
    makers = "; ".join(f"{about['maker']}, {about['terms']}" for about in emoji.about["styles"].values())
    held = sum(row["held"] for row in emoji.rows)
    data = {
        "emoji": f"{len(emoji.rows) - held:,} renderings of {len(emoji.about['concepts'])} concepts in "
        f"{len(emoji.styles)} styles (some several times in one, as a man and as a woman), recoloured, mirrored, moved "
        f"and put on coloured grounds; {held} pairs of concept and style and {len(emoji.held_colours)} of concept and "
        "colour are held out; captions from CLDR",
        "scenes": "one to three shapes by colour, size, place and ground, drawn from a seed without end; one in "
        f"{HELD_OUT} of the triples of shape, colour and place is held out",
    }
    card = {
        "data": data[name],
        "terms": {"emoji": makers, "scenes": "made by this project's own code"}[name],
        "architecture": {"network": "UNet", **size, "schedule": "cosine", "prediction": denoiser.prediction},
        "parameters": sum(parameter.numel() for parameter in denoiser.parameters()),
        "command": f"python scripts/train_pictures.py {name} FOLDER, then with {COOLED[name]} in turn",
        "training": {
            "steps": state["step"] + (last["step"] if last else 0),
            "cooled_ema_decay": 0.998,
            "cooled_steps": last["step"] if last else 0,
            "batch_size": CONFIG.batch_size,
            "learning_rate": CONFIG.learning_rate,
            "ema_decay": CONFIG.ema_decay,
            "optimizer": CONFIG.optimizer,
            "log_snr": CONFIG.log_snr,
            "seconds": round((last or state)["seconds"]),
            "machine": "one thread of two shared cores",
        },
        "metrics": figures,
    }
    write_card(name, card)


def ship_looker(kind: str, folder: Path, emoji: Emoji) -> None:
    """The judge or CLIP of the emoji in 16 bits, and its card."""
    task, kept = TASKS[kind](emoji), torch.load(folder / f"{kind}.pt")
    network: nn.Module = task.network
    network.load_state_dict(kept["network"])
    assert isinstance(network, Judge | Clip)
    assert isinstance(network, LOOKERS[kind])
    save_looker(kind, "emoji", network, half=True)
    card = {
        "data": "the same renderings and captions as the generator's, roughened; its held-out pairs are held out here",
        "terms": "see emoji.json",
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "command": f"python scripts/train_judges.py {kind} FOLDER",
        "training": {"steps": kept["step"]},
        "metrics": task.measure(),
    }
    write_card(f"{kind}-emoji", card)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--measure", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    emoji = Emoji(given.folder)
    ship_sheet(emoji)
    for kind in TASKS:
        if (given.folder / f"{kind}.pt").exists():
            ship_looker(kind, given.folder, emoji)
    for name, measure in (("emoji", measure_emoji), ("scenes", measure_scenes)):
        figures = given.folder / f"{name}-figures.json"
        if given.measure:
            figures.write_text(json.dumps(measure(given.folder, 500, TELLERS[name].guidance_scale)))
        ship_model(name, given.folder, emoji, json.loads(figures.read_text()) if figures.exists() else {})


if __name__ == "__main__":
    main()
