"""Put what the voice cloning page needs into `assets`: weights in 16 bits, their cards, the voices and their map.

    python scripts/speak_kokoro.py build/speech/say ... --say SENTENCE --by af_heart 2 ...   # the built-in voices
    python scripts/ship_speech.py build/speech [--figures figures.json]

The folder is that of `train_speech.py`, `train_vocoder.py`, `train_durations.py` and `train_listener.py`; the figures
are what `measure_speech.py` prints.
"""

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from speech import utterances
from torch import Tensor, nn
from train_speech import loaded

from explorer.audio.spectrogram import RATE
from explorer.data.speech.phones import FRAMES as FRAMES_A_SECOND
from explorer.data.speech.phones import SILENCE
from explorer.lessons.voice_cloning.voices import FOLDER, NAME
from explorer.networks.blocks import build
from explorer.networks.durations import Durations
from explorer.networks.listener import Listener
from explorer.networks.vocoder import Vocoder
from explorer.zoo import FOLDER as WEIGHTS
from explorer.zoo import save_looker, to_bytes, write_card

ON_THE_MAP = 160  # voices
DATA = (
    "speech of Kokoro-82M (hexgrad, Apache-2.0): {voices} voices, {blends} of them blends of its own that nobody has, "
    "{minutes} minutes, each also spoken twice at another speed and pitch; twenty English voices are held out together "
    "with every blend of them"
)
COMMAND = "python scripts/train_speech.py FOLDER --start voice --rate 1e-3 --falls-in 2050"
TERMS = "made by this project with Kokoro-82M, whose weights are under Apache-2.0; sentences from Debian's fortunes"


def percentiles(values: list[float]) -> list[float]:
    return [round(float(value), 4) for value in np.percentile(values, np.linspace(0, 100, 101))]


def parts_of(path: Path) -> dict[str, float]:
    """What a voice of `speak_kokoro.py` is mixed of."""
    return json.loads(str(np.load(path)["parts"]))


def ship_voices(folder: Path, listener: Listener) -> dict[str, Any]:
    """The built-in recordings, and what the listener makes of many voices; returns how well it hears those that it was
    not trained on."""
    (FOLDER / "voices").mkdir(parents=True, exist_ok=True)
    voices: list[dict[str, Any]] = []
    if not (folder / "say").exists():  # their recordings stay
        voices = json.loads((FOLDER / "voices.json").read_text())["voices"]
    strangers = {name for path in (folder / "held-out").glob("voice-*.npz") for name in parts_of(path)}
    for path in sorted((folder / "say").glob("*.npz")):
        parts = parts_of(path)
        kind = "blend" if len(parts) > 1 else "stranger" if path.stem in strangers else "known"
        name = f"blend-{path.stem}" if kind == "blend" else path.stem
        label = f"Blend {path.stem}" if kind == "blend" else path.stem.split("_")[1].capitalize()
        ((_, _, about),) = utterances(path)
        soundfile.write(FOLDER / "voices" / f"{name}.flac", about["audio"].numpy(), RATE)
        voices.append({"name": name, "label": label, "kind": kind, "parts": parts})
    same, different, vectors, kinds = [], [], [], []
    spoken = [(path, "known") for path in sorted((folder / "kokoro").glob("voice-*.npz"))[:ON_THE_MAP]]
    spoken += [(path, "stranger") for path in sorted((folder / "held-out").glob("voice-*.npz"))]
    halves, heard, said = [], 0, 0
    for path, kind in spoken:
        parts = parts_of(path)
        seen = [features for features, _, _ in utterances(path)]
        pair = [_voice(listener, seen[:2]), _voice(listener, seen[2:])]
        vectors.append(_voice(listener, seen))
        kinds.append("blend" if len(parts) > 1 else kind)
        if kind == "stranger":
            halves.append(pair)
            for features, _, told in utterances(path):
                ends = [round(end * FRAMES_A_SECOND) for end in itertools.accumulate(told["seconds"])]
                right = listener.hears(features, told["phones"], ends)
                sounds = [one for one, phone in zip(right, told["phones"], strict=True) if phone != SILENCE]
                heard, said = heard + sum(sounds), said + len(sounds)
    for (first, second), (third, fourth) in itertools.combinations(halves, 2):
        different += [float(first @ fourth), float(third @ second)]
    same = [float(first @ second) for first, second in halves]
    stacked = torch.stack(vectors).double()
    centre = stacked.mean(0)
    _, _, axes = torch.linalg.svd(stacked - centre, full_matrices=False)
    places = (stacked - centre) @ axes[:2].T
    content = {
        "voices": voices,
        "map": {
            "centre": [round(value, 5) for value in centre.tolist()],
            "axes": [[round(value, 5) for value in axis] for axis in axes[:2].tolist()],
            "places": [[round(value, 3) for value in place] for place in places.tolist()],
            "kinds": kinds,
        },
        "likeness": {"same": percentiles(same), "different": percentiles(different), "voices": len(halves)},
    }
    (FOLDER / "voices.json").write_text(json.dumps(content) + "\n")
    apart, together = np.array(different), np.array(same)
    thresholds = np.unique(np.concatenate([apart, together]))
    rates = [((apart >= at).mean(), (together < at).mean()) for at in thresholds]
    equal = min(rates, key=lambda pair: abs(pair[0] - pair[1]))
    return {
        "voices": len(halves),
        "sounds heard": round(heard / said, 3),
        "equal error rate of two recordings": round(float(np.mean(equal)), 3),
    }


