"""Energy: what was computed here, in joules, beside published figures."""

from dataclasses import dataclass

JOULES_A_WH = 3_600.0


@dataclass(frozen=True)
class Published:
    """Something that others measured or reported: watt-hours, and where it stands."""

    what: str
    watt_hours: float
    source: str


PUBLISHED = (
    Published(
        "one picture, the mean of the models measured (2.9 kWh for a thousand)",
        2.907,
        "[Luccioni, Jernite and Strubell (2024)](https://arxiv.org/abs/2311.16863)",
    ),
    Published(
        "training Stable Diffusion 1: 150,000 hours of an A100, whose full power is 250 W",
        150_000 * 250.0,
        "[its model card](https://huggingface.co/CompVis/stable-diffusion-v1-4), which reports 11,250 kg of CO₂",
    ),
)


def watt_hours(cpu_seconds: float, watts: float) -> float:
    """The energy of so many seconds of one core at so many watts. Raises ValueError for negative numbers."""
    if cpu_seconds < 0 or watts < 0:
        raise ValueError("neither time nor power is negative")
    return cpu_seconds * watts / JOULES_A_WH


def told(energy: float) -> str:
    """Watt-hours in words: "12 mWh", "3.4 Wh", "37.5 MWh"."""
    for unit, size in (("GWh", 1e9), ("MWh", 1e6), ("kWh", 1e3), ("Wh", 1.0), ("mWh", 1e-3)):
        if energy >= size:
            return f"{energy / size:,.3g} {unit}"
    return f"{energy * 1e6:,.3g} µWh"
