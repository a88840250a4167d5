"""The sections, the methods and the durations of the page, as people read them."""

from explorer.lessons.sampling_showdown.walks import Method
from explorer.metrics import NotFinite
from explorer.samplers import SPACINGS
from explorer.ui.controls import SAMPLER_LABELS

SECTIONS = {
    "duel": "Two samplers, one clock",
    "one-noise": "One noise, many walks",
    "quality": "Quality against steps",
    "between": "Between two noises",
    "round-trip": "From a real image to its noise, and back",
}
BLOWN_UP = str(NotFinite())
PIXELS = "black is −1 and white 1, and a sample may overshoot both"


def see(section: str) -> str:
    """Where on the page a number stands."""
    return f"[{SECTIONS[section]}](#{section})"


def title_of(method: Method) -> str:
    """A method in a few words."""
    eta = f", eta {method.eta:g}" if method.eta else ""
    times = f", {SPACINGS[method.spacing].lower()}" if method.spacing else ""
    return f"{SAMPLER_LABELS[method.sampler]}{eta}{times}, {method.steps:,} step{'s' * (method.steps > 1)}"


def seconds_of(seconds: float) -> str:
    """A duration as people say it."""
    if seconds < 1:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"
