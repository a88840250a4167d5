"""What a page says, in words: as a person reads it who opens every help and answers every question."""

import re
from collections.abc import Iterator

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Element

FIELDS = ("label", "help", "caption", "body", "text", "delta")


def words(app: AppTest) -> str:
    """Every text of a page, one after the other, without markup of HTML and with single spaces."""
    return _plain(" ".join(_texts_in(app.main)))


def found(pattern: str, text: str) -> re.Match[str]:
    """The first place where a text, as `words` gives it, says what `pattern` matches."""
    match = re.search(pattern, text)
    assert match, f"the page does not say: {pattern}"
    return match


def says(text: str, *sentences: str) -> None:
    """Assert that a text has each of the sentences, word for word."""
    for sentence in sentences:
        assert _plain(sentence) in text, f"the page does not say: {sentence}"


def number(text: str) -> float:
    """A number as a page writes it."""
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-").strip(" .%+"))


def replies(app: AppTest, prefix: str) -> str:
    """What *Check yourself* says to each choice; `prefix` is that of the page's widget keys."""
    app.session_state[f"{prefix}_questions"] = True
    app.run()
    questions = [radio for radio in app.radio if "_question_" in (radio.key or "")]
    assert questions
    said = [question.label for question in questions]
    for choice in range(max(len(question.options) for question in questions)):
        for question in questions:
            app.radio(key=question.key).set_value(question.options[min(choice, len(question.options) - 1)])
        app.run()
        assert not app.exception
        said += [element.value for element in (*app.success, *app.warning)]
    return _plain(" ".join(said))


def _texts_in(block: Block) -> Iterator[str]:
    for child in block.children.values():
        if isinstance(child, Block):
            yield getattr(child.proto, "label", "")
            yield from _texts_in(child)
        else:
            yield from _texts(child)


def _texts(element: Element) -> list[str]:
    value = getattr(element, "value", None)
    proto = getattr(element, "proto", None)
    texts = [value] if isinstance(value, str) else []
    texts += [text for name in FIELDS if isinstance(text := getattr(proto, name, None), str)]
    options = getattr(proto, "options", None)
    texts += [option if isinstance(option, str) else getattr(option, "content", "") for option in options or ()]
    return list(dict.fromkeys(texts))


def _plain(text: str) -> str:
    text = re.sub(r"<style>.*?</style>|<[a-zA-Z/][^>]*>", " ", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", text.replace("\N{NO-BREAK SPACE}", " "))
