"""The diagram of a U-Net: its parts to scale, and what each computes, under a time slider in the browser."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from explorer.charts import palette
from explorer.charts.slides.figures import Images
from explorer.lessons.views import as_shown
from explorer.ui import gathering
from explorer.ui.buffer import pack
from explorer.ui.components import component
from explorer.ui.film import GREY_LIMIT, to_bytes

if TYPE_CHECKING:
    from explorer.lessons.unet import Moments
    from explorer.networks.structure import Part

MOST_MAPS = 64  # of a part, that are sent
ON_SLIDE = 8  # of them, that a slide shows

_diagram = component("diagram", "buffer", "mount", "pixels", "screen", "theme", "transport")

_DOES = {
    "embedding": "Turns the noise level, and the class (or that none is told), into a vector. It scales and shifts the "
    "features of every part with a dot.",
    "stem": "A convolution that makes the first features of the pixels.",
    "folding stem": "Folds squares of {fold} x {fold} pixels into channels, and a convolution makes the first features "
    "of them.",
    "encoder": "Looks for patterns at this resolution. The result goes on to the next part, and across the skip "
    "connection.",
    "down": "A convolution that stops at every second row and column only: {input} places become {output}.",
    "middle": "Two blocks at the lowest resolution, where a convolution reaches farthest across the image.",
    "attention": "Every place looks at every other and takes in what it can use, between the two blocks of the middle. "
    "Its maps are what it adds.",
    "cross-attention": "Every place looks at the words of the prompt. It works between the two blocks of the middle.",
    "decoder": "Mixes what comes from below, which knows what is there, with what the skip connection brings, which "
    "knows where.",
    "up": "A convolution at the lower resolution; then each of its values is repeated until {input} places are "
    "{output}. Nothing is smoothed: neighbours stay equal until the decoder sees them.",
    "head": "Makes pixels of the features: what the network predicts, from which the guess of the clean image follows.",
    "skip": "Hands the maps of the encoder, which are those shown, across: with them what the way down has lost since.",
}


def diagram(
    parts: "Sequence[Part]",
    moments: "Moments",
    maps: Mapping[str, np.ndarray],
    *,
    key: str,
    source: str = "",
    whole: "Moments | None" = None,
    scales: Mapping[str, float] | None = None,
    cuttable: Sequence[str] = (),
    on_cut: Callable[[str], None] | None = None,
    start: float = 0.0,
    autoplay: bool = True,
) -> None:
    """Draws `parts` with what they compute at `moments`; a part that is selected shows its maps large.

    `maps` are those of the moments, as `packed` gives them; `source` says in a word or three where the clean image
    comes from.

    With `scales` other than 1, `moments` are those of the network that is cut so, and `whole` those of the same
    network uncut. A part of `cuttable` has a button while it is selected; `on_cut(name)` is called before the
    rerun that it causes, as a widget's callback is. The clock starts at the log-SNR `start`.
    """
    images = {"x": moments.x, "image": moments.image, "x0": moments.x0}
    errors = {"error x0": moments.error}
    if whole is not None:
        images["whole"], errors["error whole"] = whole.x0, whole.error
    coloured = moments.image.shape[0] == 3
    limit = 1.0 if coloured else GREY_LIMIT
    arrays = {name: to_bytes(as_shown(values), limit) for name, values in images.items()} | errors
    first = int(np.abs(moments.log_snr - start).argmin())
    meta = {
        "parts": [_described(part) for part in parts],
        "moments": [{"t": float(t), "logSnr": float(r)} for t, r in zip(moments.t, moments.log_snr, strict=True)],
        "skip": _DOES["skip"],
        "source": source,
        "scales": dict(scales or {}),
        "cuttable": list(cuttable),
        "start": first,
        "autoplay": autoplay,
        "palette": palette.THEMES,
    }

    gathering.keep(lambda: _maps_at(first, parts, moments, maps))

    def cut_clicked() -> None:
        name = st.session_state[key].get("cut")
        if on_cut and name in cuttable:
            on_cut(name)

    _diagram(key=key, data=pack(meta, **arrays, **maps), on_cut_change=cut_clicked)


def _maps_at(moment: int, parts: "Sequence[Part]", moments: "Moments", maps: Mapping[str, np.ndarray]) -> Images:
    """The first maps of each part at one of the moments."""
    level = f"{moments.log_snr[moment]:g}".replace("-", "\N{MINUS SIGN}")
    rows: list[tuple[str, np.ndarray, list[str]]] = [
        (f"{part.name}, {' x '.join(map(str, part.output_shape))}", found[moment][:ON_SLIDE, ..., None], [])
        for part in parts
        if (found := maps.get(f"maps {part.name}")) is not None and part.kind != "embedding"
    ]
    return Images(f"What each part computes at log-SNR {level}: its first {ON_SLIDE} maps", [], rows)


def packed(maps: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The maps of `Moments` as they are sent: "maps NAME", the first `MOST_MAPS` of a part in bytes, and "range "
    "NAME"."""
    arrays = {}
    for name, values in maps.items():
        sent, bounds = to_own_range(values[None, None] if values.ndim == 2 else values[:, :MOST_MAPS])
        arrays[f"maps {name}"] = sent.reshape(len(values), 1, 1, -1) if values.ndim == 2 else sent
        arrays[f"range {name}"] = bounds
    return arrays


def to_own_range(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maps, (k, n, h, w), as uint8 from the least to the greatest value of each, and these, float32 (k, n, 2)."""
    low, high = values.min((2, 3), keepdims=True), values.max((2, 3), keepdims=True)
    span = np.where(high > low, high - low, 1)
    bounds = np.concatenate([low, high], -1)[:, :, 0].astype(np.float32)
    return np.nan_to_num(np.rint(255 * (values - low) / span)).astype(np.uint8), bounds


def _described(part: "Part") -> dict[str, Any]:
    fold = part.input_shape[-1] // part.output_shape[-1]
    does = _DOES["folding stem" if part.kind == "stem" and fold > 1 else part.kind]
    entering, leaving = (" x ".join(map(str, shape[-2:])) for shape in (part.input_shape, part.output_shape))
    return {
        "name": part.name,
        "kind": part.kind,
        "level": part.level,
        "inputs": part.inputs,
        "does": does.format(fold=fold, input=entering, output=leaving),
        "input": part.input_shape,
        "output": part.output_shape,
        "parameters": part.parameters,
        "multiplyAdds": part.multiply_adds,
        "field": part.field,
        "modulated": part.modulated,
    }
