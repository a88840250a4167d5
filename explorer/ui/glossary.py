"""The words of the course: what people read for each, and what it means in a sentence or two."""

GLOSSARY: dict[str, tuple[str, str]] = {
    "activations": (
        "Activations",
        "What the layers of a network hand on while they compute. Training keeps them for the way back.",
    ),
    "alpha_bar": (
        "ᾱ (alpha-bar)",
        "The share of the image's variance that is left at time t: 1 is the image alone, 0 is noise alone.",
    ),
    "attention": (
        "Attention",
        "Every place of the image looks at every other and takes in what it can use, wherever that lies.",
    ),
    "batch": ("Batch", "The images that one step of training looks at together. Larger batches give steadier steps."),
    "clip": (
        "CLIP",
        "Two networks, one for pictures and one for texts, that learned to give what belongs together vectors of one "
        "direction.",
    ),
    "cross_attention": (
        "Cross-attention",
        "Every place of the picture looks at the words of the prompt and takes in what it can use.",
    ),
    "ddim": ("DDIM", "A sampler that adds no noise on its way: the same start always ends in the same image."),
    "ddpm": ("DDPM", "A sampler that draws fresh noise at every step, so that one start has many ends."),
    "denoiser": ("Denoiser", "What answers the one question of diffusion: which clean image is in this noisy one?"),
    "distance": (
        "Distance",
        "Sliced 2-Wasserstein: how far points must be moved, along random directions, to turn one set into another.",
    ),
    "dpm_solver": (
        "DPM-Solver++",
        "A sampler for the same path as DDIM's that also uses the step before: its error falls faster as steps are "
        "added.",
    ),
    "ema": (
        "EMA",
        "A running average of the weights while they are trained. It wanders less than the weights themselves.",
    ),
    "embedding": ("Embedding", "A number or a word as a list of numbers that a network can work with."),
    "epoch": ("Epoch", "One pass over all training images."),
    "epsilon": (
        "ε (noise)",
        "What is added to an image: independent random numbers, normal with mean 0 and variance 1.",
    ),
    "eta": ("η (eta)", "The share of fresh noise in each step of a sampler: 0 is DDIM, 1 is DDPM."),
    "evaluations": ("Network calls", "How often the network is asked. They are nearly all that sampling costs."),
    "flash": (
        "Flash attention",
        "Attention computed piece by piece, so that the matrix of all weights is never kept.",
    ),
    "frechet": (
        "Fréchet distance",
        "How far the features of samples are, as a cloud, from those of real images: 0 is no difference.",
    ),
    "guidance": (
        "Guidance",
        "The network is asked twice, with the class, prompt or voice and without it, and the difference is multiplied "
        "by the guidance scale w. At 0 it has no effect; at 1 the network's answer is used unchanged, and one call is "
        "enough; above 1 what it adds is exaggerated.",
    ),
    "held_out": ("Held out", "Images that no training has seen. They tell learning from learning by heart."),
    "latent": (
        "Latent",
        "What a VAE makes of a picture or a film: a smaller one, which the denoiser works on.",
    ),
    "learning_rate": ("Learning rate", "How far the weights move in one step of training."),
    "log_snr": (
        "log-SNR (λ)",
        "The noise level: how many times stronger the image is than the noise, as a logarithm, 2 ln(α / σ). At 0 both "
        "are equally strong; every +1.4 doubles α / σ, and below 0 the noise is stronger.",
    ),
    "lora": (
        "LoRA",
        "Fine-tuning in which a model's weights stay as they are, and two thin matrices beside each are trained.",
    ),
    "loss": (
        "Loss",
        "How far the network's answer is from the right one: squared, and averaged over pixels, images and noise "
        "levels. Training makes it small.",
    ),
    "mel": (
        "Mel spectrogram",
        "How loud each of a few frequency bands is at each moment. High bands are wider, as the ear tells high tones "
        "apart less finely.",
    ),
    "negative_prompt": ("Negative prompt", "What guidance leads away from, in place of no prompt at all."),
    "noise": ("N(0, 1)", "The normal distribution with mean 0 and variance 1: the bell curve that pure noise follows."),
    "offload": (
        "Offload",
        "Components that do not run wait in main memory, and come to the card in turn.",
    ),
    "phone": (
        "Phone",
        "One sound of a language: English has about forty. “Cat” has three, K, AE and T.",
    ),
    "prediction": (
        "Prediction",
        "What the network answers with: the noise ε, the clean x₀, or a mixture of the two, as v, the velocity and the "
        "score are. Each can be turned into all others.",
    ),
    "quantised": (
        "Quantised weights",
        "Weights kept in 8 or 4 bits with a scale for each row or block, and computed in 16.",
    ),
    "sampler": ("Sampler", "The rule that walks from noise to data by asking the model again and again."),
    "schedule": (
        "Schedule",
        "How much of the image and how much noise there is at each time t: the image counts α times, the noise σ "
        "times.",
    ),
    "score": ("Score", "The direction in which noisy data become most likely: from where one stands, uphill."),
    "scratch": ("Scratch", "What a convolution needs beside its input and output while it runs."),
    "sigma": ("σ (sigma)", "How strong the noise is at time t: its standard deviation, in the units of the image."),
    "skip": ("Skip connection", "Hands what the way down has seen straight across to the way up."),
    "text_encoder": ("Text encoder", "Turns each word of a prompt into a vector, in which the other words count, too."),
    "time": ("Time t", "Where one is between data, t = 0, and noise, t = 1."),
    "vae": (
        "VAE",
        "Two networks, one that turns pixels into latents, and a decoder that turns them back.",
    ),
    "velocity": (
        "Velocity",
        "Where the flow moves a point at a moment, and how fast, as time runs from data to noise. A sampler walks "
        "against it.",
    ),
    "vocoder": (
        "Vocoder",
        "Makes a waveform of a spectrogram, which has lost the phases: learned, or by guessing phases that agree.",
    ),
    "voice_vector": (
        "Voice vector",
        "What an encoder keeps of a recording once all that was said is averaged away: a list of numbers for a voice.",
    ),
    "watermark": (
        "Watermark",
        "A pattern too faint to notice, that says where something comes from to whoever knows the key.",
    ),
    "x0": ("x₀", "The clean image or point, before any noise."),
}


def meaning(name: str) -> str:
    """What a word means, for the help of a control."""
    return GLOSSARY[name][1]
