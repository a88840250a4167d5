"""Published diffusion models by their configurations, built on torch's meta device with diffusers' own code.

Only a worker or a script imports diffusers: it takes seconds and some 260 MB. `assets/hardware/configs.json` holds the
configurations with their sources, "denoiser.sdxl", "vae.sdxl" and so on.
"""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.files import ASSETS, read_asset
from explorer.once import once

AUDIO_FRAMES = 126  # latents of sound beside a video of LTX-2, about five seconds
SOUND_TOKENS = 1024  # latents of Stable Audio Open, 47 seconds


@dataclass(frozen=True)
class Setting:
    """What is asked of a model: so many samples in one call, of `height` x `width` pixels and so many frames."""

    batch: int = 1
    height: int = 1024
    width: int = 1024
    frames: int = 1


@once()
def configs() -> dict[str, dict[str, Any]]:
    """The configurations by name."""
    return json.loads(read_asset(ASSETS / "hardware" / "configs.json"))


def build(name: str) -> nn.Module:
    """The module of that name on the meta device, in float32. Raises ValueError for an unknown name, ImportError where
    diffusers is missing."""
    if name not in configs():
        raise ValueError(f"no configuration is called {name!r}")
    import diffusers

    config = {key: value for key, value in configs()[name].items() if not key.startswith("_")}
    kind = getattr(diffusers, configs()[name]["_class_name"])
    with torch.device("meta"):
        return kind(**config).eval()


Inputs = dict[str, Any]
Shape = Callable[..., Tensor]


