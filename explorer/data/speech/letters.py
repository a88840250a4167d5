"""How a word sounds that no dictionary knows: rules from letters to sounds, of which the first that fits holds.

In the manner of Elovitz, Johnson, McHugh and Shore (1976), far fewer. Stress falls on the first vowel that can carry
it.
"""

import re

# What precedes and what follows a group of letters, as regular expressions, and its phones. "#" stands for the ends.
RULES: tuple[tuple[str, str, str, str], ...] = (
    ("", "tion", "", "SH AH N"),
    ("", "sion", "", "ZH AH N"),
    ("", "ssion", "", "SH AH N"),
    ("", "cian", "", "SH AH N"),
    ("", "cious", "", "SH AH S"),
    ("", "tious", "", "SH AH S"),
    ("", "ture", "#", "CH ER"),
    ("", "sure", "#", "ZH ER"),
    ("", "ough", "", "AO"),
    ("", "augh", "", "AO"),
    ("", "eigh", "", "EY"),
    ("", "igh", "", "AY"),
    ("", "tch", "", "CH"),
    ("", "dge", "", "JH"),
    ("", "sch", "", "SH"),
    ("", "ous", "#", "AH S"),
    ("", "able", "#", "AH B AH L"),
    ("", "ible", "#", "AH B AH L"),
    ("[^aeiouy#]", "le", "#", "AH L"),
    ("[^aeiouy#]", "les", "#", "AH L Z"),
    ("", "air", "", "EH R"),
    ("", "ear", "", "IH R"),
    ("", "eer", "", "IH R"),
    ("", "ier", "#", "IY ER"),
    ("", "our", "", "AW ER"),
    ("", "oor", "", "AO R"),
    ("", "ore", "#", "AO R"),
    ("", "are", "#", "EH R"),
    ("", "ire", "#", "AY ER"),
    ("", "ure", "#", "Y UH R"),
    ("", "ch", "[lr]", "K"),
    ("", "ch", "", "CH"),
    ("", "ck", "", "K"),
    ("", "cc", "[ei]", "K S"),
    ("", "gh", "[aeiou]", "G"),
    ("", "gh", "", ""),
    ("#", "gn", "", "N"),
    ("#", "kn", "", "N"),
    ("#", "pn", "", "N"),
    ("#", "ps", "", "S"),
    ("#", "wr", "", "R"),
    ("#", "wh", "o", "HH"),
    ("", "wh", "", "W"),
    ("", "ng", "#", "NG"),
    ("", "ng", "[^aeiouylr]", "NG"),
    ("", "ng", "", "NG G"),
    ("", "nk", "", "NG K"),
    ("", "ph", "", "F"),
    ("", "qu", "e#", "K"),
    ("", "qu", "", "K W"),
    ("", "sh", "", "SH"),
    ("", "sc", "[eiy]", "S"),
    ("", "th", "", "TH"),
    ("", "mb", "#", "M"),
    ("", "ai", "", "EY"),
    ("", "ay", "", "EY"),
    ("", "au", "", "AO"),
    ("", "aw", "", "AO"),
    ("", "ar", "", "AA R"),
    ("", "ee", "", "IY"),
    ("", "ea", "", "IY"),
    ("", "ei", "", "AY"),
    ("", "eu", "", "OY"),
    ("", "ew", "", "UW"),
    ("", "ey", "#", "IY"),
    ("", "ey", "", "EY"),
    ("", "er", "", "ER"),
    ("", "ie", "#", "IY"),
    ("", "ies", "#", "IY Z"),
    ("", "ie", "", "IY"),
    ("", "ir", "", "ER"),
    ("", "oa", "", "OW"),
    ("", "oi", "", "OY"),
    ("", "oy", "", "OY"),
    ("", "oo", "k", "UH"),
    ("", "oo", "", "UW"),
    ("", "ou", "", "AW"),
    ("", "ow", "#", "OW"),
    ("", "ow", "", "AW"),
    ("", "or", "", "AO R"),
    ("", "ue", "#", "UW"),
    ("", "ui", "", "UW"),
    ("", "ur", "", "ER"),
    ("[td]", "ed", "#", "AH D"),
    ("[pkfscx]", "ed", "#", "T"),
    ("[aeiouy].*[^#]", "ed", "#", "D"),
    ("[szx]", "es", "#", "AH Z"),
    ("[cs]h", "es", "#", "AH Z"),
    ("[aeiouy].*", "es", "#", "Z"),
    ("[aeiouy].*[^aeiouy#]", "e", "#", ""),
    ("[^#].*", "a", "#", "AH"),
    ("", "a", "[^aeiouyrwx#]e#", "EY"),
    ("", "a", "[^aeiouyrwx#]es#", "EY"),
    ("", "a", "[^aeiouyrwx#]ing#", "EY"),
    ("", "e", "[^aeiouyrwx#]e#", "IY"),
    ("", "i", "[^aeiouyrwx#]e#", "AY"),
    ("", "i", "[^aeiouyrwx#]es#", "AY"),
    ("", "i", "nd#", "AY"),
    ("", "i", "ld#", "AY"),
    ("", "o", "[^aeiouyrwx#]e#", "OW"),
    ("", "o", "[^aeiouyrwx#]es#", "OW"),
    ("", "o", "ld", "OW"),
    ("", "o", "#", "OW"),
    ("", "u", "[^aeiouyrwx#]e#", "UW"),
    ("w", "a", "[^aeiouyrwx]", "AA"),
    ("#", "a", "", "AE"),
    ("[^#]*[aeiouy][^aeiouy#]+", "a", "[ln]#", "AH"),
    ("", "a", "", "AE"),
    ("#[^aeiouy#]*", "e", "#", "IY"),
    ("[aeiouy].*", "e", "[nlmt]", "AH"),
    ("", "e", "", "EH"),
    ("", "i", "[aou]", "IY"),
    ("", "i", "#", "IY"),
    ("", "i", "", "IH"),
    ("[aeiouy].*", "o", "[nm]#", "AH"),
    ("", "o", "[^aeiouyrwx#][aeiouy]", "OW"),
    ("", "o", "", "AA"),
    ("", "u", "[^aeiouyrwx#][aeiouy]", "UW"),
    ("", "u", "#", "UW"),
    ("", "u", "", "AH"),
    ("#", "y", "[aeiou]", "Y"),
    ("#[^aeiouy#]*", "y", "#", "AY"),
    ("", "y", "#", "IY"),
    ("", "y", "[^aeiouy#]e", "AY"),
    ("", "y", "", "IH"),
    ("", "bb", "", "B"),
    ("", "dd", "", "D"),
    ("", "ff", "", "F"),
    ("", "gg", "", "G"),
    ("", "ll", "", "L"),
    ("", "mm", "", "M"),
    ("", "nn", "", "N"),
    ("", "pp", "", "P"),
    ("", "rr", "", "R"),
    ("", "ss", "", "S"),
    ("", "tt", "", "T"),
    ("", "zz", "", "Z"),
    ("", "b", "", "B"),
    ("", "c", "[eiy]", "S"),
    ("", "c", "", "K"),
    ("", "d", "", "D"),
    ("", "f", "", "F"),
    ("", "g", "[eiy]", "JH"),
    ("", "g", "", "G"),
    ("", "h", "[aeiouy]", "HH"),
    ("", "h", "", ""),
    ("", "j", "", "JH"),
    ("", "k", "", "K"),
    ("", "l", "", "L"),
    ("", "m", "", "M"),
    ("", "n", "", "N"),
    ("", "p", "", "P"),
    ("", "q", "", "K"),
    ("", "r", "", "R"),
    ("[pkft]", "s", "#", "S"),
    ("[aeiouybdgvmnlrw]", "s", "#", "Z"),
    ("[aeiouy]", "s", "[aeiouy]", "Z"),
    ("", "s", "", "S"),
    ("", "t", "", "T"),
    ("", "v", "", "V"),
    ("", "w", "[aeiouy]", "W"),
    ("", "w", "", ""),
    ("#", "x", "", "Z"),
    ("", "x", "", "K S"),
    ("", "z", "", "Z"),
)
NAMES = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S",
    "y": "W AY", "z": "Z IY",
}  # fmt: skip
COMPILED = tuple(
    (re.compile(f"(?:{before})$"), letters, re.compile(after), phones.split())
    for before, letters, after, phones in RULES
)


def by_letters(word: str) -> tuple[str, ...]:
    """The phones of a word of letters a to z, by rules; letter by letter where it has no vowel."""
    word = word.replace("'", "")
    if not re.search("[aeiouy]", word):
        return stressed([phone for letter in word for phone in NAMES[letter].split()])
    padded, place, phones = f"#{word}#", 1, list[str]()
    while place <= len(word):
        before, rest = padded[:place], padded[place:]
        letters, found = next(
            (letters, found)
            for after_what, letters, then, found in COMPILED
            if rest.startswith(letters) and then.match(rest[len(letters) :]) and after_what.search(before)
        )
        phones += found
        place += len(letters)
    return stressed(phones) or ("AH0",)


def stressed(phones: list[str]) -> tuple[str, ...]:
    """Phones with stress on the first vowel that is not AH, or on the first of all."""
    vowels = [k for k, phone in enumerate(phones) if phone[0] in "AEIOU"]
    first = next((k for k in vowels if phones[k] != "AH"), vowels[0] if vowels else None)
    return tuple(f"{phone}{int(k == first)}" if k in vowels else phone for k, phone in enumerate(phones))
