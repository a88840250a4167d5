"""The two models that are told in words: what they are good for, and what to ask of them."""

from dataclasses import dataclass

import numpy as np

from explorer.data import scenes
from explorer.data.emoji import emoji
from explorer.lessons.guided_generation.checks import held_out, request
from explorer.lessons.guided_generation.prompts import Understood
from explorer.networks.text import Vocabulary
from explorer.once import once


@dataclass(frozen=True)
class Teller:
    """A model by the name of its weights: its label, the prompt that the page opens with, others for a lecture, and the
    guidance scale at which it is used and was measured."""

    name: str
    label: str
    prompt: str
    chips: tuple[str, ...]
    guidance_scale: float

    @property
    def about(self) -> str:
        """What it learned from, in a sentence."""
        if self.name == "scenes":
            return "It learned from shapes whose colour, size and place are drawn at random: every word can be checked."
        sheet = emoji()
        artists = {maker["maker"].partition(",")[0] for maker in sheet.makers.values()}
        return (
            f"It learned from emoji of {len(artists)} makers: {len(sheet.names())} things, {len(sheet.makers)} styles, "
            "and in colours that nobody drew them in."
        )

    @property
    def characters(self) -> dict[str, str]:
        """The emoji that it takes for words."""
        return emoji().characters if self.name == "emoji" else {}

    @property
    def colours(self) -> tuple[str, ...]:
        """The words of which a thing can have one."""
        return tuple(scenes.COLOURS)

    def surprise(self, seed: int) -> str:
        """A prompt that nobody thought of."""
        rng = np.random.default_rng(seed)
        if self.name == "scenes":
            return scenes.describe(scenes.compose(rng), rng, exact=True)
        concept, style = (str(rng.choice(names)) for names in (emoji().names(), sorted(emoji().makers)))
        colour = str(rng.choice([name for name in scenes.COLOURS if name not in ("black", "white")]))
        return f"{colour} {concept}" + (f" in {style} style" if rng.random() < 0.5 else "")


GROUNDS = ("black", "white")  # colours that no emoji was given: the model knows these words from grounds alone
TELLERS = {
    "emoji": Teller(
        "emoji",
        "Emoji",
        "purple penguin",
        (
            "blue strawberry",
            "pink robot",
            "🎸",
            "angry astronaut",
            "christmas tree in noto style",
            "ghost on a red background",
        ),
        4.0,
    ),
    "scenes": Teller(
        "scenes",
        "Scenes of shapes",
        "a red circle above a blue square",
        (
            "a big yellow star on a blue background",
            "three green hearts",
            "a blue square above a red circle",
            "a purple diamond at the top left",
            "a small orange triangle to the left of a big black circle",
        ),
        2.5,
    ),
}


@once()
def concepts() -> dict[tuple[str, ...], str]:
    """The concepts of the emoji by their words, the longest first."""
    names = sorted(emoji().names(), key=lambda name: -len(name.split()))
    return {tuple(name.replace("-", " ").split()): name for name in names}


def concept_of(understood: Understood) -> str | None:
    """The concept that a prompt names, as a judge calls it; None where it names none, or several."""
    pieces, found, taken = understood.known, list[str](), set[int]()
    for words, name in concepts().items():
        for place in range(len(pieces) - len(words) + 1):
            places = {*range(place, place + len(words))}
            if pieces[place : place + len(words)] == words and not places & taken:
                taken |= places
                found.append(name)
    return found[0] if len(found) == 1 else None


def never_trained(name: str, understood: Understood) -> list[str]:
    """What a prompt asks for that was held out of all training of the model: pairs and triples, in words."""
    if name == "scenes":
        wanted = request(understood.known)
        return [] if wanted is None else [" ".join(triple) for triple in held_out(wanted)]
    concept, said = concept_of(understood), {*understood.known}
    styles = {
        style
        for one, style, held in zip(emoji().concepts, emoji().styles, emoji().held, strict=True)
        if held and one == concept
    }
    colours = {colour for one, colour in emoji().held_colours if one == concept}
    if concept and not {"on", "background"} & said:
        colours |= {*GROUNDS}
    return [f"{concept} in {style} style" for style in sorted(styles & said)] + [
        f"{colour} {concept}" for colour in sorted(colours & said)
    ]


def vocabulary_by_kind(vocabulary: Vocabulary, name: str) -> dict[str, list[str]]:
    """The words that a model knows: things, styles, colours, and the rest."""
    words = [word for word in vocabulary.words if word.isalnum()]
    if name == "scenes":
        kinds = {"Shapes": [*scenes.SHAPES], "Colours": [*scenes.COLOURS]}
    else:
        kinds = {"Things": emoji().names(), "Styles": [*emoji().makers], "Colours": [*scenes.COLOURS]}
    named = {word for names in kinds.values() for one in names for word in one.split()}
    return {**kinds, "Other words": [word for word in words if word not in named]}
