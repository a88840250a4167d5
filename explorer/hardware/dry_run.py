"""Run a real module on shapes alone: on torch's meta device, where tensors have a size and no memory.

Meta tensors go through the module's own code, so what is counted is what the module does. Two things differ
there from a device that computes: attention takes the plain path and not a fused kernel, and some operations
return another memory layout, by which later ones choose whether they copy. Both are put right here, for the
calling thread only.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from explorer.denoiser import Denoiser
from explorer.hardware.weights import kept_in_fp32, plain_tensors
from explorer.networks.text import TextEncoder

ATTENTION = ("flash", "efficient", "math")

aten = torch.ops.aten
CHANNELS_LAST_AS = {aten.convolution.default: 2, aten.native_group_norm.default: 1}  # as any of its first operands
ARITHMETIC = (aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor, aten.rsub.Scalar)


def shape_of(tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of the same shape and strides on the meta device; `dtype` replaces a floating type."""
    kind = dtype if dtype and tensor.is_floating_point() else tensor.dtype
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=kind, device="meta")


def shape_copy(module: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """A copy of a module on the meta device. No memory is taken for weights, and the module is only read.

    Parameters keep `requires_grad`; when all are frozen, as in a shared model, all of the copy's are trainable.
    """
    frozen = not any(parameter.requires_grad for parameter in module.parameters())
    kept = kept_in_fp32(module)
    memo: dict[int, Any] = {}
    for tensor in (*plain_tensors(module), *module.buffers()):
        memo[id(tensor)] = shape_of(tensor, torch.float32 if dtype and id(tensor) in kept else dtype)
    for parameter in module.parameters():
        trainable = parameter.is_floating_point() and (frozen or parameter.requires_grad)
        shape = shape_of(parameter, torch.float32 if dtype and id(parameter) in kept else dtype)
        memo[id(parameter)] = nn.Parameter(shape, requires_grad=trainable)
    return copy.deepcopy(module, memo)


def inputs_of(model: nn.Module, input_shape: Sequence[int] | None, batch_size: int) -> tuple[Tensor, ...]:
    """Meta inputs for a batch: one tensor (batch_size, *input_shape), or what a Denoiser's network takes: that,
    the log-SNR (batch_size,), and class numbers (batch_size,) if it knows classes, or texts of full length.

    Raises ValueError for no shape, or an axis below 1."""
    shape = model.shape if isinstance(model, Denoiser) and input_shape is None else input_shape
    if shape is None:
        raise ValueError("say what goes in: input_shape, without the batch axis, or example_inputs")
    if min(batch_size, *shape) < 1:
        raise ValueError(f"batch_size and every axis of input_shape must be at least 1, not {batch_size} and {shape}")
    x = torch.empty(batch_size, *shape, dtype=torch.float32, device="meta")
    if not isinstance(model, Denoiser):
        return (x,)
    log_snr = torch.empty(batch_size, dtype=torch.float32, device="meta")
    if getattr(model.network, "size", {}).get("classes"):
        return x, log_snr, torch.empty(batch_size, dtype=torch.long, device="meta")
    if isinstance(text := getattr(model.network, "text", None), TextEncoder):
        return x, log_snr, torch.empty(batch_size, text.length, dtype=torch.long, device="meta")
    return x, log_snr


def meta_inputs(
    example_inputs: Tensor | Sequence[Any] | Mapping[str, Any], dtype: torch.dtype
) -> tuple[list[Any], dict[str, Any]]:
    """Positional and keyword arguments, their tensors on the meta device."""

    def on_meta(value: Any) -> Any:
        if isinstance(value, Tensor):
            return shape_of(value, dtype)
        if isinstance(value, Mapping):
            return {name: on_meta(one) for name, one in value.items()}
        return type(value)(map(on_meta, value)) if isinstance(value, list | tuple) else value

    if isinstance(example_inputs, Mapping):
        return [], on_meta(example_inputs)
    return [
        on_meta(value) for value in ([example_inputs] if isinstance(example_inputs, Tensor) else example_inputs)
    ], {}


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in lists, tuples and dictionaries of them."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from tensors_in([*value.values()])
    elif isinstance(value, list | tuple):
        for one in value:
            yield from tensors_in(one)


def is_channels_last(tensor: Tensor) -> bool:
    """Whether torch's kernels take images for channels-last: the rule of `is_channels_last_strides_2d` in c10."""
    if tensor.dim() != 4 or tensor.stride(1) == 0:
        return False
    least = 0
    for axis in (1, 3, 2, 0):
        if tensor.shape[axis] == 0 or tensor.stride(axis) < least or (axis == 0 and least == tensor.stride(1)):
            return False
        least = tensor.stride(axis) * tensor.shape[axis]
    return True


def is_dense(tensor: Tensor) -> bool:
    """Whether a tensor's values fill a stretch of memory, in some order."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return last + 1 == tensor.numel()


class DeviceLayout(TorchDispatchMode):
    """Operations return their results in the memory layout that CPU kernels choose.

    On the meta device convolutions and group norms forget channels-last, and arithmetic with a number the
    strides of axes of length 1.
    """

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func in CHANNELS_LAST_AS and any(is_channels_last(tensor) for tensor in args[: CHANNELS_LAST_AS[func]]):
            first, *rest = out if isinstance(out, tuple) else (out,)
            if not is_channels_last(first):
                first = torch.empty_like(first, memory_format=torch.channels_last)
                out = (first, *rest) if rest else first
        elif func in ARITHMETIC and not (isinstance(args[1], Tensor) and args[1].dim()):
            strides = args[0].stride()
            if is_dense(args[0]) and out.stride() != strides:
                out = torch.empty_strided(out.shape, strides, dtype=out.dtype, device=out.device)
        self.note(func, args, out)
        return out

    def note(self, func: Any, args: Any, out: Any) -> None:
        """Called with every operation; subclasses count here."""


class AttentionKernel(TorchFunctionMode):
    """`scaled_dot_product_attention` by the kernel named, "flash" or "efficient", where that kernel can serve.

    As on a device, the plain path is taken for dropout, for inputs that are not ((n,) heads, places, width),
    and for "math".
    """

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.scaled_dot_product_attention and self.name != "math":
            return self.attend(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **options: Any,
    ) -> Tensor:
        grouped = options.pop("enable_gqa", False)
        if query.dim() == 3:
            query, key, value = query[None], key[None], value[None]
            return self.attend(query, key, value, attn_mask, dropout_p, is_causal, enable_gqa=grouped, **options)[0]
        if dropout_p or grouped or query.dim() != 4 or query.shape[-1] != value.shape[-1]:
            return functional.scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, enable_gqa=grouped, **options
            )
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            attn_mask = torch.zeros_like(attn_mask, dtype=query.dtype)
        if self.name == "efficient":
            saves_logsumexp = torch.is_grad_enabled()
            return aten._scaled_dot_product_efficient_attention(
                query, key, value, attn_mask, saves_logsumexp, 0.0, is_causal, **options
            )[0]
        return aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, 0.0, is_causal, attn_mask=attn_mask, **options
        )[0]
