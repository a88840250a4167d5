"""Published systems, a denoiser with its VAE and text encoders: what each phase of making an image or a video keeps.

The denoiser and the decoder were run on shapes (`scripts/trace_systems.py`): the activations of a setting that was
traced are computed, others are interpolated between those that were. Text encoders were counted; what they keep while
they run, tens of MB, is left out.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from explorer.files import read_asset
from explorer.hardware.traces import FOLDER, At, fresh, over_grid, through, traces, weights
from explorer.hardware.weights import NF4_BLOCK, Weights
from explorer.once import once

PRECISIONS = ("fp32", "bf16", "fp16", "fp8", "int8", "nf4")
ATTENTION = ("flash", "math")
METHODS = ("full", "lora")
GUIDANCE = ("batch", "calls", "none")
MOST = 10_000  # samples


@dataclass(frozen=True)
class Encoder:
    """A text encoder: its `parameters`, and those of tables of words, `embedding`, which stay in 16 bits."""

    key: str
    name: str
    parameters: int
    embedding: int

    def bytes(self, precision: str) -> int:
        """Of its weights in one of `PRECISIONS`."""
        linear = self.parameters - self.embedding
        return Weights(linear, 0, 0, -(-linear // NF4_BLOCK), self.embedding, 0, 0, 0).bytes(precision)


@dataclass(frozen=True)
class System:
    """A system and how it is used by default.

    `guidance` is how it is computed: in a "batch" twice as large, by two "calls" in turn, or "none". Sides are
    multiples of `multiple` pixels; `frames_a_latent` frames become one latent. `tile` is the side of a tile of the VAE,
    0 where it has none; `experts` denoisers take turns over the noise levels. `counts` says what the number of
    parameters was checked against: an "exact" published one, or a "rounded" one.
    """

    key: str
    name: str
    kind: str
    denoiser: str
    vae: str
    encoders: tuple[str, ...]
    guidance: str
    steps: int
    height: int
    width: int
    frames: int
    multiple: int
    frames_a_latent: int
    tile: int
    vae_precision: str
    experts: int
    counts: str
    note: str = ""


@dataclass(frozen=True)
class Asked:
    """What is asked of a system. `precision` and `encoder_precision` are those of the weights of the denoiser and of
    the text encoders. With `offload` only the component that runs is on the device (and what is kept in "int8", which
    bitsandbytes does not move); with `encoders_off` the text encoders leave it before the denoiser comes; with
    `experts_swapped` so does the expert that does not run."""

    height: int
    width: int
    frames: int = 1
    batch: int = 1
    guided: bool = True
    precision: str = "bf16"
    encoder_precision: str = "bf16"
    attention: str = "flash"
    offload: bool = False
    encoders_off: bool = False
    experts_swapped: bool = False
    tiling: bool = False


@dataclass(frozen=True)
class Phase:
    """What lies on the device in a phase, bytes by part. `computed` says whether its activations were traced at this
    very setting; they are interpolated where it is false."""

    name: str
    parts: dict[str, int]
    computed: bool = True

    @property
    def total(self) -> int:
        return sum(self.parts.values())


@once()
def encoders() -> dict[str, Encoder]:
    """The text encoders by key."""
    return {row["key"]: Encoder(**row) for row in _described()["encoder"]}


@once()
def systems() -> dict[str, System]:
    """The systems by key, those whose components were traced."""
    rows = [System(**{**row, "encoders": tuple(row["encoders"])}) for row in _described()["system"]]
    done = {name for name, found in traces().items() if name.startswith("vae.") or "training" in found}
    return {row.key: row for row in rows if {f"denoiser.{row.denoiser}", f"vae.{row.vae}"} <= done}


def _described() -> dict[str, Any]:
    return tomllib.loads(read_asset(FOLDER / "systems.toml").decode())


def asked_by_default(system: System) -> Asked:
    """The setting that the system is published with."""
    return Asked(system.height, system.width, system.frames)


def denoiser_bytes(system: System, precision: str) -> int:
    """Of the weights of one expert."""
    return weights(f"denoiser.{system.denoiser}").bytes(precision)


def vae_bytes(system: System) -> int:
    return weights(f"vae.{system.vae}").bytes(system.vae_precision)


def check(system: System, asked: Asked) -> None:
    """Raises ValueError, a sentence, for what the system cannot do, or for a setting beyond those that were traced."""
    for name, value, known in (
        ("precision", asked.precision, PRECISIONS),
        ("encoder_precision", asked.encoder_precision, PRECISIONS),
        ("attention", asked.attention, ATTENTION),
    ):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}")
    if not 1 <= asked.batch <= MOST:
        raise ValueError(f"the batch must be 1 to {MOST:,} samples, not {asked.batch:,}")
    if system.kind == "audio":
        return
    for name, side in (("height", asked.height), ("width", asked.width)):
        if side < 64 or side % system.multiple:
            raise ValueError(
                f"{system.name} takes sides that are multiples of {system.multiple} pixels, 64 at least: its {name} "
                f"cannot be {side}"
            )
    if system.kind == "image" and asked.frames != 1:
        raise ValueError(f"{system.name} makes single images, not {asked.frames} frames")
    if asked.frames < 1:
        raise ValueError(f"a video has at least 1 frame, not {asked.frames}")
    if asked.height * asked.width * latents_of(system, asked.frames) > most_places(system):
        raise ValueError(
            f"{asked.width} x {asked.height} pixels in {asked.frames} frames are more than was ever traced of "
            f"{system.name}: choose fewer, or trace it anew"
        )
    decoded = max(row[0] for row in traces()[f"vae.{system.vae}"][system.vae_precision])
    if asked.height * asked.width > decoded and not (asked.tiling and system.tile):
        raise ValueError(
            f"the decoder of {system.name} was not traced on {asked.width} x {asked.height} pixels at once: let it "
            "work in tiles, or choose fewer"
        )


def latents_of(system: System, frames: int) -> int:
    """How many latents in time a number of frames becomes."""
    return (frames - 1) // system.frames_a_latent + 1


def most_places(system: System) -> int:
    """Pixels times latents in time of the largest setting that was traced."""
    return max(row[0] * latents_of(system, row[1]) for row in traces()[f"denoiser.{system.denoiser}"]["running"])


def phases(system: System, asked: Asked) -> tuple[Phase, ...]:
    """Text encoding, denoising and decoding, in their order. Raises ValueError as `check`."""
    check(system, asked)
    texts = {encoders()[key].name: encoders()[key].bytes(asked.encoder_precision) for key in system.encoders}
    one = denoiser_bytes(system, asked.precision)
    denoiser = one * (1 if asked.experts_swapped else system.experts)
    vae = vae_bytes(system)
    running, scratch, traced = denoising(system, asked)
    decoded, decoding_scratch, decoding_traced = decoding(system, asked)
    largest_text = max(texts.values())
    on_device = {
        "text encoding": {"text encoders": largest_text if asked.offload else sum(texts.values())},
        "denoising": {"denoiser": one if asked.offload else denoiser},
        "decoding": {"VAE": vae},
    }
    if asked.offload and asked.precision == "int8":
        on_device = {name: parts | {"denoiser": denoiser} for name, parts in on_device.items()}
    if not asked.offload:
        others = {"denoiser": denoiser, "VAE": vae}
        if asked.encoders_off:
            on_device["denoising"] |= {"VAE": vae}
            on_device["decoding"] |= {"denoiser": denoiser}
        else:
            resident = {"text encoders": sum(texts.values()), **others}
            on_device = dict.fromkeys(on_device, resident)
    return (
        Phase("text encoding", on_device["text encoding"]),
        Phase("denoising", {**on_device["denoising"], "activations": running, "scratch": scratch}, traced),
        Phase(
            "decoding", {**on_device["decoding"], "activations": decoded, "scratch": decoding_scratch}, decoding_traced
        ),
    )


def peak(system: System, asked: Asked) -> Phase:
    """The fullest phase."""
    return max(phases(system, asked), key=lambda phase: phase.total)


def denoising(system: System, asked: Asked) -> tuple[int, int, bool]:
    """Activations of a call of the denoiser, the scratch of its convolutions, and whether they were traced so."""
    name = f"denoiser.{system.denoiser}"
    times = 2 if asked.guided and system.guidance == "batch" else 1
    if found := fresh(denoiser_at(system, asked)):
        alive, with_scratch = found.alive[asked.attention], found.with_scratch[asked.attention]
        return alive, with_scratch - alive + weights(name).scratch(asked.precision), True
    samples = 1 + (asked.batch * times - 1) * traces()[name]["second sample"]
    size = 2.0 if asked.precision == "fp32" else 1.0
    column = 2 if asked.attention == "flash" else 4
    alive, with_scratch = (
        samples * size * along_places(system, traces()[name]["running"], asked, one) for one in (column, column + 1)
    )
    scratch = with_scratch - alive + weights(name).scratch(asked.precision)
    return round(alive), round(scratch), asked.batch == times == 1 and traced_at(system, asked)


def decoding(system: System, asked: Asked) -> tuple[int, int, bool]:
    """Activations of decoding the whole batch, the scratch of its convolutions, and whether they were traced so."""
    at, pixels = decoder_at(system, asked), asked.height * asked.width
    rows = traces()[at.component][system.vae_precision]
    size = 4 if system.vae_precision == "fp32" else 2
    canvas = size * 3 * pixels * asked.frames * asked.batch if at.pixels < pixels else 0
    if found := fresh(at):
        return found.alive["flash"] + canvas, found.with_scratch["flash"] - found.alive["flash"], True
    alive, with_scratch = (asked.batch * over_grid(rows, at.pixels, asked.frames, column) for column in (2, 3))
    exact = any((row[0], row[1]) == (at.pixels, asked.frames) for row in rows) and asked.batch == 1
    return round(alive + canvas), round(with_scratch - alive), exact


def decoder_at(system: System, asked: Asked) -> At:
    """Where the decoder runs: on the whole picture, or on one tile of it."""
    pixels = asked.height * asked.width
    if asked.tiling and system.tile:
        pixels = min(pixels, system.tile**2)
    return At(f"vae.{system.vae}", pixels, asked.frames, asked.batch, system.vae_precision)


def denoiser_at(system: System, asked: Asked) -> At:
    """Where a call of the denoiser runs: its batch is twice what is asked for where guidance doubles it."""
    samples = asked.batch * (2 if asked.guided and system.guidance == "batch" else 1)
    precision = "fp32" if asked.precision == "fp32" else "bf16"
    return At(f"denoiser.{system.denoiser}", asked.height * asked.width, asked.frames, samples, precision)


def traced_at(system: System, asked: Asked, kind: str = "running") -> bool:
    """Whether the denoiser was traced at this size, "running" or in "training"."""
    rows, wanted = traces()[f"denoiser.{system.denoiser}"][kind], (asked.height * asked.width, asked.frames)
    return system.kind == "audio" or any((row[0], row[1]) == wanted for row in rows)


def training(system: System, asked: Asked, method: str, checkpointing: bool) -> float:
    """Bytes that autograd saves of one step on a batch in bf16, latents and texts computed before. Raises ValueError as
    `check`, and for an unknown method."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {method!r}")
    check(system, asked)
    column = 2 + 2 * METHODS.index(method) + checkpointing
    return asked.batch * along_places(system, traces()[f"denoiser.{system.denoiser}"]["training"], asked, column)


