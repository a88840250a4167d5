"""Write `docs/hardware-accuracy.md`: published counts and peaks beside what is counted and estimated here.

python scripts/write_accuracy.py
"""

from explorer.files import ROOT
from explorer.hardware.diffusers_models import configs
from explorer.hardware.published import GIB, Measured, measured, summary
from explorer.hardware.speed import reached
from explorer.hardware.systems import encoders, systems
from explorer.hardware.traces import traces, weights

TARGET = ROOT / "docs" / "hardware-accuracy.md"
KINDS = {
    "comparable": "diffusers, allocated memory, an exact unit, every switch modelled",
    "bound": "published as “about” or “minimum”",
    "rule": "FLUX.1, on whose rows the rule for the scratch of convolutions was found: not counted",
    "other": "other code, reserved memory, or a switch that is not modelled: not counted",
}


def counts() -> list[str]:
    """Parameters of each system's components."""
    lines = ["| system | denoiser | VAE | text encoders | checked against |", "|---|--:|--:|--:|---|"]
    for system in systems().values():
        denoiser, vae = (
            configs()[name].get("_counted_parameters") for name in (f"denoiser.{system.denoiser}", f"vae.{system.vae}")
        )
        texts = sum(encoders()[key].parameters for key in system.encoders)
        said = f"{vae:,}" if vae else f"{weights(f'vae.{system.vae}').linear + weights(f'vae.{system.vae}').other:,}"
        lines.append(f"| {system.name} | {denoiser:,} | {said} | {texts:,} | {system.counts} |")
    return lines


def peak_row(one: Measured) -> str:
    estimate = "–" if one.estimate is None else f"{one.estimate / GIB:.2f}"
    error = "–" if one.estimate is None else f"{one.error:+.1%}"
    return f"| {one.model} | {one.setting} | {one.measured / GIB:.2f} | {estimate} | {error} | {one.source} |"


def main() -> None:
    found = measured()
    told = summary(found)
    lines = [
        "# How near the estimates of `explorer.hardware` come",
        "",
        "Written by `python scripts/write_accuracy.py` from `assets/hardware`. Everything was held against published",
        "figures alone; no card was at hand.",
        "",
        f"Of {told['rows comparable']} comparable peaks the median error is {told['median error']:.1%}, from "
        f"{told['least error']:+.1%} to {told['greatest error']:+.1%}; of {told['rows bound']} bounds "
        f"{told['bounds estimated']} can be estimated, {told['bounds missed']} of these too low.",
        "",
        "## Parameters",
        "",
        f"{len(traces())} components of {len(systems())} systems. A count is exact against a published number, or "
        "could be checked against a rounded one only.",
        "",
        *counts(),
        "",
        "## Peaks of memory, GiB",
    ]
    for kind, about in KINDS.items():
        rows = [one for one in found if one.kind == kind]
        lines += ["", f"### {kind.capitalize()} ({len(rows)}): {about}", ""]
        lines += ["| model | setting | published | estimate | error | source |", "|---|---|--:|--:|--:|---|"]
        lines += map(peak_row, rows)
    lines += ["", "## Speeds: the share of a card's dense peak that was reached", ""]
    lines += ["| model | card | a step at the peak, ms | reached | source |", "|---|---|--:|--:|---|"]
    for one in sorted(reached(), key=lambda one: one.ideal):
        lines.append(f"| {one.model} | {one.card} | {1000 * one.ideal:.1f} | {one.share:.0%} | {one.source} |")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("\n".join(lines) + "\n")
    print(f"{TARGET.relative_to(ROOT)}: {told}")


if __name__ == "__main__":
    main()
