"""What is counted on shapes is what a real run of diffusers' own models keeps, to the byte, in small."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from explorer.hardware.diffusers_models import Setting, build, configs, denoiser_inputs, on_meta
from explorer.hardware.memory import estimate_memory, saved_bytes
from explorer.hardware.tracing import Decoder, component, trace_operations, trace_running, trace_training
from explorer.hardware.weights import count_weights

diffusers = pytest.importorskip("diffusers")
r = torch.randn


def times(n: int) -> torch.Tensor:
    return torch.full((n,), 3)


SMALL: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "UNet2DConditionModel": (
        {
            "sample_size": 16,
            "block_out_channels": (8, 16),
            "layers_per_block": 1,
            "norm_num_groups": 4,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": 8,
            "attention_head_dim": 4,
        },
        lambda: {"sample": r(2, 4, 16, 16), "timestep": times(2), "encoder_hidden_states": r(2, 5, 8)},
    ),
    "SD3Transformer2DModel": (
        {
            "sample_size": 16,
            "patch_size": 2,
            "in_channels": 4,
            "out_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "joint_attention_dim": 12,
            "caption_projection_dim": 16,
            "pooled_projection_dim": 10,
            "pos_embed_max_size": 16,
        },
        lambda: {
            "hidden_states": r(2, 4, 16, 16),
            "encoder_hidden_states": r(2, 5, 12),
            "pooled_projections": r(2, 10),
            "timestep": r(2),
        },
    ),
    "FluxTransformer2DModel": (
        {
            "patch_size": 1,
            "in_channels": 4,
            "num_layers": 1,
            "num_single_layers": 1,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 12,
            "pooled_projection_dim": 10,
            "axes_dims_rope": (4, 4, 8),
        },
        lambda: {
            "hidden_states": r(2, 9, 4),
            "encoder_hidden_states": r(2, 5, 12),
            "pooled_projections": r(2, 10),
            "timestep": r(2),
            "img_ids": r(9, 3),
            "txt_ids": r(5, 3),
        },
    ),
    "PixArtTransformer2DModel": (
        {
            "sample_size": 8,
            "num_attention_heads": 2,
            "attention_head_dim": 8,
            "num_layers": 2,
            "in_channels": 4,
            "out_channels": 8,
            "cross_attention_dim": 16,
            "caption_channels": 12,
            "use_additional_conditions": False,
        },
        lambda: {
            "hidden_states": r(2, 4, 8, 8),
            "encoder_hidden_states": r(2, 5, 12),
            "timestep": times(2),
            "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
        },
    ),
    "SanaTransformer2DModel": (
        {
            "patch_size": 1,
            "in_channels": 4,
            "out_channels": 4,
            "num_layers": 1,
            "attention_head_dim": 4,
            "num_attention_heads": 2,
            "num_cross_attention_heads": 2,
            "cross_attention_head_dim": 4,
            "cross_attention_dim": 8,
            "caption_channels": 8,
            "sample_size": 8,
        },
        lambda: {"hidden_states": r(2, 4, 8, 8), "encoder_hidden_states": r(2, 5, 8), "timestep": r(2)},
    ),
    "QwenImageTransformer2DModel": (
        {
            "patch_size": 2,
            "in_channels": 16,
            "out_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 12,
            "axes_dims_rope": (8, 4, 4),
        },
        lambda: {
            "hidden_states": r(1, 16, 16),
            "encoder_hidden_states": r(1, 5, 12),
            "encoder_hidden_states_mask": None,
            "timestep": r(1),
            "img_shapes": [[(1, 4, 4)]],
        },
    ),
    "WanTransformer3DModel": (
        {
            "patch_size": (1, 2, 2),
            "num_attention_heads": 2,
            "attention_head_dim": 12,
            "in_channels": 4,
            "out_channels": 4,
            "text_dim": 12,
            "freq_dim": 16,
            "ffn_dim": 32,
            "num_layers": 2,
            "rope_max_seq_len": 32,
        },
        lambda: {"hidden_states": r(2, 4, 2, 8, 8), "encoder_hidden_states": r(2, 5, 12), "timestep": times(2)},
    ),
    "CogVideoXTransformer3DModel": (
        {
            "num_attention_heads": 2,
            "attention_head_dim": 8,
            "in_channels": 4,
            "out_channels": 4,
            "time_embed_dim": 2,
            "text_embed_dim": 8,
            "num_layers": 2,
            "sample_width": 8,
            "sample_height": 8,
            "sample_frames": 8,
            "patch_size": 2,
            "temporal_compression_ratio": 4,
            "max_text_seq_length": 8,
        },
        lambda: {"hidden_states": r(2, 2, 4, 8, 8), "encoder_hidden_states": r(2, 8, 8), "timestep": times(2)},
    ),
    "LTXVideoTransformer3DModel": (
        {
            "in_channels": 8,
            "out_channels": 8,
            "num_attention_heads": 2,
            "attention_head_dim": 8,
            "cross_attention_dim": 16,
            "num_layers": 2,
            "caption_channels": 16,
        },
        lambda: {
            "hidden_states": r(2, 32, 8),
            "encoder_hidden_states": r(2, 5, 16),
            "timestep": times(2),
            "encoder_attention_mask": torch.ones(2, 5),
            "num_frames": 2,
            "height": 4,
            "width": 4,
            "rope_interpolation_scale": (1.0, 1.0, 1.0),
        },
    ),
    "ZImageTransformer2DModel": (
        {
            "all_patch_size": (2,),
            "all_f_patch_size": (1,),
            "in_channels": 4,
            "dim": 32,
            "n_layers": 2,
            "n_refiner_layers": 1,
            "n_heads": 2,
            "n_kv_heads": 2,
            "cap_feat_dim": 16,
            "axes_dims": [8, 4, 4],
            "axes_lens": [64, 32, 32],
        },
        lambda: {"x": [r(4, 1, 8, 8)], "t": r(1), "cap_feats": [r(8, 16)]},
    ),
    "StableAudioDiTModel": (
        {
            "sample_size": 4,
            "in_channels": 4,
            "num_layers": 2,
            "attention_head_dim": 4,
            "num_key_value_attention_heads": 2,
            "out_channels": 4,
            "cross_attention_dim": 4,
            "time_proj_dim": 8,
            "global_states_input_dim": 8,
            "cross_attention_input_dim": 4,
            "num_attention_heads": 2,
        },
        lambda: {
            "hidden_states": r(2, 4, 8),
            "encoder_hidden_states": r(2, 3, 4),
            "global_hidden_states": r(2, 1, 8),
            "timestep": r(2),
            "rotary_embedding": (r(9, 2), r(9, 2)),
        },
    ),
    "AutoencoderKL": (
        {
            "block_out_channels": (8, 16),
            "down_block_types": ("DownEncoderBlock2D",) * 2,
            "up_block_types": ("UpDecoderBlock2D",) * 2,
            "latent_channels": 4,
            "norm_num_groups": 4,
        },
        lambda: [r(2, 4, 8, 8)],
    ),
}


@pytest.mark.parametrize("attention", ["flash", "math"])
@pytest.mark.parametrize("name", SMALL)
def test_a_small_model_of_each_family_saves_what_is_counted_to_the_byte(name: str, attention: str) -> None:
    config, make = SMALL[name]
    module = getattr(diffusers, name)(**config).train()
    module = Decoder(module) if name == "AutoencoderKL" else module
    inputs = make()
    args, kwargs = (inputs, {}) if isinstance(inputs, list) else ([], inputs)
    with sdpa_kernel(SDPBackend.MATH) if attention == "math" else contextlib.nullcontext():
        real = saved_bytes(module, args, kwargs)
    assert estimate_memory(module, example_inputs=inputs, attention=attention).activations == real


@pytest.mark.parametrize("name", configs())
def test_every_count_is_the_published_one(name: str) -> None:
    module = build(name)
    config = configs()[name]
    if config.get("_counted_parameters") is not None:
        assert sum(parameter.numel() for parameter in module.parameters()) == config["_counted_parameters"]
        assert sum(buffer.numel() for buffer in module.buffers()) == config["_counted_buffers"]
    counted = count_weights(module)
    assert counted.largest <= counted.linear
    assert counted.bytes("nf4") <= counted.bytes("int8") <= counted.bytes("bf16") < counted.bytes("fp32")


def test_a_component_is_traced_as_the_table_has_it() -> None:
    from explorer.hardware.traces import traces

    for name, key in (("denoiser.sd15", "running"), ("vae.sdxl", "fp32")):
        row = traces()[name][key][0]
        side = round(row[0] ** 0.5)
        dtype = torch.bfloat16 if key == "running" else torch.float32
        module = component(name)
        assert trace_running(name, module, Setting(1, side, side), "flash", dtype) == row[2:4]
    module = component("denoiser.sd15")
    row = traces()["denoiser.sd15"]["running"][0]
    assert trace_operations("denoiser.sd15", module, Setting(1, 512, 512)) == row[6]
    row = traces()["denoiser.sd15"]["training"][0]
    assert trace_training("denoiser.sd15", module, Setting(1, 512, 512), True, True) == row[5]


def test_masks_count_as_true_where_there_are_no_values() -> None:
    mask = torch.ones(2, 3, dtype=torch.bool, device="meta")
    with on_meta():
        assert mask.all().item()
        assert mask.nonzero().shape == (6, 2)
        assert torch.empty(2, 3, 5, device="meta")[mask].shape == (6, 5)
        with torch.autocast("meta", torch.bfloat16):
            pass
    with pytest.raises(RuntimeError):
        mask.all().item()


def test_an_unknown_configuration_is_named() -> None:
    with pytest.raises(ValueError, match="no configuration is called 'denoiser.sora'"):
        build("denoiser.sora")
    assert denoiser_inputs("denoiser.sd15", build("denoiser.sd15"), Setting(3, 512, 256))["sample"].shape == (
        3,
        4,
        64,
        32,
    )
