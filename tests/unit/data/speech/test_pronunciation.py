"""How English text is spoken."""

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.data.speech.letters import by_letters
from explorer.data.speech.phones import PHONES, SILENCE
from explorer.data.speech.pronunciation import (
    MOST_LETTERS,
    look_up,
    number_in_words,
    pronounced,
    spoken_words,
)
from explorer.files import ASSETS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, world!", "hello , world"),
        ("It's 5 o'clock.", "it's five o'clock"),
        ("It\N{RIGHT SINGLE QUOTATION MARK}s", "it's"),
        ("1234 and 007", "one thousand two hundred thirty four and zero zero seven"),
        ("1,234,567", "one million two hundred thirty four thousand five hundred sixty seven"),
        ("3.14", "three point one four"),
        ("$12.50", "twelve dollars and fifty cents"),
        ("\N{EURO SIGN}3", "three euros"),
        ("5%", "five percent"),
        ("the 21st, the 12th", "the twenty first , the twelfth"),
        ("at 10:05 or 17:30, 8:00", "at ten oh five or seventeen thirty , eight o'clock"),
        ("-5 degrees", "minus five degrees"),
        ("a-b well-known", "a b well known"),
        ("a & b = c", "a and b equals c"),
        ("me@example.com", "me at example dot com"),
        ("https://www.example.com/page", "www dot example dot com slash page"),
        ("<b>bold</b>", "less than b greater than bold less than slash b greater than"),
        ("na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve caf\N{LATIN SMALL LETTER E WITH ACUTE}", "naive cafe"),
        ("\N{GRINNING FACE} hi \N{CYRILLIC SMALL LETTER ZHE}", "hi"),
        ("Dr. Who", "doctor , who"),
        ("wait... what?!", "wait , what"),
    ],
)
def test_numbers_symbols_and_signs_are_spoken(text: str, words: str) -> None:
    assert " ".join(spoken_words(text)) == words


@given(st.integers(0, 10**15 - 1))
def test_every_number_has_words_that_the_dictionary_knows(number: int) -> None:
    assert all(look_up(word) for word in number_in_words(number).split())


def test_words_are_those_of_the_dictionary() -> None:
    assert look_up("cat") == ("K", "AE1", "T")
    assert look_up("zyxgork") is None
    assert look_up("ca") == ("K", "AH1")  # and not the beginning of another word
    with gzip.open(ASSETS / "speech" / "cmudict.gz", "rt") as file:
        lines = file.read().splitlines()
    assert all(phone in PHONES for line in lines[::97] for phone in line.split()[1:])
    first, last = lines[0].split(), lines[-1].split()
    assert look_up(first[0]) == tuple(first[1:])
    assert look_up(last[0]) == tuple(last[1:])


def errors(one: list[str], other: list[str]) -> int:
    """How many sounds must be put in, left out or changed."""
    row = list(range(len(other) + 1))
    for k, a in enumerate(one):
        after = [k + 1]
        for j, b in enumerate(other):
            after.append(min(after[-1] + 1, row[j + 1] + 1, row[j] + (a != b)))
        row = after
    return row[-1]


def test_the_rules_for_letters_get_four_sounds_in_five_right() -> None:
    with gzip.open(ASSETS / "speech" / "cmudict.gz", "rt") as file:
        entries = [line.split() for line in file if line.split()[0].isalpha()]
    wrong = total = 0
    for word, *phones in random.Random(0).sample(entries, 1_500):
        wanted = [phone.rstrip("012") for phone in phones]
        wrong += errors(wanted, [phone.rstrip("012") for phone in by_letters(word)])
        total += len(wanted)
    assert wrong / total < 0.2


@given(st.from_regex(r"[a-z][a-z']{0,29}", fullmatch=True))
def test_any_word_has_sounds(word: str) -> None:
    phones = by_letters(word)
    assert phones
    assert all(phone in PHONES for phone in phones)


def test_a_word_without_vowels_is_spelled() -> None:
    assert by_letters("bbc") == ("B", "IY1", "B", "IY0", "S", "IY0")


@given(st.text(max_size=MOST_LETTERS))
def test_any_text_is_spoken_or_refused_in_a_sentence(text: str) -> None:
    try:
        words = pronounced(text)
    except ValueError as error:
        assert str(error).endswith((".", "it."))
        return
    assert all(phone in PHONES for word in words for phone in word.phones)
    assert words[-1].phones != (SILENCE,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("  ", "nothing to say"),
        ("a" * (MOST_LETTERS + 1), "601 characters"),
        ("\N{CYRILLIC SMALL LETTER ZHE}\N{GRINNING FACE}", "Latin letters"),
        ("...!", "Latin letters"),
    ],
)
def test_texts_that_cannot_be_spoken(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        pronounced(text)
