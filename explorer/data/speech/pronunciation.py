"""How English text is spoken: numbers and symbols as words, words as the dictionary says, others by their letters.

The dictionary is the CMU Pronouncing Dictionary, the first pronunciation of each word.
"""

import gzip
import re
import unicodedata
from dataclasses import dataclass

from explorer.data.speech.letters import by_letters
from explorer.data.speech.phones import SILENCE
from explorer.files import ASSETS, read_asset
from explorer.once import once

MOST_LETTERS = 600  # of a text
ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
POWERS = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
SYMBOLS = {
    "%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "#": "number", "/": "slash", "*": "times",
    "\N{DEGREE SIGN}": "degrees", "~": "about", "_": "underscore", "<": "less than", ">": "greater than",
    "\N{MULTIPLICATION SIGN}": "times", "\N{POUND SIGN}": "pounds", "\N{EURO SIGN}": "euros", "$": "dollars",
}  # fmt: skip
MONEY = {"$": "dollars", "\N{EURO SIGN}": "euros", "\N{POUND SIGN}": "pounds"}
SHORT = {"mr": "mister", "mrs": "missus", "dr": "doctor", "st": "street", "vs": "versus", "etc": "et cetera"}
PAUSES = ",;:.?!()\N{EN DASH}\N{EM DASH}\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class Word:
    """A word as it is spoken: its phones, in the alphabet of the dictionary, and whether the dictionary knows it. A
    pause is the word ","."""

    text: str
    phones: tuple[str, ...]
    known: bool = True


@once()
def _dictionary() -> bytes:
    return b"\n" + gzip.decompress(read_asset(ASSETS / "speech" / "cmudict.gz"))


@once(4096)
def look_up(word: str) -> tuple[str, ...] | None:
    """The phones of a word in lower case, or None where the dictionary does not know it."""
    content, key = _dictionary(), b"\n" + word.encode() + b" "
    start = content.find(key)
    if start < 0:
        return None
    start += len(key)
    return tuple(content[start : content.index(b"\n", start)].decode().split())


def number_in_words(number: int) -> str:
    """A number below 10^15 in words: 1234 is "one thousand two hundred thirty four"."""
    if number < 20:
        return ONES[number]
    if number < 100:
        ten, one = divmod(number, 10)
        return TENS[ten - 2] + (f" {ONES[one]}" if one else "")
    size, name = next(power for power in POWERS if number >= power[0])
    many, rest = divmod(number, size)
    return f"{number_in_words(many)} {name}" + (f" {number_in_words(rest)}" if rest else "")


def _ordinal(number: int) -> str:
    *before, last = number_in_words(number).split()
    last = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return " ".join([*before, last])


def _digits(text: str) -> str:
    """A whole number in words; digit by digit where it starts with 0 or is too long."""
    if len(text) > 15 or (len(text) > 1 and text[0] == "0"):
        return " ".join(ONES[int(digit)] for digit in text)
    return number_in_words(int(text))


def _number(match: re.Match[str]) -> str:
    currency, whole, part, ending, percent = match.groups()
    whole = whole.replace(",", "")
    spoken = _ordinal(int(whole)) if ending and len(whole) < 16 else _digits(whole)
    if currency and part and len(part) == 2:
        return f" {spoken} {MONEY[currency]} and {_digits(part.lstrip('0') or '0')} cents "
    spoken += " point " + " ".join(ONES[int(digit)] for digit in part) if part else ""
    return f" {spoken} {MONEY[currency]} " if currency else f" {spoken} percent " if percent else f" {spoken} "


def spoken_words(text: str) -> list[str]:
    """The words of a text in lower case, numbers and common symbols spoken, and "," for each pause.

    What has no sound in English, another script or a picture, is left out.
    """
    text = unicodedata.normalize("NFKC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).lower()
    text = re.sub(r"\bhttps?://", " ", text)
    text = re.sub(r"(?<=[a-z0-9])\.(?=[a-z])", " dot ", text, flags=re.ASCII)
    text = re.sub(r"\b([01]?[0-9]|2[0-3]):([0-5][0-9])\b", _clock, text, flags=re.ASCII)
    number = r"([$\N{EURO SIGN}\N{POUND SIGN}])?([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?(st|nd|rd|th)?(%)?"
    text = re.sub(r"(?<![a-z0-9])-(?=[0-9])", " minus ", text)
    text = re.sub(number, _number, text)
    words: list[str] = []
    for part in re.findall(rf"[a-z]+(?:'[a-z]+)*|[{re.escape(PAUSES)}]|\S", text, flags=re.ASCII):
        if part in PAUSES:
            if words and words[-1] != ",":
                words.append(",")
        elif part in SYMBOLS:
            words += SYMBOLS[part].split()
        elif part[0].isascii() and part[0].isalpha():
            words += SHORT.get(part, part).split()
    while words and words[-1] == ",":
        words.pop()
    return words


def _clock(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    told = "o'clock" if minute == 0 else f"oh {number_in_words(minute)}" if minute < 10 else number_in_words(minute)
    return f" {number_in_words(hour)} {told} "


def pronounced(text: str) -> list[Word]:
    """A text as words with their phones. Raises ValueError, with a sentence, where there is nothing to speak, or too
    much."""
    if not text.strip():
        raise ValueError("There is nothing to say yet: write a few English words.")
    if len(text) > MOST_LETTERS:
        raise ValueError(
            f"This text has {len(text):,} characters; {MOST_LETTERS} are the most at once. Take a sentence of it."
        )
    words = spoken_words(text)
    if not words:
        raise ValueError("Nothing in this text has a sound in English: write words in Latin letters, or numbers.")
    found = []
    for word in words:
        if word == ",":
            found.append(Word(",", (SILENCE,)))
            continue
        phones = look_up(word)
        found.append(Word(word, phones or by_letters(word), phones is not None))
    return found
