from itertools import pairwise

import numpy as np
import pytest
import torch

from explorer.data.scenes import Scene, Thing, compose, describe, draw, words
from explorer.lessons.guided_generation.checks import Request, Wanted, held_out, request, said, shows
from explorer.networks.text import Vocabulary

VOCABULARY = Vocabulary(words())
TURNED = "a circle that is red"
CORNERS = "a red circle at the top left and a blue square at the bottom right"


def asked(prompt: str) -> Request | None:
    return request(tuple(VOCABULARY.pieces(prompt)))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a red circle", Request((Wanted(1, "", "red", "circle"),))),
        ("three small green hearts", Request((Wanted(3, "small", "green", "heart"),))),
        ("stars", Request((Wanted(2, "", "", "star"),))),
        ("a big blue star on a yellow background", Request((Wanted(1, "big", "blue", "star"),), "yellow")),
        ("a white heart on red", Request((Wanted(1, "", "white", "heart"),), "red")),
        ("a heart at the top left", Request((Wanted(1, "", "", "heart"),), place="top left")),
        (
            "a red circle above two blue squares",
            Request((Wanted(1, "", "red", "circle"), Wanted(2, "", "blue", "square")), "", (0, -1)),
        ),
        (
            "a red circle to the right of a star",
            Request((Wanted(1, "", "red", "circle"), Wanted(1, "", "", "star")), "", (1, 0)),
        ),
    ],
)
def test_a_prompt_is_taken_apart(prompt: str, expected: Request) -> None:
    assert asked(prompt) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "red",
        "on a blue background",
        "a star and a heart and a circle",
        "a circle that is red",
        "a red circle at the top left and a blue square at the bottom right",
    ],
)
def test_what_names_no_shape_or_too_many_asks_for_nothing(prompt: str) -> None:
    assert asked(prompt) is None


def scene(seed: int) -> tuple[Scene, str]:
    rng = np.random.default_rng(seed)
    composed = compose(rng)
    return composed, describe(composed, rng, exact=True)


def test_a_scene_shows_what_its_own_caption_says() -> None:
    found = [(draw(composed), asked(caption)) for composed, caption in map(scene, range(200))]
    right = [wanted is not None and shows(image, wanted) for image, wanted in found]
    assert sum(right) >= 196  # two large shapes of one colour may touch, and are then read as one


def test_few_scenes_show_what_the_caption_of_another_says() -> None:
    made = [scene(seed) for seed in range(40)]
    wrong = [
        shows(draw(one), wanted) for (one, _), (_, caption) in pairwise(made) if (wanted := asked(caption)) is not None
    ]
    assert sum(wrong) <= 1


def test_two_things_that_are_swapped_are_not_what_was_said() -> None:
    image = draw(Scene(((Thing("circle", "red", "", "top", 16, 8),), (Thing("square", "blue", "", "bottom", 16, 24),))))
    found = {
        prompt: (wanted := asked(prompt)) is not None and shows(image, wanted)
        for prompt in (
            "a red circle above a blue square",
            "a blue square below a red circle",
            "a circle over a square",
            "a blue circle above a red square",
            "a red circle below a blue square",
            "a red circle to the left of a blue square",
            "a big red circle above a blue square",
            "a red circle",
        )
    }
    assert [prompt for prompt, right in found.items() if right] == list(found)[:3]


def test_what_stands_there_is_said() -> None:
    assert said(torch.ones(3, 32, 32)) == "nothing on white"
    composed, _ = scene(3)
    assert composed.groups[0][0].shape in said(draw(composed))


def test_what_was_held_out_is_found_in_the_words_of_a_scene() -> None:
    rng, found = np.random.default_rng(3), 0
    for _ in range(400):
        scene = compose(rng)
        wanted = asked(describe(scene, rng, exact=True))
        told = set() if wanted is None else set(held_out(wanted))
        things = {(thing.colour, thing.shape, thing.place) for thing in scene.things if thing.held_out}
        assert told <= things
        if scene.relation:
            assert told == things
        found += bool(told)
    assert found > 30
    assert held_out(Request((Wanted(1, "", "red", "circle"),))) == []
