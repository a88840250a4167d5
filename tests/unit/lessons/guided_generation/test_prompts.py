import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.lessons.guided_generation.prompts import LONGEST, understand
from explorer.networks.blocks import build
from explorer.networks.text import PLURAL, TextEncoder

WORDS = ["a", "and", "apple", "blue", "cat", "circle", "green", "happy", "owl", "red", "robot", PLURAL]
EMOJI = {"🐱": "cat face", "❤️": "red heart", "👨‍⚕️": "man doctor", "👨": "man"}
COLOURS = ("red", "blue", "green")
ENCODER = build(lambda: TextEncoder(WORDS, width=16, length=8), seed=0)


def read(prompt: str) -> object:
    return understand(prompt, ENCODER, EMOJI, COLOURS)


def test_known_words_need_no_note() -> None:
    found = understand("A happy red Robot!", ENCODER)
    assert found.known == ("a", "happy", "red", "robot")
    assert found.notes == []
    assert not found.empty


def test_plurals_are_known() -> None:
    assert understand("cats and apples", ENCODER).known == ("cat", PLURAL, "and", "apple", PLURAL)


def test_an_unknown_word_is_named_with_the_nearest() -> None:
    found = understand("a robott with a purple owel", ENCODER)
    assert dict(found.unknown) == {"robott": ("robot",), "with": (), "purple": ("apple",), "owel": ("owl",)}
    assert found.notes[0] == "This model has never seen “robott”; it knows “robot”."
    assert found.known == ("a", "a")


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t", "!!!", "\u200d"])
def test_an_empty_prompt_says_so(prompt: str) -> None:
    found = understand(prompt, ENCODER)
    assert found.empty
    assert found.notes[-1].endswith("the model draws without a condition, whatever it likes.")


def test_only_unknown_words_say_so() -> None:
    found = understand("квантовый zyzzyva", ENCODER)
    assert found.empty
    assert "None of these words says anything to it" in found.notes[-1]
    assert len(found.notes) == 3


def test_emoji_are_words() -> None:
    words = build(lambda: TextEncoder([*WORDS, "face", "heart", "man", "doctor"], width=16), seed=0)
    found = understand("happy🐱and❤ 👨‍⚕️", words, EMOJI)
    assert found.known == ("happy", "cat", "face", "and", "red", "heart", "man", "doctor")
    assert found.notes == []
    assert dict(understand("🦄 cat", words, EMOJI).unknown) == {"unicorn face": ()}


def test_two_colours_for_one_thing_are_told() -> None:
    found = understand("red blue circle", ENCODER, colours=COLOURS)
    assert found.colours == ("red", "blue")
    assert found.notes == ["“red blue” are two colours for one thing: it will try."]
    assert understand("red circle and blue circle", ENCODER, colours=COLOURS).colours is None


def test_what_does_not_fit_is_told() -> None:
    found = understand("a red cat and a blue cat and a green owl", ENCODER)
    assert found.known == ("a", "red", "cat", "and", "a", "blue", "cat")
    assert found.dropped == ("and", "a", "green", "owl")
    assert "“and a green owl” was left out" in found.notes[0]


def test_a_long_prompt_is_cut_and_says_so() -> None:
    found = understand("cat " * 10_000, ENCODER)
    assert found.cut
    assert len(found.text) <= LONGEST
    assert f"{LONGEST} characters" in found.notes[0]


@pytest.mark.parametrize("prompt", ["<script>alert(1)</script>", "**cat** [x](http://y)", "$\\alpha$ cat", "{cat}"])
def test_markup_is_words(prompt: str) -> None:
    found = understand(prompt, ENCODER)
    assert all(piece.isalnum() or piece == PLURAL for piece in found.known)
    assert all(word.isalnum() for word, _ in found.unknown)


@given(st.text(max_size=500))
def test_any_prompt_is_understood_as_the_encoder_reads_it(prompt: str) -> None:
    found = understand(prompt, ENCODER, EMOJI, COLOURS)
    numbers = ENCODER.vocabulary.numbers(found.text, ENCODER.length)
    read = [ENCODER.vocabulary.words[number - 3] for number in numbers if number > 2]
    assert tuple(read) == found.known
    assert len(found.notes) <= 13
