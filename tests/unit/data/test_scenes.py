import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from explorer.data import scenes
from explorer.data.scenes import COLOURS, PLACES, RADII, SHAPES, Scene, Thing, draw, read, right
from explorer.networks.text import PADDING, UNKNOWN, Vocabulary


def one(shape: str = "circle", colour: str = "red", size: str = "big", place: str = "centre") -> Thing:
    return Thing(shape, colour, size, place, *PLACES[place])


def test_a_seed_gives_the_same_scenes_and_another_gives_others() -> None:
    images, captions, found = scenes.scenes(20, seed=3)
    again, same, _ = scenes.scenes(20, seed=3)
    other, _, _ = scenes.scenes(20, seed=4)
    assert images.shape == (20, 3, 32, 32)
    assert images.dtype == torch.float32
    assert torch.equal(images, again)
    assert captions == same
    assert not torch.equal(images, other)
    assert len(found) == 20


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=20)
def test_what_is_held_out_is_in_every_held_out_scene_and_in_no_other(seed: int, held_out: bool) -> None:
    _, _, found = scenes.scenes(8, seed, held_out)
    assert all(any(thing.held_out for thing in scene.things) == held_out for scene in found)


def test_one_triple_in_ten_is_held_out_and_every_word_of_it_is_trained() -> None:
    triples = [one(shape, colour, "", place) for shape in SHAPES for colour in COLOURS for place in PLACES]
    held = [thing for thing in triples if thing.held_out]
    assert len(held) / len(triples) == pytest.approx(0.1, abs=0.01)
    for first, second in (("shape", "colour"), ("shape", "place"), ("colour", "place")):
        trained = {(getattr(thing, first), getattr(thing, second)) for thing in triples if not thing.held_out}
        assert trained == {(getattr(thing, first), getattr(thing, second)) for thing in triples}


def test_captions_are_of_known_words_and_fit() -> None:
    vocabulary = Vocabulary(scenes.words())
    _, captions, _ = scenes.scenes(500)
    numbers = np.array([vocabulary.numbers(caption, 20) for caption in captions])
    assert not (numbers == UNKNOWN).any()
    assert (numbers[:, -1] == PADDING).all()
    assert {*np.unique(numbers)} >= set(range(3, len(vocabulary)))
    assert len({*captions}) > 490


def test_a_caption_says_what_stands_there() -> None:
    pair = Scene(((one(place="top"),), (one("star", "orange", "", "bottom"),)), "blue", "above")
    told = {scenes.describe(pair, np.random.default_rng(seed)) for seed in range(300)}
    assert {
        "a big red circle above an orange star on a blue background",
        "an orange star below a big red circle on a blue background",
        "one orange star under the big red circle on blue",
    } <= told
    assert all("blue" in words and "big red circle" in words and "orange star" in words for words in told)
    first = {words.index("circle") < words.index("star") for words in told if "above" in words}
    assert first == {True}


@pytest.mark.parametrize("size", RADII)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_drawn_in_its_place_and_read_back(shape: str, size: str) -> None:
    for place in PLACES:
        thing = one(shape, "green", size, place)
        background, (seen,) = read(draw(Scene(((thing,),), "yellow")))
        assert (background, seen.shape, seen.colour, seen.size) == ("yellow", shape, "green", size)
        assert (seen.x, seen.y) == pytest.approx((thing.x, thing.y), abs=1.5)


@pytest.mark.parametrize("background", COLOURS)
def test_every_colour_is_read_on_every_background(background: str) -> None:
    for colour in COLOURS.keys() - {background}:
        found, (seen,) = read(draw(Scene(((one(colour=colour),),), background)))
        assert (found, seen.colour) == (background, colour)


def judged_with_noise(seed: int, held_out: bool) -> list[tuple[bool, Scene]]:
    images, _, found = scenes.scenes(4, seed, held_out)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return [
        (all(right(image, scene).values()), scene) for image, scene in zip(images + 0.03 * noise, found, strict=True)
    ]


@given(st.integers(0, 10**6), st.booleans())
@example(66193, False)
@settings(max_examples=30, deadline=None)
def test_scenes_are_judged_right_also_with_noise_unless_big_things_of_one_colour_touch(
    seed: int, held_out: bool
) -> None:
    for judged, scene in judged_with_noise(seed, held_out):
        things = [thing for group in scene.groups for thing in group]
        alike = len({thing.colour for thing in things}) < len(things)
        assert judged or (alike and {thing.size for thing in things} == {"big"})


def test_that_is_rare() -> None:
    judged = [ok for seed in range(60) for held_out in (False, True) for ok, _ in judged_with_noise(seed, held_out)]
    assert np.mean(judged) >= 0.995


def test_what_is_wrong_is_told_apart() -> None:
    asked = Scene(((one(place="top"),), (one("square", "blue", "small", "bottom"),)), "white", "above")

    def wrong(shown: Scene) -> set[str]:
        return {part for part, good in right(draw(shown), asked).items() if not good}

    red, blue = one(place="top"), one("square", "blue", "small", "bottom")
    assert wrong(asked) == set()
    assert wrong(Scene(((red,), (blue,)), "pink")) == {"background"}
    assert wrong(Scene(((one("square", place="top"),), (blue,)))) == {"shape"}
    assert wrong(Scene(((one(colour="green", place="top"),), (blue,)))) == {"colour"}
    assert wrong(Scene(((one(size="small", place="top"),), (blue,)))) == {"size"}
    assert wrong(Scene(((one(place="top left"),), (blue,)))) == {"place"}
    assert {"number", "shape"} <= wrong(Scene(((red,),)))
    swapped = Scene(((one("square", "blue", "small", "top"),), (one(place="bottom"),)))
    assert {"shape", "colour"} <= wrong(swapped)


def test_an_empty_image_and_noise_are_read_too() -> None:
    assert read(torch.ones(3, 32, 32)) == ("white", [])
    noise = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))
    background, seen = read(noise)
    assert background in COLOURS
    assert all(one.shape in SHAPES for one in seen)


def test_a_thin_line_of_two_colours_is_read() -> None:
    image = torch.ones(3, 32, 32)
    for columns, colour in ((slice(4, 10), "red"), (slice(10, 16), "blue")):
        image[:, 16, columns] = torch.tensor(COLOURS[colour])[:, None] / 127.5 - 1
    background, seen = read(image)
    assert (background, {one.colour for one in seen}) == ("white", {"red", "blue"})


@given(st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_any_image_is_read(seed: int, coarse: int) -> None:
    blots = torch.randn(3, 32 // coarse + 1, 32 // coarse + 1, generator=torch.Generator().manual_seed(seed))
    image = blots.repeat_interleave(coarse, 1).repeat_interleave(coarse, 2)[:, :32, :32]
    background, seen = read(image)
    assert background in COLOURS
    assert all(one.colour != background and 0 <= one.x <= 32 and 0 <= one.y <= 32 for one in seen)


@pytest.mark.parametrize("n", [0, -1])
def test_no_scenes_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="n must"):
        scenes.scenes(n)
