import pytest
import torch

from explorer.lessons.guided_generation.large import LARGE, PARTS

DIFFUSERS = pytest.importorskip("diffusers")
LAYOUTS = {
    "Stable Diffusion 1.5": (
        "UNet2DConditionModel",
        {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8},
    ),
    "SDXL": (
        "UNet2DConditionModel",
        {
            "sample_size": 128,
            "block_out_channels": (320, 640, 1280),
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": [1, 2, 10],
            "attention_head_dim": [5, 10, 20],
            "cross_attention_dim": 2048,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
    ),
    "Stable Diffusion 3 Medium": (
        "SD3Transformer2DModel",
        {
            "sample_size": 128,
            "num_layers": 24,
            "num_attention_heads": 24,
            "caption_projection_dim": 1536,
            "pos_embed_max_size": 192,
        },
    ),
    "FLUX.1 dev": ("FluxTransformer2DModel", {"guidance_embeds": True}),
}


@pytest.mark.parametrize("large", LARGE, ids=lambda large: large.name)
def test_the_weights_are_those_of_the_published_layout(large) -> None:  # type: ignore[no-untyped-def]
    kind, layout = LAYOUTS[large.name]
    with torch.device("meta"):
        network = getattr(DIFFUSERS, kind)(**layout)
    assert sum(parameter.numel() for parameter in network.parameters()) == large.weights
    assert len(large.parts) == len(PARTS)
    assert "https://" in large.source
