"""The way through the course, and what somebody keeps of it."""

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.lessons.path import (
    LARGEST_FILE,
    MODULES,
    QUESTIONS,
    WAYS,
    Progress,
    as_file,
    from_file,
    page_of,
    progress_in,
)

PAGES = Path(__file__).parents[3] / "pages"


def calls(page: str, name: str) -> list[ast.Call]:
    tree = ast.parse((PAGES / f"{page}.py").read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == name]


@pytest.mark.parametrize("page", MODULES)
def test_the_map_knows_every_page_its_title_and_its_questions(page: str) -> None:
    _, count = MODULES[page]
    assert len(calls(page, "Question")) == count
    (begun,) = calls(page, "begin_page")
    assert page_of(ast.literal_eval(begun.args[0])) == page


def test_the_map_has_all_pages_in_the_order_of_the_menu() -> None:
    tree = ast.parse((PAGES.parent / "Home.py").read_text())
    (modules,) = (
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODULES"
    )
    menu = {Path(page).stem: told[0] for pages in ast.literal_eval(modules).values() for page, told in pages.items()}
    assert menu == {page: title for page, (title, _) in MODULES.items()} and list(menu) == list(MODULES)
    assert {path.stem for path in PAGES.glob("*.py")} == {*MODULES, "for_teachers"}


def test_every_way_leads_through_pages_that_are_there() -> None:
    for way in WAYS.values():
        pages = [stop.page for stop in way.stops]
        assert set(pages) <= set(MODULES) and len(set(pages)) == len(pages) and all(stop.do for stop in way.stops)


progresses = st.dictionaries(st.sampled_from(list(MODULES)), st.frozensets(st.integers(0, 9))).map(
    lambda found: progress_in(",".join(".".join([page, *map(str, numbers)]) for page, numbers in found.items()))
)


@given(progresses, progresses)
def test_what_was_done_survives_a_link_and_a_file(one: Progress, other: Progress) -> None:
    assert progress_in(one.text()) == one and from_file(as_file(one).encode()) == one
    both = one.and_(other)
    assert both.answered >= max(one.answered, other.answered) and set(both.pages) == {*one.pages, *other.pages}
    assert one.and_(one) == one and both == other.and_(one)


@given(st.text())
def test_any_text_is_some_progress(text: str) -> None:
    assert progress_in(text).answered <= QUESTIONS


def test_the_whole_course_is_complete() -> None:
    everything = ",".join(".".join([page, *map(str, range(count))]) for page, (_, count) in MODULES.items())
    assert progress_in(everything).complete and progress_in(everything).answered == QUESTIONS == 25
    assert not progress_in("unet.0.1.2").complete


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a file of progress"),
        (b"{", "not a file of progress"),
        (b"[1, 2]", "not a file of progress"),
        (b"\xff\xfe\x00", "not a file of progress"),
        (b'{"done": "unet"}', "not a file of progress"),
        (b'{"diffusion-explorer": "weights", "version": 1, "done": ""}', "not a file of progress"),
        (b'{"diffusion-explorer": "progress", "version": "1", "done": ""}', "not a file of progress"),
        (b'{"diffusion-explorer": "progress", "version": 1, "done": ["unet"]}', "not a file of progress"),
        (b'{"diffusion-explorer": "progress", "version": 7, "done": "unet"}', "version 7; this app reads version 1"),
        (b"[" * 10_000, "not a file of progress"),
        (b" " * (LARGEST_FILE + 1), "at most"),
        (b"x" * 10_000_000, "10,000,000 bytes"),
    ],
)
def test_a_file_that_is_none_gets_a_sentence(content: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        from_file(content)


def test_a_file_that_claims_too_much_is_taken_for_what_is_there() -> None:
    said = {
        "diffusion-explorer": "progress",
        "version": 1,
        "done": "unet.0.7.99.x,<b>.1,core_concepts.²," + "unet.1," * 9,
    }
    assert from_file(json.dumps(said).encode()) == progress_in("unet.0.1,core_concepts")
