"""How the large text-to-image models differ from those of this page: the same parts, side by side."""

from dataclasses import dataclass

PARTS = ("Tokenizer", "Text encoder", "Latent", "Denoiser", "All weights", "Trained to predict", "Steps")


@dataclass(frozen=True)
class Large:
    """A published model: the weights of its denoiser, its parts in the order of `PARTS`, and where they are told."""

    name: str
    year: int
    weights: int
    parts: tuple[str, ...]
    source: str


LARGE = (
    Large(
        "Stable Diffusion 1.5",
        2022,
        859_520_964,
        (
            "byte pairs, 49,408 pieces, 77 places",
            "CLIP ViT-L/14, frozen: 123 M",
            "64 x 64 x 4 for 512 x 512 pixels",
            "U-Net, cross-attention at 3 of 4 levels",
            "1.07 B",
            "the noise ε",
            "50 (PNDM)",
        ),
        "[Rombach et al. (2022)](https://arxiv.org/abs/2112.10752), [its "
        "card](https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5)",
    ),
    Large(
        "SDXL",
        2023,
        2_567_463_684,
        (
            "byte pairs, 49,408 pieces, 77 places",
            "CLIP ViT-L and OpenCLIP ViT-bigG, frozen: 817 M",
            "128 x 128 x 4 for 1024 x 1024 pixels",
            "U-Net, cross-attention at 2 of 3 levels",
            "3.5 B",
            "the noise ε",
            "50",
        ),
        "[Podell et al. (2023)](https://arxiv.org/abs/2307.01952), table 1",
    ),
    Large(
        "Stable Diffusion 3 Medium",
        2024,
        2_028_328_000,
        (
            "byte pairs, and SentencePiece for T5",
            "CLIP-L, OpenCLIP-bigG and T5-XXL (4.7 B), frozen",
            "128 x 128 x 16 for 1024 x 1024 pixels",
            "transformer of 24 blocks; words and patches look at each other",
            "7.7 B",
            "the velocity (rectified flow)",
            "28",
        ),
        "[Esser et al. (2024)](https://arxiv.org/abs/2403.03206), [its "
        "card](https://huggingface.co/stabilityai/stable-diffusion-3-medium)",
    ),
    Large(
        "FLUX.1 dev",
        2024,
        11_901_408_320,
        (
            "byte pairs, and SentencePiece for T5",
            "CLIP-L (pooled) and T5-XXL (4.7 B), frozen",
            "128 x 128 x 16 for 1024 x 1024 pixels",
            "transformer of 19 double and 38 single blocks; the guidance scale is an input",
            "17 B",
            "the velocity (rectified flow)",
            "50; FLUX.1 schnell: 1 to 4",
        ),
        "[its card](https://huggingface.co/black-forest-labs/FLUX.1-dev), "
        "[code](https://github.com/black-forest-labs/flux)",
    ),
)