def denoiser_inputs(name: str, module: nn.Module, setting: Setting) -> Inputs:
    """What the forward pass of a denoiser takes for a setting, on the meta device in float32."""
    config: Any = module.config
    b, height, width, frames = setting.batch, setting.height, setting.width, setting.frames

    def real(*shape: int) -> Tensor:
        return torch.empty(shape, device="meta")

    def whole(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=torch.long, device="meta")

    def mask(*shape: int) -> Tensor:
        return torch.ones(shape, dtype=torch.bool, device="meta")

    def unet() -> Inputs:
        taken: Inputs = {
            "sample": real(b, config.in_channels, height // 8, width // 8),
            "timestep": whole(b),
            "encoder_hidden_states": real(b, 77, config.cross_attention_dim),
        }
        if config.addition_embed_type == "text_time":
            taken["added_cond_kwargs"] = {"text_embeds": real(b, 1280), "time_ids": real(b, 6)}
        return taken

    def sd3() -> Inputs:
        return {
            "hidden_states": real(b, config.in_channels, height // 8, width // 8),
            "encoder_hidden_states": real(b, 77 + 256, config.joint_attention_dim),
            "pooled_projections": real(b, config.pooled_projection_dim),
            "timestep": real(b),
        }

    def flux(axes: int = 3, shared: bool = True) -> Inputs:
        patches, words = (height // 16) * (width // 16), 256 if "schnell" in name else 512
        lead = () if shared else (b,)
        taken = {
            "hidden_states": real(b, patches, config.in_channels),
            "encoder_hidden_states": real(b, words, config.joint_attention_dim),
            "timestep": real(b),
            "img_ids": real(*lead, patches, axes),
            "txt_ids": real(*lead, words, axes),
        }
        if shared:
            taken["pooled_projections"] = real(b, config.get("pooled_projection_dim", 768))
        if config.get("guidance_embeds", False):
            taken["guidance"] = real(b)
        return taken

    def chroma() -> Inputs:
        taken = flux()
        del taken["pooled_projections"]
        return taken

    def pixart() -> Inputs:
        words = 120 if "alpha" in name else 300
        told = {"resolution": real(b, 2), "aspect_ratio": real(b, 1)} if config.use_additional_conditions else {}
        return {
            "hidden_states": real(b, config.in_channels, height // 8, width // 8),
            "encoder_hidden_states": real(b, words, config.caption_channels),
            "encoder_attention_mask": real(b, words),
            "timestep": whole(b),
            "added_cond_kwargs": {"resolution": None, "aspect_ratio": None} | told,
        }

    def sana() -> Inputs:
        return {
            "hidden_states": real(b, config.in_channels, height // 32, width // 32),
            "encoder_hidden_states": real(b, 300, config.caption_channels),
            "encoder_attention_mask": real(b, 300),
            "timestep": real(b),
        }

    def qwen() -> Inputs:
        rows, columns = height // 16, width // 16
        return {
            "hidden_states": real(b, rows * columns, config.in_channels),
            "encoder_hidden_states": real(b, 512, config.joint_attention_dim),
            "encoder_hidden_states_mask": None,
            "timestep": real(b),
            "img_shapes": [[(1, rows, columns)]] * b,
        }

    def z_image() -> Inputs:
        return {
            "x": [real(config.in_channels, 1, height // 8, width // 8) for _ in range(b)],
            "t": real(b),
            "cap_feats": [real(256, config.cap_feat_dim) for _ in range(b)],
        }

    def wan() -> Inputs:
        side = 16 if config.in_channels == 48 else 8
        taken = {
            "hidden_states": real(b, config.in_channels, (frames - 1) // 4 + 1, height // side, width // side),
            "encoder_hidden_states": real(b, 512, config.text_dim),
            "timestep": whole(b),
        }
        if config.image_dim:
            taken["encoder_hidden_states_image"] = real(b, 257, config.image_dim)
        return taken

    def cogvideox() -> Inputs:
        latents = (frames - 1) // 4 + 1
        latents += latents % (config.patch_size_t or 1)
        taken: Inputs = {
            "hidden_states": real(b, latents, config.in_channels, height // 8, width // 8),
            "encoder_hidden_states": real(b, config.max_text_seq_length, config.text_embed_dim),
            "timestep": whole(b),
        }
        if config.use_rotary_positional_embeddings:
            places = latents // (config.patch_size_t or 1) * (height // 16) * (width // 16)
            taken["image_rotary_emb"] = (real(places, config.attention_head_dim),) * 2
        return taken

    def ltx() -> Inputs:
        size = {"num_frames": (frames - 1) // 8 + 1, "height": height // 32, "width": width // 32}
        places = size["num_frames"] * size["height"] * size["width"]
        return {
            "hidden_states": real(b, places, config.in_channels),
            "encoder_hidden_states": real(b, 128, config.caption_channels),
            "encoder_attention_mask": real(b, 128),
            "timestep": whole(b),
            "rope_interpolation_scale": (8 / 25, 32, 32),
            **size,
        }

    def ltx2() -> Inputs:
        size = {"num_frames": (frames - 1) // 8 + 1, "height": height // 32, "width": width // 32}
        places, words = size["num_frames"] * size["height"] * size["width"], 1024
        heard = 3840 if name == "denoiser.ltx-2" else 2048
        taken: Inputs = {
            "hidden_states": real(b, places, config.in_channels),
            "audio_hidden_states": real(b, AUDIO_FRAMES, config.audio_in_channels),
            "encoder_hidden_states": real(b, words, 3840 if name == "denoiser.ltx-2" else 4096),
            "audio_encoder_hidden_states": real(b, words, heard),
            "encoder_attention_mask": real(b, words),
            "audio_encoder_attention_mask": real(b, words),
            "timestep": whole(b),
            "fps": 24.0,
            "audio_num_frames": AUDIO_FRAMES,
            **size,
        }
        if name != "denoiser.ltx-2":
            taken["sigma"] = real(b)
        return taken

    def hunyuan() -> Inputs:
        return {
            "hidden_states": real(b, config.in_channels, (frames - 1) // 4 + 1, height // 8, width // 8),
            "encoder_hidden_states": real(b, 256, config.text_embed_dim),
            "encoder_attention_mask": mask(b, 256),
            "pooled_projections": real(b, config.pooled_projection_dim),
            "timestep": whole(b),
            "guidance": real(b),
        }

    def hunyuan15() -> Inputs:
        return {
            "hidden_states": real(b, config.in_channels, (frames - 1) // 4 + 1, height // 16, width // 16),
            "encoder_hidden_states": real(b, 1000, config.text_embed_dim),
            "encoder_attention_mask": mask(b, 1000),
            "encoder_hidden_states_2": real(b, 256, config.text_embed_2_dim),
            "encoder_attention_mask_2": mask(b, 256),
            "image_embeds": real(b, 729, config.image_embed_dim),
            "timestep": whole(b),
        }

    def mochi() -> Inputs:
        return {
            "hidden_states": real(b, config.in_channels, (frames - 1) // 6 + 1, height // 8, width // 8),
            "encoder_hidden_states": real(b, 256, config.text_embed_dim),
            "encoder_attention_mask": mask(b, 256),
            "timestep": whole(b),
        }

    def stable_audio() -> Inputs:
        return {
            "hidden_states": real(b, config.in_channels, SOUND_TOKENS),
            "encoder_hidden_states": real(b, 130, config.cross_attention_input_dim),
            "global_hidden_states": real(b, 1, config.global_states_input_dim),
            "rotary_embedding": (real(SOUND_TOKENS + 1, config.attention_head_dim // 2),) * 2,
            "timestep": real(b),
        }

    of_class: Mapping[str, Callable[[], Inputs]] = {
        "UNet2DConditionModel": unet,
        "SD3Transformer2DModel": sd3,
        "FluxTransformer2DModel": flux,
        "Flux2Transformer2DModel": lambda: flux(4, shared=False),
        "ChromaTransformer2DModel": chroma,
        "PixArtTransformer2DModel": pixart,
        "SanaTransformer2DModel": sana,
        "QwenImageTransformer2DModel": qwen,
        "ZImageTransformer2DModel": z_image,
        "WanTransformer3DModel": wan,
        "CogVideoXTransformer3DModel": cogvideox,
        "LTXVideoTransformer3DModel": ltx,
        "LTX2VideoTransformer3DModel": ltx2,
        "HunyuanVideoTransformer3DModel": hunyuan,
        "HunyuanVideo15Transformer3DModel": hunyuan15,
        "MochiTransformer3DModel": mochi,
        "StableAudioDiTModel": stable_audio,
    }
    return of_class[type(module).__name__]()


def latents(name: str, module: nn.Module, setting: Setting) -> Tensor:
    """What the decoder of a VAE takes for a setting, on the meta device in float32."""
    b, height, width, frames = setting.batch, setting.height, setting.width, setting.frames
    kind = type(module).__name__
    side = {"vae.wan22-5b": 16, "vae.hunyuanvideo15": 16, "vae.sana-dc-ae": 32}.get(name, 32 if "ltx" in name else 8)
    config: Any = module.config
    channels = next(config[key] for key in ("latent_channels", "z_dim", "decoder_input_channels") if key in config)
    if kind == "AutoencoderOobleck":
        return torch.empty(b, channels, SOUND_TOKENS, device="meta")
    if kind in ("AutoencoderKL", "AutoencoderKLFlux2", "AutoencoderDC"):
        return torch.empty(b, channels, height // side, width // side, device="meta")
    times = 8 if "ltx" in name else 6 if "mochi" in name else 4
    return torch.empty(b, channels, (frames - 1) // times + 1, height // side, width // side, device="meta")


class AllTrue(TorchFunctionMode):
    """Lets models through that ask a mask on the meta device for its values: each mask is taken as all true."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        first = args[0] if args else None
        asked = getattr(func, "__name__", "")
        if isinstance(first, Tensor) and first.is_meta:
            if asked in ("item", "__bool__", "__int__"):
                return True if first.dtype == torch.bool else 1
            if asked == "nonzero":
                return torch.empty(first.numel(), first.ndim, dtype=torch.long, device="meta")
            if asked == "__getitem__" and isinstance(args[1], Tensor) and args[1].dtype == torch.bool:
                return first.flatten(0, args[1].ndim - 1)
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def on_meta() -> Iterator[None]:
    """In which models run that ask for values, or for autocast, which the meta device does not have."""
    autocast = torch.autocast

    class NoAutocast(contextlib.nullcontext[None]):
        def __init__(self, *_: Any, **__: Any):
            super().__init__()

    torch.autocast = NoAutocast  # type: ignore[assignment, misc]
    try:
        with AllTrue():
            yield
    finally:
        torch.autocast = autocast  # type: ignore[misc]
