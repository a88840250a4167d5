"""One component of a published system, run on shapes at one setting: what it keeps, and what it computes."""

from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.hardware.diffusers_models import Setting, build, denoiser_inputs, latents, on_meta
from explorer.hardware.dry_run import AttentionKernel, DeviceLayout, meta_inputs, shape_copy
from explorer.hardware.memory import checkpointed_bytes, live_bytes, saved_bytes
from explorer.hardware.traces import LORA_RANK
from explorer.hardware.weights import add_low_rank
from explorer.modes import default_modes


class Decoder(nn.Module):
    """A VAE of which the decoder alone runs."""

    def __init__(self, vae: Any):
        super().__init__()
        self.vae = vae

    def forward(self, latents: torch.Tensor) -> Any:
        times = [latents.new_empty(len(latents))] if self.vae.config.get("timestep_conditioning") else []
        return self.vae.decode(latents, *times, return_dict=False)


def component(name: str) -> nn.Module:
    """A denoiser, "denoiser.sdxl", or the decoder of a VAE, "vae.sdxl", on the meta device."""
    return build(name) if name.startswith("denoiser.") else Decoder(build(name))


def inputs(name: str, module: nn.Module, setting: Setting) -> Any:
    if isinstance(module, Decoder):
        return [latents(name, module.vae, setting)]
    return denoiser_inputs(name, module, setting)


def trace_running(name: str, module: nn.Module, setting: Setting, attention: str, dtype: torch.dtype) -> list[int]:
    """Bytes alive at the fullest moment of one call, and with the scratch of convolutions."""
    with default_modes(), on_meta(), AttentionKernel(attention):
        args, kwargs = meta_inputs(inputs(name, module, setting), dtype)
        live = live_bytes(shape_copy(module, dtype).eval(), args, kwargs)
    return [live.peak, live.with_scratch]


def trace_operations(name: str, module: nn.Module, setting: Setting) -> int:
    """Floating-point operations of one call, a multiply-add two."""
    with default_modes(), on_meta(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        args, kwargs = meta_inputs(inputs(name, module, setting), torch.bfloat16)
        shape_copy(module, torch.bfloat16).eval()(*args, **kwargs)
    return counter.get_total_flops()


def trace_training(name: str, module: nn.Module, setting: Setting, low_rank: bool, checkpointing: bool) -> int:
    """Bytes that autograd saves of one call in bf16, or with checkpointing keeps at the fullest moment."""
    with default_modes(), on_meta(), AttentionKernel("flash"), DeviceLayout():
        network = shape_copy(module, torch.bfloat16).train()
        if low_rank:
            add_low_rank(network, LORA_RANK)
        args, kwargs = meta_inputs(inputs(name, module, setting), torch.bfloat16)
        return (checkpointed_bytes if checkpointing else saved_bytes)(network, args, kwargs)
