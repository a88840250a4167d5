"""How the large models that clone voices differ from that of this page: the same parts, side by side, as their authors
tell them."""

from dataclasses import dataclass

PARTS = ("What is generated", "The voice enters as", "How it is generated", "To a waveform by", "Weights", "Trained on")


@dataclass(frozen=True)
class Large:
    """A published model, its parts in the order of `PARTS`, and where they are told."""

    name: str
    year: int
    parts: tuple[str, ...]
    source: str


LARGE = (
    Large(
        "Tortoise",
        2023,
        (
            "tokens of a quantised mel spectrogram, then the spectrogram",
            "vectors of reference clips",
            "one token after another, the best of many chosen by a CLIP of speech, then **diffusion**",
            "UnivNet",
            "five networks, not counted here",
            "about 50,000 hours",
        ),
        "[Betker (2023)](https://arxiv.org/abs/2305.07243)",
    ),
    Large(
        "VALL-E",
        2023,
        (
            "tokens of a neural codec (EnCodec)",
            "three seconds of speech in front of the text's",
            "the first codebook token after token, the seven others at once",
            "EnCodec's decoder",
            "two transformers of 12 layers",
            "60,000 hours (LibriLight)",
        ),
        "[Wang et al. (2023)](https://arxiv.org/abs/2301.02111)",
    ),
    Large(
        "NaturalSpeech 2",
        2023,
        (
            "latent vectors of a neural codec",
            "a speech prompt, seen by attention",
            "**diffusion**, with durations and pitch predicted apart",
            "the codec's decoder",
            "not verified here",
            "44,000 hours",
        ),
        "[Shen et al. (2023)](https://arxiv.org/abs/2304.09116)",
    ),
    Large(
        "F5-TTS",
        2024,
        (
            "a mel spectrogram",
            "a speech prompt to be continued",
            "**flow matching** with a diffusion transformer, no durations given",
            "Vocos",
            "about 330 million",
            "100,000 hours (Emilia)",
        ),
        "[Chen et al. (2024)](https://arxiv.org/abs/2410.06885)",
    ),
    Large(
        "Kokoro",
        2025,
        (
            "a waveform",
            "one of 54 style vectors, no cloning",
            "all at once, after StyleTTS 2, whose **diffusion** of styles it leaves out",
            "ISTFTNet, its last layers",
            "82 million",
            "a few hundred hours",
        ),
        "[hexgrad](https://huggingface.co/hexgrad/Kokoro-82M)",
    ),
)
