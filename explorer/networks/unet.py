"""A small U-Net for images, to be read from top to bottom.

    image -> stem -> encoder 1 -> down 1 -> encoder 2 -> middle -> decoder 2 -> up 1 -> decoder 1 -> head -> image
                         |                      |                     |                     |
                         |                      +------- skip 2 ------+                     |
                         +----------------------------- skip 1 -----------------------------+

Every level down halves the resolution; what an encoder saw is handed across to the decoder of its level
(Ronneberger et al. 2015). The time, and a class if there is one, enter each block by scaling and
shifting its normalised features (Dhariwal and Nichol 2021). The stem folds pixels into channels, so that
resolution costs little (Shi et al. 2016 use the inverse, pixel shuffle).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.arguments import tensor_of
from explorer.denoiser import Denoiser
from explorer.modes import default_modes
from explorer.networks.blocks import Drawn, FourierFeatures, GroupNorm, build
from explorer.networks.text import Text, TextEncoder, filled
from explorer.schedules import make_schedule

GROUPS = 8
Look = Callable[[Tensor], Tensor]  # weights of attention, (n, heads, places, k), to those to use instead


def _tensor_of(condition: Any, wanted: str, device: torch.device) -> Tensor:
    try:
        tensor = tensor_of(condition, device=device)
    except (OverflowError, RuntimeError, TypeError, ValueError):
        raise ValueError(f"{wanted}, not {condition!r:.40}") from None
    if tensor.layout != torch.strided:
        raise ValueError(f"{wanted}, not a tensor whose layout is {tensor.layout}")
    return tensor


class ClassEmbedding(Drawn):
    """One learned vector a class, and one for "no class"."""

    def __init__(self, classes: int, width: int):
        super().__init__()
        self.classes = classes
        self.vectors = nn.Parameter(torch.empty(classes + 1, width))

    def draw(self, generator: torch.Generator) -> None:
        nn.init.normal_(self.vectors, generator=generator)

    def forward(self, condition: Tensor | None) -> Tensor:
        """Class numbers (n,), or None for all without a class; returns (n, width) or (1, width)."""
        return self.vectors[-1:] if condition is None else self.vectors[condition]

    def read(self, condition: Any, n: int) -> Tensor:
        """Class numbers of n samples, or one for all of them, as (n,) int64. Raises ValueError for anything else."""
        wanted = f"the condition must be {n} class numbers from 0 to {self.classes - 1}"
        if isinstance(condition, list | tuple) and any(isinstance(one, bool | np.bool_) for one in condition):
            raise ValueError(f"{wanted}, whole ones, not {torch.bool}")
        numbers = _tensor_of(condition, wanted, self.vectors.device)
        if numbers.shape not in ((), (n,)):
            raise ValueError(f"{wanted}, not a tensor of shape {tuple(numbers.shape)}")
        if numbers.dtype == torch.bool or numbers.is_floating_point() or numbers.is_complex():
            raise ValueError(f"{wanted}, whole ones, not {numbers.dtype}")
        numbers = numbers.long()
        outside = numbers[(numbers < 0) | (numbers >= self.classes)]
        if len(outside):
            raise ValueError(f"{wanted}, not {int(outside[0])}")
        return numbers.expand(n).clone()


class ResidualBlock(nn.Module):
    """x + conv(act(modulated norm(conv(act(norm(x)))))); maps (n, inputs, h, w) to (n, outputs, h, w)."""

    def __init__(self, inputs: int, outputs: int, embedding: int, kernel: tuple[int, int] = (3, 3)):
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2)
        self.first_norm = GroupNorm(GROUPS, inputs)
        self.first = nn.Conv2d(inputs, outputs, kernel, padding=padding)
        self.modulation = nn.Linear(embedding, 2 * outputs)
        self.second_norm = GroupNorm(GROUPS, outputs, affine=False)
        self.second = nn.Conv2d(outputs, outputs, kernel, padding=padding)
        self.through = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        hidden = self.first(functional.silu(self.first_norm(x)))
        scale, shift = self.modulation(embedding)[:, :, None, None].chunk(2, dim=1)
        hidden = self.second(functional.silu(self.second_norm(hidden) * (1 + scale) + shift))
        return self.through(x) + hidden


class Stage(nn.Module):
    """`depth` residual blocks in a row; maps (n, inputs, h, w) to (n, outputs, h, w).

    With `context` every place then looks at every other, and at a text's vectors of that width.
    """

    def __init__(self, inputs: int, outputs: int, embedding: int, depth: int, context: int | None = None):
        super().__init__()
        widths = [inputs] + [outputs] * (depth - 1)
        self.blocks = nn.ModuleList(ResidualBlock(width, outputs, embedding) for width in widths)
        self.attention = Attention(outputs) if context else None
        self.cross_attention = Attention(outputs, context) if context else None

    def forward(
        self, x: Tensor, embedding: Tensor, text: Text | None = None, look: Look | None = None, scale: float = 1.0
    ) -> Tensor:
        """`scale` multiplies what looking at the text adds."""
        for block in self.blocks:
            x = block(x, embedding)
        if self.attention is not None and self.cross_attention is not None and text is not None:
            x = x + self.attention(x)
            x = x + scale * self.cross_attention(x, text.vectors, text.mask, look)
        return x


class Attention(nn.Module):
    """Every place looks at every other (Vaswani et al. 2017): what it adds to x, (n, width, h, w) to the same.

    With `context` every place looks at a sequence of vectors of that width instead: cross-attention
    (Rombach et al. 2022).
    """

    def __init__(self, width: int, context: int | None = None, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.norm = GroupNorm(GROUPS, width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context or width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, x: Tensor, tokens: Tensor | None = None, mask: Tensor | None = None, look: Look | None = None
    ) -> Tensor:
        """`tokens` (n, k, context) are what to look at, where `mask` (n, k) is true, or as much as it says from 0 to 1;
        None for x itself. `look` is shown how much each place, row by row, looks at each of them, and returns what to
        take instead."""
        places = self.norm(x).flatten(2).transpose(1, 2)
        key, value = self.key_value(places if tokens is None else tokens).chunk(2, dim=-1)

        def by_head(values: Tensor) -> Tensor:
            return values.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query, key, value = by_head(self.query(places)), by_head(key), by_head(value)
        bias = None if mask is None else mask.to(query).log()[:, None, None]
        if look is None:
            seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        else:
            fit = query @ key.mT / math.sqrt(query.shape[-1])
            seen = look((fit if bias is None else fit + bias).softmax(-1)) @ value
        mixed = self.out(seen.transpose(1, 2).flatten(2))
        return mixed.transpose(1, 2).unflatten(-1, x.shape[-2:])


class NoTokens(Drawn):
    """What cross-attention looks at when there is no condition: one learned vector, (1, 1, width)."""

    def __init__(self, width: int):
        super().__init__()
        self.vector = nn.Parameter(torch.empty(1, 1, width))

    def draw(self, generator: torch.Generator) -> None:
        nn.init.normal_(self.vector, generator=generator)

    def read(self, condition: Any, n: int) -> Tensor:
        """Token vectors (n, k, width), the other thing to look at. Raises ValueError for anything else."""
        wanted = f"the condition must be token vectors of shape ({n}, tokens, {self.vector.shape[-1]})"
        tokens = _tensor_of(condition, wanted, self.vector.device)
        if tokens.ndim != 3 or 0 in tokens.shape or tokens.shape[::2] != (n, self.vector.shape[-1]):
            raise ValueError(f"{wanted}, not {tuple(tokens.shape)}")
        if tokens.dtype == torch.bool or tokens.is_complex():
            raise ValueError(f"{wanted}, of real numbers, not {tokens.dtype}")
        read = tokens.to(self.vector.dtype, copy=True)
        if not bool(read.isfinite().all()):
            raise ValueError(f"{wanted}, all of them finite")
        return read


class UNet(nn.Module):
    """Maps images (n, channels, height, width) and their log-SNR, (1,) or (n,), to images of the same shape.

    `widths` are the channels of each level, multiples of 8; `depth` the residual blocks at each level on each
    side; `patch` the side of the squares of pixels that the stem folds into channels, which must divide height
    and width; `attention` adds self-attention at the lowest resolution. With `classes` the condition is class
    numbers (n,) or None; with `context` it is token vectors (n, k, context) or None, seen by cross-attention. With
    `text`, the arguments of a `TextEncoder`, it is n texts or None: their mean enters each block as a class does, and
    the stages of the levels in `looks`, counted from 1, and the middle see their vectors by cross-attention.
    Raises ValueError for more than one of the three.
    """

    def __init__(
        self,
        channels: int = 1,
        widths: Sequence[int] = (32, 64),
        depth: int = 1,
        patch: int = 2,
        classes: int | None = None,
        attention: bool = False,
        context: int | None = None,
        text: Mapping[str, Any] | None = None,
        looks: Sequence[int] = (),
    ):
        super().__init__()
        if bool(classes) + bool(context) + bool(text) > 1:
            raise ValueError("a U-Net is conditioned on classes, on a context or on texts, not on several of them")
        self.size = {
            "channels": channels,
            "widths": list(widths),
            "depth": depth,
            "patch": patch,
            "classes": classes,
            "attention": bool(attention),
            "context": context,
        }
        if text:
            self.size |= {"text": {**text, "words": list(text["words"])}, "looks": list(looks)}
        self.patch = patch
        embedding = 4 * widths[0]
        self.noise_level = FourierFeatures(1, 16, scale=0.3)
        self.time = nn.Sequential(nn.Linear(33, embedding), nn.SiLU(), nn.Linear(embedding, embedding))
        self.label = ClassEmbedding(classes, embedding) if classes else None
        self.no_tokens = NoTokens(context) if context else None
        self.text = TextEncoder(**text) if text else None
        seen = context if self.text is None else self.text.norm.normalized_shape[0]
        self.pooled = nn.Linear(seen, embedding) if self.text is not None and seen else None

        self.stem = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        at_level = [seen if self.text is not None and level in looks else None for level in range(1, len(widths) + 1)]
        self.encoders = nn.ModuleList(
            Stage(width, width, embedding, depth, at) for width, at in zip(widths, at_level, strict=True)
        )
        self.downs = nn.ModuleList(nn.Conv2d(*pair, 3, stride=2, padding=1) for pair in pairwise(widths))
        self.middle = nn.ModuleList(ResidualBlock(widths[-1], widths[-1], embedding) for _ in range(2))
        self.attention = Attention(widths[-1]) if attention else None
        self.cross_attention = Attention(widths[-1], seen) if seen else None
        self.decoders = nn.ModuleList(
            Stage(2 * width, width, embedding, depth, at) for width, at in zip(widths, at_level, strict=True)
        )
        self.ups = nn.ModuleList(nn.Conv2d(deeper, width, 3, padding=1) for width, deeper in pairwise(widths))
        self.head_norm = GroupNorm(GROUPS, widths[0])
        self.head = nn.Conv2d(widths[0], channels * patch**2, 3, padding=1)

    @property
    def takes_condition(self) -> bool:
        """Whether it was made with classes, with a context or with a text encoder."""
        return self.label is not None or self.no_tokens is not None or self.text is not None

    def read_condition(self, condition: Any, n: int) -> Tensor | Text:
        """What `forward` takes for n samples. Raises ValueError for what is no condition of this network."""
        if self.label is not None:
            return self.label.read(condition, n)
        if self.no_tokens is not None:
            return self.no_tokens.read(condition, n)
        if self.text is not None:
            return self.text.read(condition, n)
        raise ValueError("this network takes no condition")

    def side_by_side(self, conditions: Sequence[Tensor | Text | None], n: int) -> Tensor | Text | None:
        """One condition of len(conditions) * n samples, of several of n; None where token vectors differ in number."""
        if self.label is not None:
            none = torch.full((n,), self.label.classes, device=self.label.vectors.device)
        elif self.no_tokens is not None:
            none = self.no_tokens.vector.expand(n, -1, -1)
        elif self.text is not None:
            none = self.text.nothing(n)
        else:
            return None
        each = [none if condition is None else condition for condition in conditions]
        tensors = [one for one in each if isinstance(one, Tensor)]
        if self.text is not None and len(tensors) < len(each):
            return Text(*map(torch.cat, zip(*filled(*map(self.text, each)), strict=True)))
        return torch.cat(tensors) if len({one.shape for one in tensors}) == 1 else None

    def waves(self, log_snr: Tensor) -> Tensor:
        """Noise levels (n,) as waves of several lengths, (n, 33)."""
        return torch.cat([self.noise_level(log_snr[:, None]), log_snr[:, None] / 4], 1)

    def forward(
        self,
        x: Tensor,
        log_snr: Tensor,
        condition: Tensor | None = None,
        scales: Mapping[str, float] | None = None,
        record: dict[str, Tensor] | None = None,
        look: Callable[[str, Tensor], Tensor] | None = None,
    ) -> Tensor:
        """`scales` multiplies what passes "skip 1", "skip 2", ..., "attention" and "cross-attention" (at all levels):
        0 cuts it. `record`, a dictionary, receives the activations of each part by name, and "embedding". `look` is
        shown, for each part with cross-attention ("encoder 2", ..., "middle"), how much its places look at each token
        or word, (n, heads, places, k), and returns what to take instead (Hertz et al. 2022)."""
        scales = scales or {}
        crossing = scales.get("cross-attention", 1.0)

        def looking(name: str) -> Look | None:
            return None if look is None else partial(look, name)

        def note(name: str, h: Tensor) -> Tensor:
            if record is not None:
                record[name] = h
            return h

        e = self.time(self.waves(log_snr))
        if self.label is not None:
            e = e + self.label(condition)
        text = None
        if self.text is not None and self.pooled is not None:
            text = self.text(self.text.nothing(len(x)) if condition is None else condition)
            e = e + self.pooled(text.pooled)
        e = functional.silu(note("embedding", e))

        h = note("stem", self.stem(functional.pixel_unshuffle(x, self.patch)))
        skips = []
        for level, encoder in enumerate(self.encoders, start=1):
            name = f"encoder {level}"
            h = note(name, encoder(h, e, text, looking(name), crossing))
            skips.append(h)
            if level < len(self.encoders):
                h = note(f"down {level}", self.downs[level - 1](h))

        h = self.middle[0](h, e)
        if self.attention is not None:
            h = h + note("attention", scales.get("attention", 1.0) * self.attention(h))
        if self.cross_attention is not None:
            if text is not None:
                tokens, mask = text.vectors, text.mask
            elif self.no_tokens is not None:
                tokens, mask = self.no_tokens.vector.expand(len(x), -1, -1) if condition is None else condition, None
            looked = self.cross_attention(h, tokens, mask, looking("middle"))
            h = h + note("cross-attention", crossing * looked)
        h = note("middle", self.middle[1](h, e))

        for level in range(len(skips), 0, -1):
            skip = skips[level - 1]
            if level < len(skips):
                h = functional.interpolate(self.ups[level - 1](h), size=skip.shape[-2:], mode="nearest")
                note(f"up {level}", h)
            h = torch.cat([h, scales.get(f"skip {level}", 1.0) * skip], 1)
            name = f"decoder {level}"
            h = note(name, self.decoders[level - 1](h, e, text, looking(name), crossing))
        out = self.head(functional.silu(self.head_norm(h)))
        return note("head", functional.pixel_shuffle(out, self.patch))


@default_modes()
def make_image_denoiser(
    shape: tuple[int, int, int],
    classes: int | None = None,
    seed: int = 0,
    schedule: str = "cosine",
    prediction: str = "v",
    **size: Any,
) -> Denoiser:
    """An untrained U-Net for images of `shape` (channels, height, width); `size` is what `UNet` takes.

    Its convolutions hold their weights channels-last, which CPUs compute a quarter faster. Raises ValueError
    for an image that the stem's patches do not tile.
    """
    network = build(lambda: UNet(shape[0], classes=classes, **size), seed)
    if shape[1] % network.patch or shape[2] % network.patch:
        raise ValueError(f"patches of {network.patch} pixels do not tile images of {shape[1]} x {shape[2]}")
    network = network.to(memory_format=torch.channels_last)
    return Denoiser(network, make_schedule(schedule), prediction, shape)