def operations(system: System, asked: Asked) -> float:
    """Floating-point operations of a step of sampling, all its calls together."""
    rows = traces()[f"denoiser.{system.denoiser}"]["running"]
    times = 2 if asked.guided and system.guidance != "none" else 1
    return asked.batch * times * along_places(system, rows, asked, 6)


def along_places(system: System, rows: Sequence[Sequence[int]], asked: Asked, column: int) -> float:
    """A denoiser's column at a setting: it depends on the number of places, as a polynomial of degree 2 at most."""
    points = [(row[0] * latents_of(system, row[1]), row[column]) for row in rows]
    at = points[0][0] if system.kind == "audio" else asked.height * asked.width * latents_of(system, asked.frames)
    return through(points, at)


def savings(system: System, asked: Asked) -> list[tuple[str, int]]:
    """Switches that are not set yet, and the bytes that each alone would save at the peak, the most first."""
    now = peak(system, asked).total
    offered = {
        "weights in 8 bits": {"precision": "int8"},
        "weights in 4 bits": {"precision": "nf4"},
        "text encoders in 4 bits": {"encoder_precision": "nf4"},
        "flash attention": {"attention": "flash"},
        "model offload": {"offload": True},
        "text encoders off after use": {"encoders_off": True},
        "experts swapped": {"experts_swapped": True},
        "VAE tiling": {"tiling": True},
        "no guidance": {"guided": False},
        "one sample at a time": {"batch": 1},
    }
    saved = {name: now - peak(system, replace(asked, **change)).total for name, change in offered.items()}  # type: ignore[arg-type]
    return sorted(((name, bytes_) for name, bytes_ in saved.items() if bytes_ > 0), key=lambda one: -one[1])
