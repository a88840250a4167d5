"""Ten questions on diffusion models, asked before and after the course: none of them is on a page."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """A question, its choices, the right one first, and the page that shows why."""

    text: str
    choices: tuple[str, ...]
    page: str


TEST = (
    Asked(
        "What does the forward process of a diffusion model learn?",
        ("Nothing: it adds noise by a fixed rule", "How to add noise", "Where the edges are", "A label for each image"),
        "core_concepts",
    ),
    Asked(
        "A denoiser is trained by squared error on very noisy images. What does its best guess look like?",
        (
            "A blurred mean of all images that could be meant",
            "One sharp image that could be meant",
            "Noise of the same strength",
            "The nearest training image",
        ),
        "core_concepts",
    ),
    Asked(
        "Two starting noises are far apart, and a deterministic sampler walks both. Where do they end?",
        (
            "At different samples, as a rule",
            "At the same sample, if there are enough steps",
            "At the mean of the data",
            "Where chance decides, anew each time",
        ),
        "geometry_lab",
    ),
    Asked(
        "What is lost first when a U-Net's skip connections are cut?",
        ("Fine detail", "The class of the image", "The noise level", "The colours' order"),
        "unet",
    ),
    Asked(
        "Why are some images kept out of the training of a model?",
        (
            "To tell learning from learning by heart",
            "So that training is faster",
            "To have noise to start from",
            "Because a network can hold only so many",
        ),
        "training_lab",
    ),
    Asked(
        "Why is DDIM with few steps better than DDPM with few steps?",
        (
            "It adds no noise that the last steps must take off again",
            "It asks a larger network",
            "It was trained for few steps",
            "It starts from less noise",
        ),
        "sampling_showdown",
    ),
    Asked(
        "Classifier-free guidance asks the network twice a step. For what?",
        (
            "With the prompt and without it, to exaggerate the difference",
            "Twice with the prompt, to take the mean",
            "For the image and for its mask",
            "At this noise level and at the next",
        ),
        "guided_generation",
    ),
    Asked(
        "A model clones a voice that it has never heard less well than one that it has. What would help most?",
        (
            "More voices in its training",
            "More sampling steps",
            "A louder recording",
            "A longer text",
        ),
        "voice_cloning",
    ),
    Asked(
        "Training a model with Adam in 32 bits needs more memory than its weights. At least how much, without "
        "activations?",
        ("Four times", "The same again", "One and a half times", "A hundred times"),
        "build_your_rig",
    ),
    Asked(
        "A model was trained on a hundred images for a very long time. What is the risk?",
        (
            "It returns the training images",
            "It forgets them",
            "It draws only noise",
            "It can no longer be guided",
        ),
        "conclusion_ethics",
    ),
)


def shuffled(seed: str) -> list[tuple[int, list[int]]]:
    """An order of the questions, each with an order of its choices: the same for the same seed."""
    chance = random.Random(seed)
    order = chance.sample(range(len(TEST)), len(TEST))
    return [(number, chance.sample(range(len(TEST[number].choices)), len(TEST[number].choices))) for number in order]
