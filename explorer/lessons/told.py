"""Shipped image models as pages that know classes take them: one that is told in words gets numbers for prompts."""

from explorer.denoiser import Denoiser
from explorer.networks.prompted import prompted
from explorer.zoo import load_pretrained

PROMPTS = {"emoji": ("strawberry", "apple", "cat", "penguin", "heart", "car", "tomato", "guitar", "mushroom", "star")}


def shipped_denoiser(name: str) -> Denoiser:
    """The shipped model of that name; of one that is told in words, classes stand for its `PROMPTS`."""
    denoiser = load_pretrained(name)
    return prompted(denoiser, PROMPTS[name]) if name in PROMPTS else denoiser
