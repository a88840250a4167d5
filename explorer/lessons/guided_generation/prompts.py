"""What a model understands of a prompt, so that the page can say it."""

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from explorer.networks.text import PLURAL, TextEncoder

LONGEST = 300  # characters that are read
NEAREST = 3  # known words that are named for one that is not
MOST_UNKNOWN = 8  # words that are named
JOINERS = "\u200d\ufe0f\u20e3"  # what stands between and behind the characters of one emoji


@dataclass(frozen=True)
class Understood:
    """A prompt as a model reads it.

    `text` is what it is given, emoji in words; `known` are the pieces of it that it knows, in their order; `unknown`
    are the words that it does not, each with the nearest that it knows. `dropped` are known pieces at the end that it
    has no place for, `colours` a pair of colours that follow one another, and `cut` says whether the prompt was longer
    than is read.
    """

    text: str
    known: tuple[str, ...]
    unknown: tuple[tuple[str, tuple[str, ...]], ...] = ()
    dropped: tuple[str, ...] = ()
    colours: tuple[str, str] | None = None
    cut: bool = False

    @property
    def empty(self) -> bool:
        """Whether the model is told nothing: it draws what it likes."""
        return not self.known

    @property
    def notes(self) -> list[str]:
        """What a person should know of it, a sentence each."""
        notes = []
        if self.cut:
            notes.append(f"A prompt has {LONGEST} characters at most here: the rest was left out.")
        for word, nearest in self.unknown[:MOST_UNKNOWN]:
            like = f"; it knows {_listed(nearest)}" if nearest else ""
            notes.append(f"This model has never seen “{word}”{like}.")
        if len(self.unknown) > MOST_UNKNOWN:
            notes.append(f"It knows {len(self.unknown) - MOST_UNKNOWN} more of the words as little.")
        if self.dropped:
            notes.append(f"It has no place for so many words: “{' '.join(self.dropped)}” was left out.")
        if self.colours:
            notes.append(f"“{' '.join(self.colours)}” are two colours for one thing: it will try.")
        if self.empty:
            told = "None of these words says anything to it" if self.text.strip() else "An empty prompt says nothing"
            notes.append(f"{told}: the model draws without a condition, whatever it likes.")
        return notes


def _listed(words: Sequence[str]) -> str:
    quoted = [f"“{word}”" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def understand(
    prompt: str, encoder: TextEncoder, emoji: Mapping[str, str] | None = None, colours: Sequence[str] = ()
) -> Understood:
    """Read a prompt as the model of `encoder` will. `emoji` are the characters that stand for words, `colours` the
    words of which a thing can have one."""
    cut, prompt = len(prompt) > LONGEST, prompt[:LONGEST]
    text, strange = _in_words(prompt, emoji or {})
    vocabulary = encoder.vocabulary
    pieces = vocabulary.pieces(text)
    known = [piece for piece in pieces if piece in vocabulary]
    strangers = dict.fromkeys(piece for piece in pieces if piece not in vocabulary)
    unknown = {
        piece: _nearest(piece, vocabulary.words) if number < MOST_UNKNOWN else ()
        for number, piece in enumerate(strangers)
    }
    places = encoder.length - 1  # the start takes one
    dropped = [piece for piece in pieces[places:] if piece in vocabulary]
    kept = known[: len(known) - len(dropped)]
    pair = next(((a, b) for a, b in pairwise(kept) if {a, b} <= {*colours} and a != b), None)
    return Understood(
        text=" ".join(text.split()),
        known=tuple(kept),
        unknown=(*unknown.items(), *((name, ()) for name in strange)),
        dropped=tuple(dropped),
        colours=pair,
        cut=cut,
    )


def _in_words(prompt: str, emoji: Mapping[str, str]) -> tuple[str, list[str]]:
    """A prompt with the emoji that are known in words, and the names of other symbols, which are left out."""
    plain = {_bare(characters): words for characters, words in emoji.items()}
    longest = max(map(len, plain), default=0)
    prompt, words, strange, at = _bare(prompt), [], [], 0
    while at < len(prompt):
        for length in range(min(longest, len(prompt) - at), 0, -1):
            if (found := plain.get(prompt[at : at + length])) is not None:
                words.append(f" {found} ")
                at += length
                break
        else:
            if unicodedata.category(prompt[at]) == "So":
                strange.append(unicodedata.name(prompt[at], "a symbol").lower())
            words.append(prompt[at])
            at += 1
    return "".join(words), list(dict.fromkeys(strange))


def _bare(text: str) -> str:
    return "".join(character for character in text if character not in JOINERS)


def _nearest(word: str, known: Sequence[str]) -> tuple[str, ...]:
    """Known words that are spelled alike; none for a very long or a foreign one."""
    candidates = [other for other in known if other != PLURAL and len(other) > 2]
    return tuple(difflib.get_close_matches(word[:32], candidates, n=NEAREST, cutoff=0.6))
