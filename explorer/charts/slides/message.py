"""Figures as bytes, for the process that draws them: JSON and arrays, so that nothing in them is run."""

import io
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from explorer.charts.slides.figures import Chart, Figure, Film, Images, Spectrograms, Table, Walk
from explorer.jobs.events import Event, MessageError, encode, read

KINDS: dict[str, type[Figure]] = {kind.__name__: kind for kind in (Chart, Images, Film, Walk, Spectrograms, Table)}
ARRAY = "\0array"  # the only key of what stands for an array; its number


def packed(figures: Sequence[Figure], page: str) -> bytes:
    """The figures and the name of their page as a message. Raises `MessageError` above 64 MiB."""
    arrays: dict[str, np.ndarray] = {}

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = str(len(arrays))
            arrays[name] = value
            return {ARRAY: name}
        if isinstance(value, dict):
            return {name: plain(inner) for name, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value

    told = [
        [type(figure).__name__, *(plain(getattr(figure, one.name)) for one in fields(figure))] for figure in figures
    ]
    return encode(Event("figures", {"page": page, "figures": told}, arrays))


def unpacked(message: bytes) -> tuple[list[Figure], str]:
    """The figures of `packed`, lists in place of tuples, and the page. Raises `MessageError` for anything else."""
    event = read(io.BytesIO(message))
    if event is None or event.kind != "figures":
        raise MessageError("these are no figures")

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            if ARRAY in value:
                return event.arrays[value[ARRAY]]
            return {name: whole(inner) for name, inner in value.items()}
        return [whole(inner) for inner in value] if isinstance(value, list) else value

    return [KINDS[kind](*map(whole, told)) for kind, *told in event.data["figures"]], event.data["page"]