@torch.no_grad()
def _voice(listener: Listener, seen: list[Tensor]) -> Tensor:
    return listener.voices(torch.cat(seen, 1)[None])[0]


def ship_weights(folder: Path, figures: dict[str, Any]) -> None:
    """The networks in 16 bits, those that were trained anew, and their cards."""
    denoiser = loaded(folder / "kokoro")
    (WEIGHTS / f"{NAME}.safetensors").write_bytes(to_bytes(denoiser, half=True, name=NAME))
    helpers: dict[str, nn.Module] = {"vocoder": Vocoder(), "durations": Durations(), "listener": Listener()}
    helpers = {kind: network for kind, network in helpers.items() if (folder / f"{kind}.pt").exists()}
    for kind, network in helpers.items():
        network.load_state_dict(torch.load(folder / f"{kind}.pt"))
        save_looker(kind, NAME, network, half=True)  # type: ignore[arg-type]
    speech = sorted((folder / "kokoro").glob("voice-*.npz"))
    parts = [parts_of(path) for path in speech]
    seconds = sum(len(np.load(path)["audio"]) for path in speech) / 16_000
    data = DATA.format(voices=len(speech), blends=sum(len(one) > 1 for one in parts), minutes=round(seconds / 60))
    state, path = torch.load(folder / "voice.pt"), WEIGHTS / f"{NAME}.json"
    before = json.loads(path.read_text())
    card = {
        "data": f"{data}; before its last {state['step']:,} steps: {before['data']}",
        "terms": TERMS,
        "architecture": {
            "network": "SpeechUNet",
            **denoiser.network.size,  # type: ignore[dict-item]
            "schedule": "cosine",
            "prediction": denoiser.prediction,
        },
        "parameters": sum(parameter.numel() for parameter in denoiser.parameters()),
        "command": f"{before['command']}, then {COMMAND}",
        "training": {
            **before["training"],
            "steps": before["training"]["steps"] + state["step"],
            "cooled_steps": state["step"],
            "seconds": round(before["training"]["seconds"] + state["seconds"]),
        },
        "metrics": figures,
    }
    write_card(NAME, card)
    commands = {
        "vocoder": "python scripts/train_vocoder.py FOLDER vocoder.pt --minutes 12",
        "durations": "python scripts/train_durations.py FOLDER durations.pt",
        "listener": "python scripts/train_listener.py FOLDER listener.pt --minutes 25",
    }
    for kind, network in helpers.items():
        count = sum(parameter.numel() for parameter in network.parameters())
        about = {"data": data, "terms": TERMS, "parameters": count, "command": commands[kind]}
        write_card(f"{kind}-{NAME}", about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--figures", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    card = WEIGHTS / f"{NAME}.json"
    known = json.loads(card.read_text())["metrics"] if card.exists() else {}
    ship_weights(given.folder, json.loads(given.figures.read_text()) if given.figures else known)
    if (given.folder / "listener.pt").exists():
        listener = build(Listener, 0)
        listener.load_state_dict(torch.load(given.folder / "listener.pt"))
        heard = ship_voices(given.folder, listener)
        path = WEIGHTS / f"listener-{NAME}.json"
        write_card(f"listener-{NAME}", {**json.loads(path.read_text()), "metrics": heard})


if __name__ == "__main__":
    main()
