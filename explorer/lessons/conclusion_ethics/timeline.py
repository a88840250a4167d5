"""From thermodynamics to today: the ideas of this course in the order in which they came."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Idea:
    """A year, what came, the paper's name in `explorer.ui.papers`, and the page that shows it."""

    year: int
    what: str
    paper: str
    page: str


IDEAS = (
    Idea(2011, "Denoising is score matching", "denoising_score", "pages/geometry_lab.py"),
    Idea(
        2015, "Noise, step by step, and back: diffusion as a model of data", "sohl_dickstein", "pages/core_concepts.py"
    ),
    Idea(2015, "The U-Net, for images of cells", "unet", "pages/unet.py"),
    Idea(2019, "Langevin walks along scores of many noise levels", "langevin", "pages/geometry_lab.py"),
    Idea(2020, "DDPM: predict the noise, and samples are as good as a GAN's", "ddpm", "pages/training_lab.py"),
    Idea(2020, "DDIM: the same model without fresh noise, in few steps", "ddim", "pages/sampling_showdown.py"),
    Idea(2021, "One equation for all of them: SDEs and their flow", "sde", "pages/geometry_lab.py"),
    Idea(2021, "Diffusion of symbols, by hiding them", "d3pm", "pages/conclusion_ethics.py"),
    Idea(2021, "Pictures from words, in a latent space", "latent_diffusion", "pages/guided_generation.py"),
    Idea(2022, "Guidance without a classifier", "guidance", "pages/guided_generation.py"),
    Idea(2022, "What matters in the design: EDM", "edm", "pages/sampling_showdown.py"),
    Idea(2022, "Video", "video_diffusion", "pages/conclusion_ethics.py"),
    Idea(2022, "Flow matching and rectified flow: straight paths", "flow_matching", "pages/geometry_lab.py"),
    Idea(2023, "Training images extracted from models", "memorisation", "pages/conclusion_ethics.py"),
    Idea(2023, "One step: consistency models", "consistency", "pages/conclusion_ethics.py"),
    Idea(2023, "Voices in the style of a recording", "styletts2", "pages/voice_cloning.py"),
    Idea(2023, "Marks in the noise: tree rings", "tree_ring", "pages/conclusion_ethics.py"),
    Idea(2025, "2D models trained in the browser", "diffusion_explorer", "pages/geometry_lab.py"),
)
