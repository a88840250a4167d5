"""The papers that the course draws on, as Markdown."""


def _arxiv(authors: str, year: int, title: str, number: str) -> str:
    return f"{authors} ({year}), [{title}](https://arxiv.org/abs/{number})"


PAPERS = {
    "sohl_dickstein": _arxiv(
        "Sohl-Dickstein et al.", 2015, "Deep unsupervised learning using nonequilibrium thermodynamics", "1503.03585"
    ),
    "ddpm": _arxiv("Ho, Jain and Abbeel", 2020, "Denoising diffusion probabilistic models", "2006.11239"),
    "improved_ddpm": _arxiv(
        "Nichol and Dhariwal", 2021, "Improved denoising diffusion probabilistic models", "2102.09672"
    ),
    "ddim": _arxiv("Song, Meng and Ermon", 2021, "Denoising diffusion implicit models", "2010.02502"),
    "sde": _arxiv(
        "Song et al.", 2021, "Score-based generative modeling through stochastic differential equations", "2011.13456"
    ),
    "langevin": _arxiv(
        "Song and Ermon", 2019, "Generative modeling by estimating gradients of the data distribution", "1907.05600"
    ),
    "vdm": _arxiv("Kingma et al.", 2021, "Variational diffusion models", "2107.00630"),
    "edm": _arxiv(
        "Karras et al.", 2022, "Elucidating the design space of diffusion-based generative models", "2206.00364"
    ),
    "flow_matching": _arxiv("Lipman et al.", 2023, "Flow matching for generative modeling", "2210.02747"),
    "rectified_flow": _arxiv(
        "Liu, Gong and Liu", 2023, "Flow straight and fast: learning to generate with rectified flow", "2209.03003"
    ),
    "v_prediction": _arxiv(
        "Salimans and Ho", 2022, "Progressive distillation for fast sampling of diffusion models", "2202.00512"
    ),
    "dpm_solver": _arxiv(
        "Lu et al.",
        2022,
        "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models",
        "2211.01095",
    ),
    "latent_diffusion": _arxiv(
        "Rombach et al.", 2022, "High-resolution image synthesis with latent diffusion models", "2112.10752"
    ),
    "clip": _arxiv(
        "Radford et al.", 2021, "Learning transferable visual models from natural language supervision", "2103.00020"
    ),
    "glide": _arxiv(
        "Nichol et al.",
        2022,
        "GLIDE: towards photorealistic image generation and editing with text-guided diffusion models",
        "2112.10741",
    ),
    "prompt_to_prompt": _arxiv(
        "Hertz et al.", 2023, "Prompt-to-prompt image editing with cross attention control", "2208.01626"
    ),
    "sdedit": _arxiv(
        "Meng et al.",
        2022,
        "SDEdit: guided image synthesis and editing with stochastic differential equations",
        "2108.01073",
    ),
    "guidance": _arxiv("Ho and Salimans", 2022, "Classifier-free diffusion guidance", "2207.12598"),
    "guidance_interval": _arxiv(
        "Kynkäänniemi et al.",
        2024,
        "Applying guidance in a limited interval improves sample and distribution quality",
        "2404.07724",
    ),
    "unet": _arxiv(
        "Ronneberger, Fischer and Brox",
        2015,
        "U-Net: convolutional networks for biomedical image segmentation",
        "1505.04597",
    ),
    "attention": _arxiv("Vaswani et al.", 2017, "Attention is all you need", "1706.03762"),
    "flash_attention": _arxiv(
        "Dao et al.",
        2022,
        "FlashAttention: fast and memory-efficient exact attention with IO-awareness",
        "2205.14135",
    ),
    "lora": _arxiv("Hu et al.", 2022, "LoRA: low-rank adaptation of large language models", "2106.09685"),
    "fourier_features": _arxiv(
        "Tancik et al.",
        2020,
        "Fourier features let networks learn high frequency functions in low dimensional domains",
        "2006.10739",
    ),
    "film": _arxiv("Perez et al.", 2018, "FiLM: visual reasoning with a general conditioning layer", "1709.07871"),
    "adam": _arxiv("Kingma and Ba", 2015, "Adam: a method for stochastic optimization", "1412.6980"),
    "fid": _arxiv(
        "Heusel et al.",
        2017,
        "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
        "1706.08500",
    ),
    "memorisation": _arxiv("Carlini et al.", 2023, "Extracting training data from diffusion models", "2301.13188"),
    "sliced_wasserstein": (
        "Bonneel et al. (2015), [Sliced and Radon Wasserstein barycenters of measures]"
        "(https://doi.org/10.1007/s10851-014-0506-3)"
    ),
    "diffusion_explorer": _arxiv(
        "Helbling and Chau", 2025, "Diffusion Explorer: interactive exploration of diffusion models", "2507.01178"
    ),
    "instruct_pix2pix": _arxiv(
        "Brooks, Holynski and Efros",
        2023,
        "InstructPix2Pix: learning to follow image editing instructions",
        "2211.09800",
    ),
    "griffin_lim": (
        "Griffin and Lim (1984), [Signal estimation from modified short-time Fourier transform]"
        "(https://doi.org/10.1109/TASSP.1984.1164317)"
    ),
    "nhv": _arxiv("Wang, Takaki and Yamagishi", 2019, "Neural source-filter waveform models", "1904.12088"),
    "tortoise": _arxiv("Betker", 2023, "Better speech synthesis through scaling", "2305.07243"),
    "valle": _arxiv(
        "Wang et al.", 2023, "Neural codec language models are zero-shot text to speech synthesizers", "2301.02111"
    ),
    "naturalspeech2": _arxiv(
        "Shen et al.",
        2023,
        "NaturalSpeech 2: latent diffusion models are natural and zero-shot speech and singing synthesizers",
        "2304.09116",
    ),
    "f5_tts": _arxiv(
        "Chen et al.",
        2024,
        "F5-TTS: a fairytaler that fakes fluent and faithful speech with flow matching",
        "2410.06885",
    ),
    "styletts2": _arxiv(
        "Li et al.",
        2023,
        "StyleTTS 2: towards human-level text-to-speech through style diffusion and adversarial training",
        "2306.07691",
    ),
    "watermark": (
        "Kirovski and Malvar (2003), [Spread-spectrum watermarking of audio signals]"
        "(https://doi.org/10.1109/TSP.2003.809384)"
    ),
    "denoising_score": (
        "Vincent (2011), [A connection between score matching and denoising autoencoders]"
        "(https://doi.org/10.1162/NECO_a_00142)"
    ),
    "d3pm": _arxiv(
        "Austin et al.", 2021, "Structured denoising diffusion models in discrete state-spaces", "2107.03006"
    ),
    "mdlm": _arxiv("Sahoo et al.", 2024, "Simple and effective masked diffusion language models", "2406.07524"),
    "llada": _arxiv("Nie et al.", 2025, "Large language diffusion models", "2502.09992"),
    "video_diffusion": _arxiv("Ho et al.", 2022, "Video diffusion models", "2204.03458"),
    "consistency": _arxiv("Song et al.", 2023, "Consistency models", "2303.01469"),
    "distillation": _arxiv(
        "Luhman and Luhman",
        2021,
        "Knowledge distillation in iterative generative models for improved sampling speed",
        "2101.02388",
    ),
    "tree_ring": _arxiv(
        "Wen et al.",
        2023,
        "Tree-ring watermarks: fingerprints for diffusion images that are invisible and robust",
        "2305.20030",
    ),
    "somepalli": _arxiv(
        "Somepalli et al.",
        2023,
        "Diffusion art or digital forgery? Investigating data replication in diffusion models",
        "2212.03860",
    ),
    "yoon": (
        "Yoon et al. (2023), [Diffusion probabilistic models generalize when they fail to memorize]"
        "(https://openreview.net/forum?id=shciCbSk9h)"
    ),
    "luccioni": _arxiv(
        "Luccioni, Jernite and Strubell",
        2024,
        "Power hungry processing: watts driving the cost of AI deployment?",
        "2311.16863",
    ),
    "stable_bias": _arxiv(
        "Luccioni et al.", 2023, "Stable bias: analyzing societal representations in diffusion models", "2303.11408"
    ),
    "rogan": "Rogan and Gladen (1978), [Estimating prevalence from the results of a screening test]"
    "(https://doi.org/10.1093/oxfordjournals.aje.a112510)",
    "moving_mnist": _arxiv(
        "Srivastava, Mansimov and Salakhutdinov",
        2015,
        "Unsupervised learning of video representations using LSTMs",
        "1502.04681",
    ),
}
