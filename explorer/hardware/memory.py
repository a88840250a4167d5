"""How much memory a model takes: counted from the real module, without allocating it."""

import os
import re
import traceback
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from explorer.arguments import whole_number
from explorer.denoiser import Denoiser
from explorer.hardware.dry_run import (
    ATTENTION,
    AttentionKernel,
    DeviceLayout,
    aten,
    inputs_of,
    meta_inputs,
    shape_copy,
    tensors_in,
)
from explorer.hardware.weights import (
    COMPUTED_IN,
    OPTIMIZERS,
    QUANTISED,
    LowRank,
    add_low_rank,
    count_weights,
    optimizer_bytes,
    plain_tensors,
)
from explorer.modes import default_modes

MODES = ("train", "inference")
DEVICES = ("cpu", "cuda")
ASKS_FOR_VALUES = ("on meta tensors", "Meta tensors", "meta tensor", "meta device type tensor", "data-independent")


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
    """Bytes of the storages that are alive: `now`, and at most, `peak`. Those of `known` tensors are left out.

    `with_scratch` is the peak on a device whose convolutions take a copy of their input while they run.
    """

    def __init__(self, known: Sequence[Tensor] = ()):
        super().__init__()
        self.now = self.peak = self.with_scratch = 0
        self.alive = {tensor.untyped_storage()._cdata for tensor in known}

    def note(self, func: Any, args: Any, out: Any) -> None:
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor):
                self.born(tensor)
        scratch = args[0].numel() * args[0].element_size() if func is aten.convolution.default else 0
        self.with_scratch = max(self.with_scratch, self.peak, self.now + scratch)

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


def owned_by(network: nn.Module) -> list[Tensor]:
    """All that a module holds: parameters, buffers and plain tensors."""
    return [*network.parameters(), *network.buffers(), *plain_tensors(network)]


def saved_bytes(network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """Bytes of all that autograd saves for the backward pass of `network(*args, **kwargs)`.

    Each storage counts once, those of parameters and buffers not at all. It counts a run on any device.
    """
    saved = Storages(owned_by(network))
    with torch.enable_grad(), saved_tensors_hooks(saved.keep, lambda tensor: tensor):
        network(*args, **kwargs)
    return saved.nbytes


def checkpointed_bytes(network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> int:
    """What `saved_bytes` would be if each of `checkpointed_blocks(network)` kept its inputs only, and the
    hungriest of them ran again: that is the fullest moment (Chen et al. 2016)."""
    owned = owned_by(network)
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

    def layers(module: nn.Module) -> int:
        own = bool(list(module.parameters(recurse=False)))
        return 1 if isinstance(module, LowRank) else own + sum(map(layers, module.children()))

    def is_block(module: nn.Module) -> bool:
        return layers(module) > 1

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
    lora_rank: int | None = None,
    ema: bool = False,
    device: str = "cpu",
) -> Memory:
    """Bytes that training a model, or running it, keeps; nothing is allocated and the model is not changed.

    What goes in is `batch_size` times `input_shape`, or `example_inputs`: a tensor, a tuple of arguments or a
    dictionary of them, whose batch counts then. A `Denoiser` needs neither: its network gets noisy samples,
    log-SNRs, and classes if it knows them (token vectors for cross-attention come as `example_inputs`).

    - `weights`: parameters, buffers, and tensors that a module holds as plain attributes. `precision` is that of all
      tensors but those of modules that diffusers keeps in fp32: "fp32", "bf16" or "fp16"; or "mixed",
      float32 weights with a half-precision copy that computes. (torch's autocast keeps norms and losses in
      float32, so it saves more than "mixed" says.) In "fp8", "int8" and "nf4" the weights of linear layers are
      quantised (`Weights.bytes`), all else computes in bf16.
    - `gradients`: one per trainable weight; when all are frozen, as in a shared model, all count as trainable.
      With a `lora_rank` the weights are frozen, and two matrices of that rank beside each linear layer are trained in
      float32 (Hu et al. 2021); quantised weights are trained in no other way.
    - `optimizer`: see `optimizer_bytes`; with `ema` averaged weights in float32 besides.
    - `activations`: in training, what autograd saves in one forward pass of the network, each storage once,
      the input batch if it saves that; the loss is not included. `attention` names the kernel: "flash" and
      "efficient" save a number per query, "math" the whole matrix of weights. With `gradient_checkpointing`,
      see `checkpointed_bytes`. In inference, all tensors that are alive at the fullest moment, input and
      output included.
    - `overhead`: what the runtime takes beside the tensors: on a `device` "cpu" nothing; on "cuda" the copy of its
      input that a convolution takes while it runs, where it makes the fullest moment fuller (in training, the
      largest), and the largest layer in 16 bits where weights are kept in "fp8" or "nf4". What the driver takes, and
      gradients of activations on their way back, are not counted.

    Raises ValueError for an unknown name, a batch below 1, inputs that the model can't take, or a forward pass that
    depends on the values of its data, with the line that asks for them.
    """
    for what, value, known in (
        ("mode", mode, MODES),
        ("optimizer", optimizer, OPTIMIZERS),
        ("precision", precision, COMPUTED_IN),
        ("attention", attention, ATTENTION),
        ("device", device, DEVICES),
    ):
        if value not in known:
            raise ValueError(f"{what} must be one of {', '.join(known)}, not {value!r}")
    if gradient_checkpointing and mode == "inference":
        raise ValueError("gradient checkpointing is about training: inference keeps nothing for a backward pass")
    training = mode == "train"
    if training and precision in QUANTISED and lora_rank is None:
        raise ValueError(f"weights in {precision} are not trained themselves: give a lora_rank, or train in 16 bits")
    if lora_rank is not None:
        lora_rank = whole_number(lora_rank, "lora_rank", 1)
    dtype = COMPUTED_IN[precision]
    with default_modes(), AttentionKernel(attention):
        network = shape_copy(model.network if isinstance(model, Denoiser) else model, dtype).train(training)
        weights = count_weights(network)
        if training and lora_rank is not None:
            add_low_rank(network, lora_rank)
        given = inputs_of(model, input_shape, batch_size) if example_inputs is None else example_inputs
        args, kwargs = meta_inputs(given, dtype)
        activations, scratch = _activations(network, args, kwargs, mode, gradient_checkpointing)

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad and training]
    values = sum(parameter.numel() for parameter in trained)
    size = 4 if precision == "mixed" or lora_rank else dtype.itemsize
    return Memory(
        weights=weights.bytes(precision) + (4 * values if lora_rank else 0),
        gradients=size * values,
        optimizer=optimizer_bytes(optimizer, trained, size) + (4 * values if ema else 0),
        activations=activations,
        overhead=scratch + weights.scratch(precision) if device == "cuda" else 0,
    )


