"""Run the components of published systems on shapes alone and write what they keep: `assets/hardware/traces.json`.

    python scripts/trace_systems.py          # goes on with what the file lacks; an hour on one core for all

Needs diffusers (the extra `rig`). Nothing is downloaded: the configurations are in `assets/hardware/configs.json`.
"""

import datetime
import json
import logging
import tomllib
import warnings
from dataclasses import asdict
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


def settings(name: str) -> list[Setting]:
    """Where a component is run, from small to large."""
    kind = configs()[name]["_class_name"]
    if "StableAudio" in kind or "Oobleck" in kind:
        return [Setting()]
    times = next((times for part, times in TIMES.items() if part in name), 4)
    if "3D" in kind or "LTX2" in kind or any(part in kind for part in ("Wan", "Cog", "Hunyuan", "Mochi", "LTX")):
        sized = [Setting(1, height, width, times * ((frames - 1) // times) + 1) for height, width, frames in VIDEOS]
        if name.startswith("denoiser."):
            return sized
        frames = sorted({one.frames for one in sized})[:1] + sorted({one.frames for one in sized})[2:]
        return [Setting(1, one.height, one.width, count) for one in sized for count in frames]
    return [Setting(1, side, side) for side in SIDES]


def trace(name: str) -> dict[str, Any]:
    """All of one component. A row is height x width, frames, and what was counted."""
    module = component(name)
    rows: dict[str, Any] = {"weights": counted(module)}
    at = settings(name)
    if name.startswith("vae."):
        systems = tomllib.loads((ASSETS / "hardware" / "systems.toml").read_text())["system"]
        for precision in {one["vae_precision"] for one in systems if f"vae.{one['vae']}" == name}:
            rows[precision] = [
                [one.height * one.width, one.frames, *trace_running(name, module, one, "flash", COMPUTED_IN[precision])]
                for one in at
            ]
        return rows
    rows["running"] = [
        [
            one.height * one.width,
            one.frames,
            *trace_running(name, module, one, "flash", torch.bfloat16),
            *trace_running(name, module, one, "math", torch.bfloat16),
            trace_operations(name, module, one),
        ]
        for one in at
    ]
    once, twice = (
        trace_running(name, module, Setting(n, at[0].height, at[0].width, at[0].frames), "flash", torch.bfloat16)[1]
        for n in (1, 2)
    )
    rows["second sample"] = round(twice / once - 1, 4)
    rows["training"] = [[one.height * one.width, one.frames, *training(name, module, one)] for one in at[:3]]
    return rows


def counted(module: nn.Module) -> dict[str, int]:
    return asdict(count_weights(getattr(module, "vae", module)))


def training(name: str, module: nn.Module, setting: Setting) -> list[int | None]:
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
    for name, found in table["components"].items():
        found["weights"] = counted(component(name))
    for name in sorted(configs(), reverse=True):  # decoders, which are quick, come first
        if name in table["components"] or name in LEFT_OUT:
            continue
        table["components"][name] = found = trace(name)
        table["made"] = {
            "torch": torch.__version__.partition("+")[0],
            "diffusers": diffusers.__version__,
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        }
        lines = [f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in sorted(table["components"].items())]
        TABLE.write_text(
            '{\n "made": ' + json.dumps(table["made"]) + ',\n "components": {\n' + ",\n".join(lines) + "\n }\n}\n"
        )
        settled = next(rows for rows in found.values() if isinstance(rows, list))
        largest = max(row[3] for row in settled)
        print(
            f"{name}: {len(settled)} settings, up to {largest / 2**30:.1f} GiB",
            flush=True,
        )
    print(f"{TABLE.stat().st_size / 2**10:.0f} KiB, {len(table['components'])} components")


if __name__ == "__main__":
    main()
