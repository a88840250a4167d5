"""What is to run, how, and on which card."""

from dataclasses import dataclass

import streamlit as st

from explorer.hardware.catalogue import Card
from explorer.hardware.systems import ATTENTION, Asked, System, latents_of, most_places, systems
from explorer.lessons.build_your_rig.fits import known_cards
from explorer.ui.controls import choice

TASKS = {"make": "Make", "lora": "Fine-tune (LoRA)", "full": "Train all weights"}
PRECISIONS = {
    "bf16": "16 bits (bf16)",
    "fp8": "8 bits (fp8)",
    "int8": "8 bits (int8)",
    "nf4": "4 bits (nf4)",
    "fp32": "32 bits (fp32)",
}
OF_ENCODERS = {name: label for name, label in PRECISIONS.items() if name != "fp8"}
BATCHES = [1, 2, 4, 8, 16, 32, 64]
SIDES = [256, 384, 512, 640, 768, 896, 1024, 1152, 1280, 1328, 1536, 1792, 2048]
VIDEOS = [(320, 512), (480, 720), (480, 832), (480, 848), (512, 704), (512, 768), (544, 960), (704, 1280), (720, 1280)]
VIDEOS += [(768, 1360), (1088, 1920)]
COUNTS = [2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 30, 32, 40]
SWITCHES = {
    "offload": ("Model offload", "Only the component that runs is on the card; the rest waits in main memory."),
    "encoders_off": ("Text encoders off after use", "They read the prompt, and leave before the denoiser comes."),
    "tiling": ("VAE tiling", "Decodes tile by tile: nothing is gained at or below the size of a tile."),
    "experts_swapped": ("One expert at a time", "Of the denoisers that take turns, only the one that runs is there."),
}


@dataclass(frozen=True)
class Wish:
    """A system, what is asked of it, the task ("make", "lora" or "full"), and the card that it is held against."""

    system: System
    asked: Asked
    task: str
    card: Card


def ask() -> Wish:
    """The controls."""
    known = systems()
    labels = {key: system.name for key, system in known.items()}
    left, right = st.columns(2)
    with left:
        system = known[choice("System", labels, "sdxl", key="rig_system")]
        task = choice("Task", TASKS, "make", key="rig_task")
        precision = choice("Weights of the denoiser", PRECISIONS, "bf16", key="rig_precision")
    with right:
        card = choose_card()
        batch = st.select_slider("Batch", BATCHES, 1, key="rig_batch", bind="query-params")
        of_encoders = choice("Weights of the text encoders", OF_ENCODERS, "bf16", key="rig_encoders")
    height, width, frames = size(system)
    switches = dict.fromkeys(SWITCHES, False)
    guided, attention = system.guidance != "none", "flash"
    if task == "make":
        with st.container(horizontal=True):
            for name, (label, help) in SWITCHES.items():
                if (name != "experts_swapped" or system.experts > 1) and (name != "tiling" or system.tile):
                    switches[name] = st.toggle(label, key=f"rig_{name}", bind="query-params", help=help)
            if guided:
                guided = st.toggle("Guidance", True, key="rig_guided", bind="query-params", help=told_of(system))
            plain = st.toggle(
                "Plain attention",
                key="rig_math",
                bind="query-params",
                help="The whole matrix of weights is kept, as before flash attention.",
            )
            attention = ATTENTION[plain]
    asked = Asked(height, width, frames, batch, guided, precision, of_encoders, attention, **switches)
    return Wish(system, asked, task, card)


def size(system: System) -> tuple[int, int, int]:
    """Height, width and frames, by as many controls as the system needs."""
    if system.kind == "audio":
        return system.height, system.width, 1
    left, right = st.columns(2)
    sizes = sizes_of(system)
    labels = [f"{width} x {height}" for height, width in sizes]
    key, default = f"rig_{system.key}", f"{system.width} x {system.height}"
    with left:
        chosen = st.select_slider("Resolution", labels, default, key=f"{key}_size", bind="query-params")
    frames = 1
    if system.kind == "video":
        with right:
            counts = counts_of(system)
            frames = st.select_slider("Frames", counts, system.frames, key=f"{key}_frames", bind="query-params")
    height, width = sizes[labels.index(chosen)]
    return height, width, frames


def counts_of(system: System) -> list[int]:
    """Numbers of frames that become whole latents, up to what was traced."""
    times = system.frames_a_latent
    return sorted({system.frames, *(times * count + 1 for count in COUNTS if times * count < 165)})


def sizes_of(system: System) -> list[tuple[int, int]]:
    """Resolutions, height and width, that the system takes and that were traced, from small to large."""
    offered = VIDEOS if system.kind == "video" else [(side, side) for side in SIDES]
    fitting = {
        (height, width)
        for height, width in [*offered, (system.height, system.width)]
        if height % system.multiple == width % system.multiple == 0
        and height * width * latents_of(system, 1) <= most_places(system)
    }
    return sorted(fitting, key=lambda size: size[0] * size[1])


def told_of(system: System) -> str:
    """What guidance costs."""
    if system.guidance == "batch":
        return "With and without the prompt go through the network together: the batch is twice as large."
    return "The network is asked twice in turn: twice the time, and no more memory."


def choose_card() -> Card:
    """The card that everything is held against."""
    known = known_cards()
    labels = {name: f"{name} · {(card.memory or 0) / 2**30:.0f} GiB" for name, card in known.items()}
    return known[choice("Card", labels, "GeForce RTX 4090", key="rig_card")]
