"""How much memory a model takes: counted from the real module, without allocating it."""

import math
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from explorer.denoiser import Denoiser
from explorer.hardware.dry_run import ATTENTION, AttentionKernel, DeviceLayout, inputs_of, meta_inputs, shape_copy
from explorer.modes import default_modes

MODES = ("train", "inference")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16, "mixed": torch.bfloat16}
STATES = {"sgd": 0, "sgd-momentum": 1, "adam": 2, "adamw": 2, "adam-ema": 3}
OPTIMIZERS = (*STATES, "adamw-8bit")


@dataclass(frozen=True)
class Memory:
    """Bytes, by what they hold; see `estimate_memory`."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    overhead: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations + self.overhead


class Storages:
    """Storages of tensors, each once. Those of `known` tensors are left out.

    `keep` is a hook for what autograd saves: it hands back a detached tensor, for a node that keeps its own output
    with the history of it, which is the node, is never freed.
    """

    def __init__(self, known: Sequence[Tensor] = ()):
        self.known = {tensor.untyped_storage()._cdata for tensor in known}
        self.kept: dict[int, torch.UntypedStorage] = {}

    def keep(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.known:
            self.kept[storage._cdata] = storage
        return tensor.detach()

    @property
    def nbytes(self) -> int:
        return sum(storage.nbytes() for storage in self.kept.values())


class LiveBytes(DeviceLayout):
    """Bytes of the storages that are alive: `now`, and at most, `peak`. Those of `known` tensors are left out."""

    def __init__(self, known: Sequence[Tensor] = ()):
        super().__init__()
        self.now = self.peak = 0
        self.alive = {tensor.untyped_storage()._cdata for tensor in known}

    def note(self, func: Any, args: Any, out: Any) -> None:
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.born(tensor)

    def born(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata not in self.alive:
            self.alive.add(storage._cdata)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.died, storage._cdata, storage.nbytes()).atexit = False

    def died(self, identity: int, nbytes: int) -> None:
        self.alive.discard(identity)
        self.now -= nbytes


def saved_bytes(network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Bytes of all that autograd saves for the backward pass of `network(*args, **kwargs)`.

    Each storage counts once, those of parameters and buffers not at all. It counts a run on any device.
    """
    saved = Storages([*network.parameters(), *network.buffers()])
    with torch.enable_grad(), saved_tensors_hooks(saved.keep, lambda tensor: tensor):
        network(*args, **kwargs)
    return saved.nbytes


