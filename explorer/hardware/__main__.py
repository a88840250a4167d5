"""What a published system needs, in a terminal: `python -m explorer.hardware sdxl --batch 2 --card "GeForce RTX 4090"`.

Without a system it lists all of them. `--json` prints the same as JSON.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from typing import Any

from explorer.hardware.catalogue import GIB, card
from explorer.hardware.speed import sampling
from explorer.hardware.systems import (
    ATTENTION,
    PRECISIONS,
    Asked,
    System,
    asked_by_default,
    phases,
    savings,
    systems,
)


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m explorer.hardware", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("system", nargs="?", help="its key, as the list without one has it")
    parser.add_argument("--resolution", help="1024, or height x width as 480x832")
    parser.add_argument("--frames", type=int)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16")
    parser.add_argument("--encoder-precision", choices=PRECISIONS, default="bf16")
    parser.add_argument("--attention", choices=ATTENTION, default="flash")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--card")
    for switch in ("offload", "tiling", "encoders-off", "experts-swapped", "unguided", "json"):
        parser.add_argument(f"--{switch}", action="store_true")
    return parser.parse_args(arguments)


def asked_of(system: System, given: argparse.Namespace) -> Asked:
    """The system's default setting with what was given. Raises ValueError for a resolution that is none."""
    asked = replace(
        asked_by_default(system),
        batch=given.batch,
        guided=not given.unguided,
        precision=given.precision,
        encoder_precision=given.encoder_precision,
        attention=given.attention,
        offload=given.offload,
        tiling=given.tiling,
        encoders_off=given.encoders_off,
        experts_swapped=given.experts_swapped,
    )
    if given.resolution:
        sides = given.resolution.lower().split("x")
        if len(sides) > 2 or not all(side.strip().isdecimal() for side in sides):
            raise ValueError(f"a resolution is a side, 1024, or height x width, 480x832, not {given.resolution!r:.40}")
        asked = replace(asked, height=int(sides[0]), width=int(sides[-1]))
    return asked if given.frames is None else replace(asked, frames=given.frames)


def found(system: System, asked: Asked, given: argparse.Namespace) -> dict[str, Any]:
    """What there is to say, in bytes and seconds."""
    at = phases(system, asked)
    fullest = max(at, key=lambda phase: phase.total)
    answer: dict[str, Any] = {
        "system": system.name,
        "asked": asdict(asked),
        "phases": {phase.name: phase.parts | {"total": phase.total} for phase in at},
        "peak": {"phase": fullest.name, "bytes": fullest.total, "computed": fullest.computed},
        "savings": dict(savings(system, asked)),
    }
    if given.card:
        one = card(given.card)
        answer["card"] = {"name": one.name, "usable": one.usable}
        rate = one.rate(asked.precision)
        if rate and one.bandwidth:
            steps = given.steps or system.steps
            band = sampling(system, asked, steps, rate, one.bandwidth / one.devices)
            answer["seconds"] = {"steps": steps, "from": band.fast, "to": band.slow, "share of peak": band.shares}
    return answer


def told(answer: dict[str, Any]) -> str:
    """The same as lines for people."""
    lines = [f"{answer['system']}: at least {answer['peak']['bytes'] / GIB:.1f} GiB in {answer['peak']['phase']}", ""]
    for name, parts in answer["phases"].items():
        shown = ", ".join(f"{part} {size / GIB:.2f}" for part, size in parts.items() if size and part != "total")
        lines.append(f"{name:14} {parts['total'] / GIB:7.2f} GiB   {shown}")
    if "card" in answer:
        usable = answer["card"]["usable"]
        if usable is None:
            lines += ["", f"{answer['card']['name']}: its memory is not known"]
        else:
            spare = usable - answer["peak"]["bytes"]
            fits = f"fits, {spare / GIB:.1f} GiB to spare" if spare >= 0 else f"short by {-spare / GIB:.1f} GiB"
            lines += ["", f"{answer['card']['name']}: {fits}"]
    if "seconds" in answer:
        time = answer["seconds"]
        lines.append(f"{time['steps']} steps: {time['from']:.1f} to {time['to']:.1f} s")
    saved = [f"{name} {size / GIB:.1f} GiB" for name, size in list(answer["savings"].items())[:4]]
    return "\n".join([*lines, "", "saves most: " + ("; ".join(saved) or "nothing that is not set")])


def main(arguments: list[str] | None = None) -> int:
    """Print it; 2 for what cannot be answered, with a sentence on standard error."""
    given = parsed(sys.argv[1:] if arguments is None else arguments)
    if given.system is None:
        for key, system in systems().items():
            print(f"{key:18} {system.name}")
        return 0
    try:
        if given.system not in systems():
            raise ValueError(f"no system is called {given.system!r:.40}: they are {', '.join(systems())}")
        system = systems()[given.system]
        answer = found(system, asked_of(system, given), given)
    except ValueError as error:
        print(f"{error}.", file=sys.stderr)
        return 2
    print(json.dumps(answer, indent=1) if given.json else told(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
