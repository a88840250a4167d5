"""What a U-Net is made of, measured on the module itself: shapes, weights, operations, receptive fields."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from explorer.networks.blocks import FourierFeatures, build
from explorer.networks.unet import GROUPS, Attention, ResidualBlock, UNet

IMAGE = "image"
LIT_AT_ONCE = 16  # images


@dataclass(frozen=True)
class Part:
    """A part of a U-Net, under the name by which `UNet.forward` records it.

    `inputs` are the parts that it reads, IMAGE for the first; of two, the second comes through a skip
    connection. Attention works between the two blocks of "middle" and reads there. Shapes are (channels,
    height, width), those of "embedding" (width,); folding of pixels and change of resolution belong to the
    part that does them. `multiply_adds` are those of one image. `field` is the receptive field of the place
    in the centre, as (top, bottom, left, right) in pixels of the image, half open; None for "embedding",
    which sees no pixel. `modulated` parts are scaled and shifted by the embedding.
    """

    name: str
    inputs: tuple[str, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    field: tuple[int, int, int, int] | None
    modulated: bool

    @property
    def kind(self) -> str:
        """The name without the level: "encoder" of "encoder 1"."""
        return self.name.split()[0]

    @property
    def level(self) -> int | None:
        """The number in the name, 1 for the highest resolution; None for a part without."""
        number = self.name.split()[-1]
        return int(number) if number.isdigit() else None


def structure(network: nn.Module, shape: tuple[int, ...]) -> list[Part]:
    """The parts of a U-Net for images of `shape` (channels, height, width), in the order of the data's way.

    Networks made like it are measured: nothing is done to `network`. Raises TypeError for another kind of network.
    """
    if not isinstance(network, UNet):
        raise TypeError(f"only a UNet has these parts, not a {type(network).__name__}")
    size: dict[str, Any] = network.size
    with torch.device("meta"):
        on_shapes = UNet(**size)
    counts = _count_multiply_adds(on_shapes)
    record: dict[str, Tensor] = {}
    on_shapes(torch.zeros(1, *shape, device="meta"), torch.zeros(1, device="meta"), record=record)
    shapes = {name: tuple(h.shape[1:]) for name, h in record.items()} | {IMAGE: tuple(shape)}
    fields = _fields(network, shape)

    parts = []
    for name, inputs, modules in _plan(network):
        seen_by = "middle" if name.endswith("attention") else name  # what they add, the second block passes on
        entering = [shapes[read] for read in inputs]
        owned = {path: module for path, module in network.named_modules() if f"{path}.".startswith(modules)}
        parts.append(
            Part(
                name,
                inputs,
                (sum(channels for channels, *_ in entering), *entering[0][1:]) if inputs else (1,),
                shapes[name],
                sum(weights.numel() for module in owned.values() for weights in module.parameters(recurse=False)),
                sum(counts.get(path, 0) for path in owned),
                fields[seen_by] if inputs else None,
                any(isinstance(module, ResidualBlock) for module in owned.values()),
            )
        )
    return parts


def _plan(network: UNet) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Each part: its name, what it reads, and how the paths of its modules start."""
    depth = len(network.encoders)
    yield "embedding", (), ("noise_level.", "time.", "label.", "pooled.")
    yield "stem", (IMAGE,), ("stem.",)
    for level in range(1, depth + 1):
        yield f"encoder {level}", (f"down {level - 1}" if level > 1 else "stem",), (f"encoders.{level - 1}.",)
        if level < depth:
            yield f"down {level}", (f"encoder {level}",), (f"downs.{level - 1}.",)
    yield "middle", (f"encoder {depth}",), ("middle.",)
    if network.attention is not None:
        yield "attention", (f"encoder {depth}",), ("attention.",)
    if network.cross_attention is not None:
        yield "cross-attention", (f"encoder {depth}",), ("cross_attention.", "no_tokens.", "text.")
    for level in range(depth, 0, -1):
        if level < depth:
            yield f"up {level}", (f"decoder {level + 1}",), (f"ups.{level - 1}.",)
        from_below = f"up {level}" if level < depth else "middle"
        yield f"decoder {level}", (from_below, f"encoder {level}"), (f"decoders.{level - 1}.",)
    yield "head", ("decoder 1",), ("head_norm.", "head.")


def _transparent(network: UNet) -> UNet:
    """A narrow network of the same plan with norms taken out and weights that average: a place then answers with more
    than 0 exactly where something that it can see is more than 0."""
    size: dict[str, Any] = {**network.size, "widths": [GROUPS] * len(network.encoders), "classes": None}
    narrow = build(lambda: UNet(**size), seed=0)
    for module in [*narrow.modules()]:
        for name, child in module.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(module, name, nn.Identity())
            elif isinstance(child, nn.Conv2d | nn.Linear):
                nn.init.constant_(child.weight, 0 if name == "modulation" else 1 / child.weight[0].numel())
                if child.bias is not None:
                    nn.init.zeros_(child.bias)
    return narrow


def _count_multiply_adds(network: UNet) -> dict[str, int]:
    """What the next forward pass of `network` fills: the multiply-adds of each module itself, for one image."""
    counts: dict[str, int] = {}

    def watch(path: str, module: nn.Module) -> None:
        def count(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
            if isinstance(module, nn.Conv2d | nn.Linear):
                counts[path] = output[0].numel() * module.weight[0].numel()
            elif isinstance(module, FourierFeatures):
                counts[path] = module.frequencies.numel()
            elif isinstance(module, Attention):
                x, *tokens = inputs
                places = x[0, 0].numel()
                counts[path] = 2 * x.shape[1] * places * (tokens[0].shape[1] if tokens else places)

        module.register_forward_hook(count)

    for path, module in network.named_modules():
        watch(path, module)
    return counts


@torch.no_grad()
def _fields(network: UNet, shape: tuple[int, ...]) -> dict[str, tuple[int, int, int, int]]:
    """What the central place of each part sees of an image: the rows and the columns that it answers to when one of
    them alone is lit."""
    channels, height, width = shape
    rows = torch.eye(height)[:, None, :, None].expand(-1, channels, -1, width)
    columns = torch.eye(width)[:, None, None, :].expand(-1, channels, height, -1)
    probe = _transparent(network)
    answers: dict[str, list[Tensor]] = {}
    for lines in torch.cat([rows, columns]).split(LIT_AT_ONCE):
        record: dict[str, Tensor] = {}
        probe(lines, torch.zeros(1), scales={"cross-attention": 0.0}, record=record)
        for name, h in record.items():
            if h.ndim == 4:
                answers.setdefault(name, []).append(h[:, :, h.shape[2] // 2, h.shape[3] // 2].amax(1))

    def ends(lit: Tensor) -> tuple[int, int]:
        places = lit.nonzero().flatten().tolist()
        return places[0], places[-1] + 1

    lit = {
        name: torch.cat(parts).split([height, width]) for name, parts in answers.items() if name != "cross-attention"
    }
    return {name: (*ends(of_rows), *ends(of_columns)) for name, (of_rows, of_columns) in lit.items()}
