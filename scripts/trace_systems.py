"""Run the components of published systems on shapes alone and write what they keep: `assets/hardware/traces.json`.

    python scripts/trace_systems.py                  # goes on with what the file lacks; an hour on one core for all
    python scripts/trace_systems.py denoiser.sdxl    # of one component

Needs diffusers (the extra `rig`). Nothing is downloaded: the configurations are in `assets/hardware/configs.json`.
"""

import datetime
import json
import logging
import sys
import tomllib
import warnings
from dataclasses import asdict, replace
from typing import Any

import diffusers
import torch
from torch import nn

from explorer.files import ASSETS
from explorer.hardware.diffusers_models import Setting, configs
from explorer.hardware.tracing import component, trace_operations, trace_running, trace_training
from explorer.hardware.weights import COMPUTED_IN, count_weights

TABLE = ASSETS / "hardware" / "traces.json"
LEFT_OUT = {"denoiser.flux1-fill", "denoiser.ltx-2.5", "denoiser.chroma1-hd"}  # as others here
SIDES = (512, 1024, 1536, 2048)
VIDEOS = ((320, 512, 17), (480, 832, 49), (704, 1280, 81), (1088, 1920, 161))
TIMES = {"ltx": 8, "mochi": 6}  # frames that become one latent, 4 elsewhere


def systems_of(name: str) -> list[dict[str, Any]]:
    """The systems that a component belongs to."""
    part, _, key = name.partition(".")
    return [
        one for one in tomllib.loads((ASSETS / "hardware" / "systems.toml").read_text())["system"] if one[part] == key
    ]


def settings(name: str) -> list[Setting]:
    """Where a component is run: a few sizes, from small to large, then those that its systems have by default."""
    kind = configs()[name]["_class_name"]
    if "StableAudio" in kind or "Oobleck" in kind:
        return [Setting()]
    default = [Setting(1, one["height"], one["width"], one["frames"]) for one in systems_of(name)]
    times = next((times for part, times in TIMES.items() if part in name), 4)
    if "3D" not in kind and not any(part in kind for part in ("LTX", "Wan", "Cog", "Hunyuan", "Mochi")):
        return list(dict.fromkeys([*(Setting(1, side, side) for side in SIDES), *default]))
    sized = [Setting(1, height, width, times * ((frames - 1) // times) + 1) for height, width, frames in VIDEOS]
    if name.startswith("vae."):
        counts = [one.frames for one in sized if one.frames != sized[1].frames]
        sized = [Setting(1, one.height, one.width, count) for one in sized for count in counts]
    return list(dict.fromkeys([*sized, *default]))


def trace(name: str, rows: dict[str, Any]) -> bool:
    """Add what `rows` lack of one component, and say whether that was anything. A row is height x width, frames, and
    what was counted."""
    module, at, before = component(name), settings(name), json.dumps(rows)
    rows["weights"] = counted(module)

    def missing(kind: str, wanted: list[Setting]) -> list[Setting]:
        known = [(row[0], row[1]) for row in rows.setdefault(kind, [])]
        return [one for one in wanted if (one.height * one.width, one.frames) not in known]

    if name.startswith("vae."):
        for precision in {one["vae_precision"] for one in systems_of(name)}:
            for one in missing(precision, at):
                try:
                    bytes_alive = trace_running(name, module, one, "flash", COMPUTED_IN[precision])
                except RuntimeError as error:  # its own code splits a large frame into pieces too small for its kernels
                    print(f"{name} cannot decode {one}: {error}")
                    continue
                rows[precision].append([one.height * one.width, one.frames, *bytes_alive])
        return json.dumps(rows) != before
    for one in missing("running", at):
        flash, plain = (trace_running(name, module, one, kind, torch.bfloat16) for kind in ("flash", "math"))
        rows["running"].append(
            [one.height * one.width, one.frames, *flash, *plain, trace_operations(name, module, one)]
        )
    if "second sample" not in rows:
        once, twice = (trace_running(name, module, replace(at[0], batch=n), "flash", torch.bfloat16)[1] for n in (1, 2))
        rows["second sample"] = round(twice / once - 1, 4)
    for one in missing("training", at[:3]):
        rows["training"].append([one.height * one.width, one.frames, *training(name, module, one)])
    return json.dumps(rows) != before


def counted(module: nn.Module) -> dict[str, int]:
    return asdict(count_weights(getattr(module, "vae", module)))


def training(name: str, module: nn.Module, setting: Setting) -> list[int]:
    """Saved bytes in full and with checkpointing, then the same with low-rank matrices alone trained."""
    return [
        trace_training(name, module, setting, low_rank, checkpointing)
        for low_rank in (False, True)
        for checkpointing in (False, True)
    ]


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {"components": {}}
    for name in sys.argv[1:] or sorted(configs(), reverse=True):  # decoders, which are quick, come first
        found = table["components"].setdefault(name, {})
        if name in LEFT_OUT or not trace(name, found):
            continue
        table["made"] = {
            "torch": torch.__version__.partition("+")[0],
            "diffusers": diffusers.__version__,
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        }
        lines = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(table["components"].items()) if one]
        TABLE.write_text(
            '{\n "made": ' + json.dumps(table["made"]) + ',\n "components": {\n' + ",\n".join(lines) + "\n }\n}\n"
        )
        settled = next(rows for rows in found.values() if isinstance(rows, list))
        print(f"{name}: {len(settled)} settings, up to {max(row[3] for row in settled) / 2**30:.1f} GiB", flush=True)
    print(f"{TABLE.stat().st_size / 2**10:.0f} KiB, {len(table['components'])} components")


if __name__ == "__main__":
    main()
