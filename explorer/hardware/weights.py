"""What weights take in the precisions in which people keep them, and what optimisers keep of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

COMPUTED_IN = {  # of each way to keep weights
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "mixed": torch.bfloat16,
    "fp8": torch.bfloat16,
    "int8": torch.bfloat16,
    "nf4": torch.bfloat16,
}
QUANTISED = ("fp8", "int8", "nf4")
DEQUANTISED = ("fp8", "nf4")  # a layer of these is 16 bits wide while it computes; "int8" multiplies as it is
NF4_BLOCK, EIGHT_BIT_BLOCK, SMALL = 64, 256, 4096
STATES = {"sgd": 0, "sgd-momentum": 1, "adam": 2, "adamw": 2, "adam-ema": 3}
OPTIMIZERS = (*STATES, "adamw-8bit", "adafactor", "muon")


@dataclass(frozen=True)
class Weights:
    """How many values a module has: `linear` in the weights of its linear layers, which have `rows` rows and `columns`
    columns together, and `blocks` blocks of 64 values; `other` in parameters, buffers and plain tensors of any other
    kind; `kept` in those that stay in 32 bits because the module's `_keep_in_fp32_modules` names them. `fixed` are
    bytes of values that no precision changes, `largest` the values of the largest linear layer."""

    linear: int
    rows: int
    columns: int
    blocks: int
    other: int
    kept: int
    fixed: int
    largest: int

    def bytes(self, precision: str) -> int:
        """In one of `COMPUTED_IN`. Only linear layers are quantised, the rest stays in 16 bits: "int8" and "fp8" have a
        scale of 32 bits a row (Dettmers et al. 2022), "nf4" one for 64 values (Dettmers et al. 2023, without their
        second quantisation). "mixed" keeps 32 bits beside 16."""
        if precision not in COMPUTED_IN:
            raise ValueError(f"precision must be one of {', '.join(COMPUTED_IN)}, not {precision!r}")
        size = 6 if precision == "mixed" else COMPUTED_IN[precision].itemsize
        linear = {
            "fp8": self.linear + 4 * self.rows,
            "int8": self.linear + 4 * self.rows,
            "nf4": math.ceil(self.linear / 2) + 4 * self.blocks,
        }.get(precision, size * self.linear)
        return linear + size * self.other + 4 * self.kept + self.fixed

    def scratch(self, precision: str) -> int:
        """Of the largest layer, which is 16 bits wide while it computes where weights are kept in 8 or 4."""
        return 2 * self.largest if precision in DEQUANTISED else 0


def plain_tensors(module: nn.Module) -> Iterator[Tensor]:
    """Tensors that a module and its parts hold as plain attributes, or in lists of them: they take memory, and belong
    to no list of parameters or buffers."""
    for part in module.modules():
        for value in vars(part).values():
            yield from (
                one for one in (value if isinstance(value, list | tuple) else [value]) if isinstance(one, Tensor)
            )


def kept_in_fp32(module: nn.Module) -> set[int]:
    """The identities of the parameters and buffers that stay in 32 bits when the rest is cast, as diffusers does it."""
    names = set(getattr(module, "_keep_in_fp32_modules", None) or ())
    named = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    return {id(tensor) for name, tensor in named if names & set(name.split("."))}


def count_weights(module: nn.Module) -> Weights:
    """Count a module's values, each storage once; it may be on the meta device."""
    kept, in_linear = kept_in_fp32(module), {}
    for part in module.modules():
        if isinstance(part, nn.Linear) and id(part.weight) not in kept:
            in_linear[id(part.weight)] = part.weight.shape
    linear = rows = columns = blocks = other = stay = fixed = largest = 0
    seen = set()
    for tensor in (*module.parameters(), *module.buffers(), *plain_tensors(module)):
        if (storage := tensor.untyped_storage()._cdata) in seen:
            continue
        seen.add(storage)
        if id(tensor) in kept and tensor.is_floating_point():
            stay += tensor.numel()
        elif (shape := in_linear.get(id(tensor))) is not None:
            linear += tensor.numel()
            largest = max(largest, tensor.numel())
            rows += shape[0]
            columns += shape[1]
            blocks += math.ceil(tensor.numel() / NF4_BLOCK)
        elif tensor.is_floating_point():
            other += tensor.numel()
        else:
            fixed += tensor.nbytes
    return Weights(linear, rows, columns, blocks, other, stay, fixed, largest)


def optimizer_bytes(optimizer: str, trained: Sequence[Tensor], size: int) -> int:
    """What an optimiser keeps of the tensors that it trains, values of `size` bytes.

    "sgd" keeps nothing, "sgd-momentum" one value a weight, "adam" and "adamw" two; "adam-ema", which is `ex.train`, a
    third, the averaged weights. "adamw-8bit" keeps two bytes and a scale per 256 of each (Dettmers et al. 2021;
    tensors below 4,096 values stay as they are); "adafactor" the sums of rows and of columns (Shazeer and Stern 2018,
    without momentum); "muon" one value for matrices, two for the rest (Jordan et al. 2024). Raises ValueError for
    another name.
    """
    if optimizer in STATES:
        return STATES[optimizer] * size * sum(tensor.numel() for tensor in trained)
    if optimizer == "adamw-8bit":
        counts = [tensor.numel() for tensor in trained]
        return sum(8 * n if n < SMALL else 2 * n + 2 * 4 * math.ceil(n / EIGHT_BIT_BLOCK) for n in counts)
    if optimizer == "adafactor":
        return 4 * sum(_factors(tensor) for tensor in trained)
    if optimizer == "muon":
        return size * sum(tensor.numel() * (1 if tensor.ndim > 1 else 2) for tensor in trained)
    raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, not {optimizer!r}")


def _factors(tensor: Tensor) -> int:
    """The last two axes are factored."""
    *lead, rows, columns = tensor.shape if tensor.ndim > 1 else (1, 1, tensor.numel())
    return tensor.numel() if tensor.ndim < 2 else math.prod(lead) * (rows + columns)


class LowRank(nn.Module):
    """A frozen linear layer with a trained one of low rank beside it (Hu et al. 2021), W x + B A x, whose two matrices
    are kept in float32 and compute in the precision of x, as autocast has it."""

    def __init__(self, frozen: nn.Linear, rank: int):
        super().__init__()
        self.frozen = frozen
        self.down = nn.Linear(frozen.in_features, rank, bias=False, device=frozen.weight.device)
        self.up = nn.Linear(rank, frozen.out_features, bias=False, device=frozen.weight.device)

    @property
    def weight(self) -> Tensor:
        """The frozen one, for models that ask their layers for its precision."""
        return self.frozen.weight

    def forward(self, x: Tensor, *rest: Tensor) -> Tensor:
        down, up = (layer.weight.to(x.dtype) for layer in (self.down, self.up))
        return self.frozen(x, *rest) + functional.linear(functional.linear(x, down), up)


def add_low_rank(module: nn.Module, rank: int) -> None:
    """Freeze a module and put `LowRank` in the place of its linear layers. Raises ValueError where it has none."""
    module.requires_grad_(False)
    found = 0
    for part in [part for part in module.modules() if not isinstance(part, LowRank)]:
        for name, child in list(part.named_children()):
            if isinstance(child, nn.Linear):
                setattr(part, name, LowRank(child, rank))
                found += 1
    if not found:
        raise ValueError("LoRA needs linear layers, and this model has none")
