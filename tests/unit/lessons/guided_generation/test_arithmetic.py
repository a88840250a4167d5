import numpy as np
import pytest
import torch

from explorer.lessons.guided_generation.arithmetic import nearest_words, placed, plus_minus, shifted, swap
from explorer.lessons.guided_generation.pictures import Asked, draw, text_encoder
from explorer.networks.unet import make_image_denoiser

TEXT = {"words": ["a", "cat", "dog", "red"], "width": 16, "length": 6}
MODEL = make_image_denoiser((3, 16, 16), widths=(8, 16), attention=True, text=TEXT, looks=(1, 2))
for weights in MODEL.parameters():  # an untrained network hears hardly anything
    weights.data.add_(0.05 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(weights.numel())))
ASKED = Asked("a red cat", n=2, steps=4, guidance_scale=3.0)


def test_nothing_kept_is_two_drawings() -> None:
    one, other = swap(MODEL, ASKED, "a red dog", 0.0)
    np.testing.assert_allclose(one, draw(MODEL, ASKED).pictures, atol=4e-3)
    free = draw(MODEL, Asked("a red dog", n=2, steps=4, guidance_scale=3.0)).pictures
    np.testing.assert_allclose(other, free, atol=4e-3)


def test_the_first_is_never_touched_and_the_other_changes_with_what_is_kept() -> None:
    drawn = [swap(MODEL, ASKED, "a red dog", kept) for kept in (0.0, 0.5, 1.0)]
    for one, _ in drawn[1:]:
        np.testing.assert_allclose(one, drawn[0][0], atol=1e-5)
    assert np.abs(drawn[1][1] - drawn[0][1]).max() > 1e-4
    assert np.abs(drawn[2][1] - drawn[1][1]).max() > 1e-5


def test_one_prompt_swapped_for_itself_stays() -> None:
    one, other = swap(MODEL, ASKED, "a red cat", 1.0)
    np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("other", "kept"), [("a cat", 0.5), ("a red dog", 1.2)])
def test_other_numbers_of_words_and_impossible_shares_are_refused(other: str, kept: float) -> None:
    with pytest.raises(ValueError, match="must"):
        swap(MODEL, ASKED, other, kept)


def test_a_prompt_minus_and_plus_the_same_is_the_prompt() -> None:
    same = plus_minus(MODEL, "a red cat", "dog", "dog", ASKED)
    np.testing.assert_allclose(same, draw(MODEL, ASKED).pictures, atol=4e-3)
    changed = plus_minus(MODEL, "a red cat", "cat", "dog", ASKED)
    assert np.abs(changed - same).max() > 1e-4


@pytest.mark.parametrize(
    ("plus", "minus", "and_plus", "expected"),
    [
        ("purple penguin", "penguin", "robot", (1, 1)),
        ("cat in noto style", "cat", "dog", (0, 0)),
        ("cat in noto style", "cat", "police officer", (0, 0)),
        ("a red cat on blue", "red cat", "dog", (1, 2)),
        ("king", "man", "woman", (0, 0)),
        ("cat", "red dog", "", (0, 1)),
        ("", "dog", "cat", (0, 0)),
    ],
)
def test_what_is_taken_away_lies_on_itself(plus: str, minus: str, and_plus: str, expected: tuple[int, int]) -> None:
    assert placed(plus.split(), minus.split(), and_plus.split()) == expected


def test_a_word_that_is_taken_away_from_its_prompt_leaves_nothing_in_its_place() -> None:
    encoder = text_encoder(MODEL)
    cat = encoder(encoder.read("cat", 2))
    moved = shifted(cat, 2)
    assert moved.mask[0].tolist() == [True, False, False, True]
    torch.testing.assert_close(moved.vectors[:, [0, 3]], cat.vectors)
    torch.testing.assert_close(shifted(cat, 0).vectors, cat.vectors)
    alone = plus_minus(MODEL, "dog", "dog", "cat", ASKED)
    np.testing.assert_allclose(alone, draw(MODEL, Asked("cat", n=2, steps=4, guidance_scale=3.0)).pictures, atol=4e-3)


def test_the_nearest_word_of_a_word_that_was_copied_is_its_copy() -> None:
    encoder = text_encoder(make_image_denoiser((3, 16, 16), widths=(8, 16), text=TEXT, looks=(2,)))
    table = encoder.words.vectors.data
    table[-1] = 2 * table[-2]  # red, dog
    (found, *_), others = nearest_words(encoder, [("dog", 1)]), nearest_words(encoder, [("dog", 1), ("cat", -1)])
    assert found == ("red", pytest.approx(1))
    assert {word for word, _ in others} == {"a", "red"}
    with pytest.raises(ValueError, match="never seen “horse”"):
        nearest_words(encoder, [("horse", 1)])
