import pytest

import explorer as ex
from explorer.data.emoji import emoji
from explorer.lessons.guided_generation.checks import request
from explorer.lessons.guided_generation.models import TELLERS, Teller, concept_of, never_trained, vocabulary_by_kind
from explorer.lessons.guided_generation.pictures import text_encoder
from explorer.lessons.guided_generation.prompts import understand


@pytest.fixture(params=TELLERS.values(), ids=list(TELLERS))
def teller(request: pytest.FixtureRequest) -> Teller:
    return request.param


def test_every_prompt_that_the_page_offers_is_understood(teller: Teller) -> None:
    encoder = text_encoder(ex.load_pretrained(teller.name))
    for prompt in (teller.prompt, *teller.chips, *(teller.surprise(seed) for seed in range(60))):
        understood = understand(prompt, encoder, teller.characters, teller.colours)
        assert not understood.unknown, prompt
        assert not understood.empty
        assert not understood.notes, prompt
        if teller.name == "emoji":
            assert concept_of(understood) or prompt in teller.chips, prompt
        else:
            assert request(understood.known), prompt


def test_surprises_differ(teller: Teller) -> None:
    assert len({teller.surprise(seed) for seed in range(50)}) > 40
    assert teller.surprise(7) == teller.surprise(7)


def test_every_word_is_in_one_list(teller: Teller) -> None:
    vocabulary = text_encoder(ex.load_pretrained(teller.name)).vocabulary
    kinds = vocabulary_by_kind(vocabulary, teller.name)
    told = {word for words in kinds.values() for one in words for word in one.replace("-", " ").split()}
    assert told == {word for word in vocabulary.words if word.isalnum()}


def test_the_longest_concept_counts() -> None:
    encoder = text_encoder(ex.load_pretrained("emoji"))
    assert concept_of(understand("a big angry face", encoder)) == "angry face"
    assert concept_of(understand("happy music", encoder)) is None


def test_what_was_held_out_is_named() -> None:
    encoder, sheet = text_encoder(ex.load_pretrained("emoji")), emoji()
    held = [f"{colour} {concept}" for concept, colour in sheet.held_colours]
    for prompt in held[:20]:
        assert prompt in never_trained("emoji", understand(prompt, encoder)), prompt
    captions = dict(zip(sheet.captions(), sheet.held, strict=True))
    for caption, unseen in captions.items():
        assert (caption in never_trained("emoji", understand(caption, encoder))) == unseen, caption


def test_a_colour_that_an_artist_drew_a_thing_in_is_not_held_out() -> None:
    assert ("lemon", "yellow") not in emoji().held_colours
    assert ("crying face", "yellow") not in emoji().held_colours


def test_a_colour_that_is_known_of_grounds_alone_is_named_for_a_thing() -> None:
    encoder = text_encoder(ex.load_pretrained("emoji"))
    assert never_trained("emoji", understand("a black cat", encoder)) == ["black cat"]
    assert never_trained("emoji", understand("a cat on a black background", encoder)) == []
    assert never_trained("emoji", understand("black", encoder)) == []
