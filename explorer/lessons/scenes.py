"""The lecture: scenes in their order, each a page in a given state, with a sentence for the speaker.

A scene's query has the names of controls and what stands on them, as in any link of the app.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scene:
    """What is shown, for how many minutes, and what to say."""

    page: str
    title: str
    minutes: float
    say: str
    query: Mapping[str, str] = field(default_factory=dict)
    short: bool = False  # whether it is in the lecture of 15 minutes, too


SCENES = (
    Scene(
        "geometry_lab",
        "Noise becomes data",
        2,
        "Each point is a picture with two pixels. Nobody told them where to go: a network learned the field that "
        "carries them.",
        short=True,
    ),
    Scene(
        "core_concepts",
        "A digit dissolves",
        3,
        "The way to noise is a formula. Pull the time and watch what goes first: the fine lines.",
        {"core_schedule": "Cosine"},
        short=True,
    ),
    Scene(
        "core_concepts",
        "Another schedule",
        2,
        "The same noise, spent otherwise: compare how long the digit can be read.",
        {"core_schedule": "Linear"},
    ),
    Scene(
        "geometry_lab",
        "Another sampler",
        3,
        "One model, two ways to walk: with fresh noise at every step, and without any.",
        {"geo_compare": "true", "geo_data": "Spirals"},
    ),
    Scene(
        "unet",
        "Inside the network",
        4,
        "Every level sees the picture at another size. The arrows across carry what the way down would lose.",
    ),
    Scene(
        "training_lab",
        "It learns",
        4,
        "One and the same noise at every stage of the training: first a blur, then a digit.",
        short=True,
    ),
    Scene(
        "sampling_showdown",
        "Two samplers, three steps",
        4,
        "Both cost the same. One is sharp by now, the other still grey.",
    ),
    Scene(
        "guided_generation",
        "Words",
        4,
        "A prompt pulls every step a little in its direction.",
        {"guide_model": "Emoji"},
        short=True,
    ),
    Scene(
        "guided_generation",
        "Guidance taken apart",
        3,
        "With the prompt, without it, and the difference, exaggerated.",
        {"guide_closer": "Guidance taken apart"},
    ),
    Scene(
        "guided_generation",
        "Where each word is looked at",
        3,
        "The word for a colour looks at the thing that has it.",
        {"guide_closer": "Where each word is looked at", "guide_model": "Scenes of shapes"},
    ),
    Scene(
        "voice_cloning",
        "Noise becomes speech",
        3,
        "The same mathematics on a picture of sound. Play the second step, then the last.",
    ),
    Scene(
        "build_your_rig",
        "What it needs",
        3,
        "Memory is weights, and what is alive while they work. Find the card that holds it.",
        {"rig_system": "FLUX.1 dev"},
    ),
    Scene(
        "conclusion_ethics",
        "Learned by heart",
        3,
        "Twenty images, and they come back. Eight thousand, and they do not.",
        {"ethics_look": "Learned by heart"},
    ),
    Scene(
        "conclusion_ethics",
        "A bias, turned up",
        2,
        "Nine in ten circles were blue. At guidance three nearly all are.",
        {"ethics_look": "Bias", "ethics_scale": "3.0"},
        short=True,
    ),
    Scene(
        "conclusion_ethics",
        "A mark in the noise",
        1,
        "The picture looks like any other. Walk it back, and rings stand in its noise.",
        {"ethics_look": "Watermarks"},
    ),
    Scene(
        "conclusion_ethics",
        "Few steps",
        1,
        "A student that jumps where its teacher walked. Teach it while we look.",
        {"ethics_look": "Few steps"},
    ),
)
LISTS = {"45": "The whole course in 45 minutes", "15": "In 15 minutes"}


def scenes(which: str) -> list[Scene]:
    """The scenes of the list "45" or "15"."""
    return [scene for scene in SCENES if which == "45" or scene.short]
