"""What a person typed or named reaches the page as the letters it is: never as HTML, Markdown, or code that runs."""

import ast
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest

from explorer.files import ASSETS

Open = Callable[..., AppTest]
HOSTILE = "<i>[a](b)$x$:red[c]`*|\"'\n\u202e"
BEGINS = HOSTILE[:12]  # a page may cut a text, or change the case of its letters
PLAIN = {  # fields that Streamlit, or Vega, shows letter by letter
    ("code", ".code_text"),
    ("vega_lite_chart", ".spec"),
    ("selectbox", ".options"),
    ("selectbox", ".raw_value"),
    ("text_input", ".default"),
}


def strings(message: Message, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a message, with the path of its field."""
    for field, value in message.ListFields():
        for one in value if field.is_repeated and not isinstance(value, dict) else [value]:
            if isinstance(one, Message):
                yield from strings(one, f"{path}.{field.name}")
            elif isinstance(one, str):
                yield f"{path}.{field.name}", one


def told(block: Any) -> Iterator[tuple[str, str, str]]:
    """The kind, the field and the text of all that a page holds."""
    for child in block.children.values():
        if isinstance(proto := getattr(child, "proto", None), Message):
            yield from ((child.type, path, text) for path, text in strings(proto))
        if hasattr(child, "children"):
            yield from told(child)


def check(app: AppTest, begins: str) -> set[tuple[str, str]]:
    """The fields that show a text that begins so: they must be plain ones, and code must hold it in a literal."""
    found = [(kind, path, value) for kind, path, value in told(app._tree) if begins in value]
    for kind, path, value in found:
        assert (kind, path) in PLAIN, f"{kind}{path}: {value[:200]}"
        if kind == "code":
            literals = [node.value for node in ast.walk(ast.parse(value)) if isinstance(node, ast.Constant)]
            assert any(begins in literal for literal in literals if isinstance(literal, str))
    return {(kind, path) for kind, path, _ in found}


def test_it_would_be_found() -> None:
    for line in ("st.markdown(text)", "st.html(text)", "st.button(text)", "st.code(f'x = {text}')"):
        app = AppTest.from_string(f"import streamlit as st\ntext = {HOSTILE!r}\n{line}").run()
        with pytest.raises((AssertionError, SyntaxError)):
            check(app, BEGINS)


@pytest.mark.parametrize(
    ("page", "look", "boxes"),
    [
        ("geometry_lab", {"geo_data": "A word"}, {"geo_word": 12}),
        (
            "guided_generation",
            {"guide_closer": "Arithmetic"},
            dict.fromkeys(("guide_emoji_prompt", "guide_emoji_negative", "guide_emoji_other", "guide_emoji_0"), 99),
        ),
        ("voice_cloning", {}, {"voice_text": 99}),
        ("build_your_rig", {"rig_closer": "Time and money"}, {"rig_currency": 6}),
    ],
)
def test_what_is_typed_is_shown_as_typed(
    open_page: Open, page: str, look: dict[str, str], boxes: dict[str, int]
) -> None:
    app = open_page(f"pages/{page}.py", **look)
    for key, most in boxes.items():
        app.text_input(key=key).set_value(HOSTILE[:most])
    app.run()
    assert not app.exception
    check(app, BEGINS[: min(boxes.values())])


def test_names_in_a_history_are_shown_as_written(open_page: Open) -> None:
    name = HOSTILE.replace("\n", " ")
    history = json.loads((ASSETS / "trainings/digits.json").read_bytes())
    history |= {"name": name, "classes": [f"{number}{name}" for number in range(10)]}
    app = open_page("pages/training_lab.py")
    app.file_uploader(key="lab_file").set_value((f"{name}.json", json.dumps(history).encode(), "application/json"))
    app.run()
    assert not app.exception
    assert ("selectbox", ".options") in check(app, BEGINS)
    assert any("The history of" in success.value for success in app.success)