def _activations(
    network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any], mode: str, checkpointing: bool
) -> tuple[int, int]:
    """Bytes, and what the scratch of convolutions adds at the fullest moment."""

    def run() -> tuple[int, int]:
        if mode == "train":
            with Scratch() as scratch:
                return (checkpointed_bytes if checkpointing else saved_bytes)(network, args, kwargs), scratch.most
        live = live_bytes(network, args, kwargs)
        return live.peak, live.with_scratch - live.peak

    try:
        try:
            return run()
        except RuntimeError as error:
            if "expected device meta" not in str(error):
                raise
            with torch.device("meta"):  # its forward pass makes tensors of its own, and does not say where
                return run()
    except (TypeError, RuntimeError, AttributeError, IndexError) as error:
        if any(words in str(error) for words in ASKS_FOR_VALUES):
            raise ValueError(
                "this model's forward pass depends on the values of its data, and on shapes alone there are none: "
                f"{_where(error)}. Give it a forward pass whose shapes do not depend on them"
            ) from error
        raise ValueError(f"this model could not be run on these inputs; check their shapes ({error})") from error


def _where(error: Exception) -> str:
    """The last line of the reader's own code that an error passed, and the operation in it that failed."""
    inside = (os.path.dirname(torch.__file__), os.path.dirname(__file__))
    theirs = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(inside)]
    operation = re.search(r"aten::\w+|[Tt]orch\.\w+\(\)|Tensor\.\w+\(\)|repeat_interleave|numpy", str(error))
    named = f" ({operation.group().removesuffix('()')})" if operation else ""
    if not theirs:
        return f"{str(error).partition('. ')[0]}{named}"
    frame = theirs[-1]
    return f"`{frame.line or frame.name}` in {os.path.basename(frame.filename)}, line {frame.lineno}{named}"


class Scratch(DeviceLayout):
    """The largest input of a convolution, of which some devices keep a copy while it runs."""

    most = 0

    def note(self, func: Any, args: Any, out: Any) -> None:
        if func is aten.convolution.default:
            self.most = max(self.most, args[0].numel() * args[0].element_size())


def live_bytes(network: nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]) -> LiveBytes:
    """What is alive in a call without gradients, all tensors but parameters, buffers and what the module holds."""
    with torch.no_grad(), LiveBytes(owned_by(network)) as live:
        for tensor in tensors_in([*args, *kwargs.values()]):
            live.born(tensor)
        network(*args, **kwargs)
    return live
