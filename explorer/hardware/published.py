"""Published measurements, and what is estimated for each: how far the estimates can be trusted.

The rows of `assets/hardware/published_peaks.csv` are sorted by a fixed rule, which knows no estimate (`kind_of`).
"""

import csv
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from explorer.files import read_asset
from explorer.hardware.catalogue import GIB
from explorer.hardware.systems import Asked, System, asked_by_default, decoding, peak, systems, vae_bytes
from explorer.hardware.traces import FOLDER

NAMES = {  # as the sources call them
    "FLUX.1-dev": "flux1-dev",
    "FLUX.1": "flux1-dev",
    "SD 2.1": "sd21",
    "SDXL base": "sdxl",
    "SD3 medium": "sd3",
    "PixArt-alpha": "pixart-alpha",
    "PixArt-Sigma": "pixart-sigma",
    "LTX-Video 0.9": "ltx",
    "HunyuanVideo": "hunyuanvideo",
    "CogVideoX-5b": "cogvideox-5b",
    "CogVideoX-2b": "cogvideox-2b",
    "CogVideoX1.5-5B": "cogvideox1.5-5b",
    "Wan2.1 T2V-1.3B": "wan21-1.3b",
    "Wan2.1 I2V-14B": "wan21-i2v",
    "Wan2.2 T2V-A14B": "wan22-a14b",
    "Wan2.2 I2V-A14B": "wan22-i2v",
    "Qwen-Image": "qwen-image",
    "Mochi 1": "mochi",
    "FLUX.2 dev": "flux2-dev",
    "Qwen-Image VAE decode alone": "qwen-image",
}
DONE: dict[str, dict[str, Any]] = {  # what the switches of the sources ask for; any other part of them is not modelled
    "all on GPU": {},
    "CFG batch 2": {},
    "CFG": {},
    "no tiling": {},
    "50 steps": {},
    "model CPU offload": {"offload": True},
    "offload": {"offload": True},
    "tiling": {"tiling": True},
    "VAE tiling": {"tiling": True},
    "8-bit": {"precision": "int8"},
    "4-bit": {"precision": "nf4"},
    "fp8 layerwise": {"precision": "fp8"},
    "T5 in int8 (bitsandbytes)": {"encoder_precision": "int8"},
}
PRECISIONS: dict[str, dict[str, Any]] = {
    "bf16": {},
    "fp16": {},
    "fp16, VAE upcast to fp32": {},
    "fp8 both (quanto)": {"precision": "fp8", "encoder_precision": "fp8"},
    "bnb nf4": {"precision": "nf4", "encoder_precision": "nf4"},
}
HEADROOM = 1.1  # plan for a tenth more than the estimate
EXACT = ("max_memory_allocated", "max mem used", "1024^3", "gib allocated")
OWN_CODE = ("own code", "sat", "--offload")
UNMODELLED = ("own code", "fuses and upcasts")  # in notes: what the switches do not say


@dataclass(frozen=True)
class Measured:
    """A published peak, in bytes, and its estimate, None where a switch is not modelled. `kind` is "comparable"
    (diffusers, allocated memory in an exact unit, every switch modelled), "bound" (published as "about" or "minimum"),
    "rule" (a model on whose rows a rule of the estimate was found) or "other" (other code, or reserved memory)."""

    model: str
    setting: str
    measured: float
    estimate: float | None
    kind: str
    source: str

    @property
    def error(self) -> float:
        """Of the estimate, as a share of what was measured."""
        assert self.estimate is not None
        return self.estimate / self.measured - 1


def rows() -> list[dict[str, str]]:
    return list(csv.DictReader(read_asset(FOLDER / "published_peaks.csv").decode().splitlines()))


def kind_of(row: dict[str, str]) -> str:
    """By the words of a row alone, whatever is estimated for it."""
    unit, switches = row["unit"].lower(), row["switches"].lower()
    if row["model"].startswith("FLUX.1"):
        return "rule"
    if any(word in unit for word in ("minimum", "about")) or "lower bound" in row["note"]:
        return "bound"
    own = any(word in switches for word in OWN_CODE) or any(word in row["note"] for word in UNMODELLED)
    exact = any(word in unit for word in EXACT)
    return "comparable" if exact and not own and request(row) is not None else "other"


def request(row: dict[str, str]) -> tuple[System, Asked] | None:
    """What a row asks of which system; None where something of it is not modelled."""
    system = systems().get(NAMES.get(row["model"], ""))
    switches = [part.strip() for part in row["switches"].split(",")]
    if system is None or row["precision"] not in PRECISIONS or any(part not in DONE for part in switches):
        return None
    asked = asked_by_default(system)
    if "x" in row["resolution"]:
        height, width = (int(side) for side in row["resolution"].split("x")[:2])
        asked = replace(asked, height=height, width=width)
    if row["frames"]:
        asked = replace(asked, frames=int(row["frames"]))
    changes = {name: value for part in switches for name, value in DONE[part].items()}
    return system, replace(asked, batch=int(row["batch"]), **PRECISIONS[row["precision"]], **changes)


def measured() -> list[Measured]:
    """All rows, in their order."""
    found = []
    for row in rows():
        asked = request(row)
        estimate = None if asked is None else _estimate(row["model"], *asked)
        size = float(row["measured"]) * (2**20 if row["unit"].startswith("MB") else GIB)
        parts = (row["resolution"], row["frames"] and f"{row['frames']} frames", row["precision"], row["switches"])
        setting = ", ".join(part for part in parts if part)
        found.append(Measured(row["model"], setting, size, estimate, kind_of(row), row["source"]))
    return found


def _estimate(model: str, system: System, asked: Asked) -> float:
    if "decode alone" in model:
        alive, scratch, _ = decoding(system, asked)
        return vae_bytes(system) + alive + scratch
    return peak(system, asked).total


def summary(found: Iterable[Measured]) -> dict[str, float]:
    """How many rows there are of each kind, and the errors of the comparable ones: median, least and greatest, and
    how many were measured above the estimate and above `HEADROOM` times it."""
    found = list(found)
    counts = {
        f"rows {kind}": sum(one.kind == kind for one in found) for kind in ("comparable", "bound", "rule", "other")
    }
    errors = [one.error for one in found if one.kind == "comparable"]
    bounds = [one for one in found if one.kind == "bound" and one.estimate is not None]
    return counts | {
        "median error": statistics.median(map(abs, errors)),
        "least error": min(errors),
        "greatest error": max(errors),
        "above": sum(error < 0 for error in errors),
        "above the plan": sum(HEADROOM * (1 + error) < 1 for error in errors),
        "bounds estimated": len(bounds),
        "bounds missed": sum(one.error < 0 for one in bounds),
    }
