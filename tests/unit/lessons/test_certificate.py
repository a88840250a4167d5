"""The certificate: who may be on it, and what it says."""

import datetime
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer.lessons.certificate import HEIGHT, LONGEST_NAME, WIDTH, checked, draw, made
from explorer.lessons.path import progress_in

DAY = datetime.date(2026, 11, 27)


@pytest.mark.parametrize("name", ["Ada Lovelace", "Ünal Ćosić", "Σωκράτης", "Лев Ландау", "<b>Bob</b> & Eve", ""])
def test_names_that_the_font_has_are_written(name: str) -> None:
    assert checked(f"  {name} ") == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("中文", "“中” cannot"),
        ("שלום", "cannot be drawn"),
        ("مها", "cannot be drawn"),
        ("🙂", "cannot be drawn"),
        ("x" * 300, "60 characters at most here; this has 300"),
    ],
)
def test_others_get_a_sentence(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        draw(name, progress_in(""), DAY)


@given(st.text(max_size=LONGEST_NAME))
def test_any_name_is_written_or_refused_with_a_sentence(name: str) -> None:
    try:
        assert len(checked(name)) <= LONGEST_NAME
    except ValueError as error:
        assert "cannot be drawn here" in str(error) or "characters at most" in str(error)


def test_it_is_a_picture_and_a_pdf_that_change_with_what_was_done() -> None:
    some, more = progress_in("unet.0"), progress_in("unet.0.1.2,core_concepts.0.1.2")
    picture = Image.open(io.BytesIO(made("Ada", some, DAY, "PNG")))
    assert picture.size == (WIDTH, HEIGHT)
    other = np.asarray(draw("Ada", more, DAY))
    assert (np.asarray(picture) != other).any() and (np.asarray(picture) == np.asarray(draw("Ada", some, DAY))).all()
    assert made("Ada", some, DAY, "PDF").startswith(b"%PDF-")


def test_the_longest_name_stays_inside_the_frame() -> None:
    drawn = np.asarray(draw("W" * LONGEST_NAME, progress_in(""), DAY).convert("L"))
    assert (drawn[450:600, 80:140] > 250).all() and (drawn[450:600, -140:-80] > 250).all()