def checkpointed_bytes(network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """What `saved_bytes` would be if each of `checkpointed_blocks(network)` kept its inputs only, and the
    hungriest of them ran again: that is the fullest moment (Chen et al. 2016)."""
    owned = [*network.parameters(), *network.buffers()]
    kept, recomputed = Storages(owned), [0]

    def checkpoint(block: nn.Module) -> None:
        forward = block.forward

        def run(*args: Any, **kwargs: Any) -> Any:
            inputs = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
            for tensor in inputs:
                kept.keep(tensor)
            inside = Storages([*owned, *inputs])
            with saved_tensors_hooks(inside.keep, lambda tensor: tensor):
                out = forward(*args, **kwargs)
            recomputed.append(inside.nbytes)
            return out

        block.forward = run  # type: ignore[method-assign]

    blocks = checkpointed_blocks(network)
    for block in blocks:
        checkpoint(block)
    try:
        with torch.enable_grad(), saved_tensors_hooks(kept.keep, lambda tensor: tensor):
            network(*args, **kwargs)
    finally:
        for block in blocks:
            del block.forward
    return kept.nbytes + max(recomputed)


def checkpointed_blocks(network: nn.Module) -> list[nn.Module]:
    """The blocks that gradient checkpointing runs twice: the innermost entries of ModuleLists that hold at
    least two layers with weights. In our U-Net the residual blocks, in diffusers' its residual and transformer
    blocks. Raises ValueError where there are none."""

    def is_block(module: nn.Module) -> bool:
        return sum(bool(list(part.parameters(recurse=False))) for part in module.modules()) > 1

    entries = [entry for part in network.modules() if isinstance(part, nn.ModuleList) for entry in part]
    blocks = {id(entry): entry for entry in entries if is_block(entry)}
    innermost = [
        block
        for block in blocks.values()
        if not any(id(part) in blocks for part in block.modules() if part is not block)
    ]
    if not innermost:
        raise ValueError("gradient checkpointing needs blocks in a ModuleList, and this model has none")
    return innermost


def estimate_memory(
    model: nn.Module,
    input_shape: Sequence[int] | None = None,
    example_inputs: Tensor | Sequence[Any] | Mapping[str, Any] | None = None,
    mode: str = "train",
    optimizer: str = "adamw",
    precision: str = "fp32",
    batch_size: int = 1,
    attention: str = "flash",
    gradient_checkpointing: bool = False,
) -> Memory:
    """Bytes that training a model, or running it, keeps; nothing is allocated and the model is not changed.

    What goes in is `batch_size` times `input_shape`, or `example_inputs`: a tensor, a tuple of arguments or a
    dictionary of them, whose batch counts then. A `Denoiser` needs neither: its network gets noisy samples,
    log-SNRs, and classes if it knows them (token vectors for cross-attention come as `example_inputs`).

    - `weights`: parameters and buffers. `precision` is that of all tensors, "fp32", "bf16" or "fp16"; or "mixed",
      float32 weights with a half-precision copy that computes. (torch's autocast keeps norms and losses in
      float32, so it saves more than "mixed" says.)
    - `gradients`: one per trainable weight; when all are frozen, as in a shared model, all count as trainable.
    - `optimizer`: "sgd" keeps nothing, "sgd-momentum" one value a weight, "adam" and "adamw" two; "adam-ema",
      which is `ex.train`, a third, the averaged weights; "adamw-8bit" two bytes and a scale per 256 of them.
    - `activations`: in training, what autograd saves in one forward pass of the network, each storage once,
      the input batch if it saves that; the loss is not included. `attention` names the kernel: "flash" and
      "efficient" save a number per query, "math" the whole matrix of weights. With `gradient_checkpointing`,
      see `checkpointed_bytes`. In inference, all tensors that are alive at the fullest moment, input and
      output included.
    - `overhead`: what the runtime takes beside the tensors; 0, for a CPU keeps nothing that grows with the
      model. Scratch space inside an operation, and gradients of activations on their way back, are not counted.

    Raises ValueError for an unknown name, a batch below 1, or inputs that the model can't take.
    """
    for what, value, known in (
        ("mode", mode, MODES),
        ("optimizer", optimizer, OPTIMIZERS),
        ("precision", precision, PRECISIONS),
        ("attention", attention, ATTENTION),
    ):
        if value not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}, not {value!r}")
    if gradient_checkpointing and mode == "inference":
        raise ValueError("gradient checkpointing is about training: inference keeps nothing for a backward pass")
    dtype = PRECISIONS[precision]
    with default_modes(), AttentionKernel(attention):
        network = shape_copy(model.network if isinstance(model, Denoiser) else model, dtype).train(mode == "train")
        given = inputs_of(model, input_shape, batch_size) if example_inputs is None else example_inputs
        args, kwargs = meta_inputs(given, dtype)
        activations = _activations(network, args, kwargs, mode, gradient_checkpointing)

    owned = [*network.parameters(), *network.buffers()]
    kept = sum(tensor.numel() * tensor.element_size() for tensor in owned)
    counts = [parameter.numel() for parameter in network.parameters() if parameter.requires_grad]
    size = 4 if precision == "mixed" else dtype.itemsize
    masters = 4 * sum(parameter.numel() for parameter in network.parameters()) if precision == "mixed" else 0
    training = mode == "train"
    return Memory(
        weights=kept + masters,
        gradients=size * sum(counts) if training else 0,
        optimizer=_optimizer_bytes(optimizer, counts, size) if training else 0,
        activations=activations,
        overhead=0,
    )


def _activations(
    network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], mode: str, checkpointing: bool
) -> int:
    try:
        if mode == "train":
            with DeviceLayout():
                return (checkpointed_bytes if checkpointing else saved_bytes)(network, args, kwargs)
        return live_bytes(network, args, kwargs)
    except (TypeError, RuntimeError, AttributeError, IndexError) as error:
        raise ValueError(f"this model could not be run on these inputs; check their shapes ({error})") from error


def live_bytes(network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Bytes of all tensors, but for parameters and buffers, at the fullest moment of a call without gradients."""
    with torch.no_grad(), LiveBytes([*network.parameters(), *network.buffers()]) as live:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Tensor):
                live.born(value)
        network(*args, **kwargs)
    return live.peak


def _optimizer_bytes(optimizer: str, counts: Sequence[int], size: int) -> int:
    """`counts` are the numbers of values of the trainable tensors, `size` the bytes of one."""
    if optimizer != "adamw-8bit":
        return STATES[optimizer] * size * sum(counts)
    # bitsandbytes leaves tensors below 4,096 values in float32, and scales the others by blocks of 256.
    return sum(8 * count if count < 4096 else 2 * count + 2 * 4 * math.ceil(count / 256) for count in counts)
