"""The scenes on paper: every code, read as a phone reads it, opens its scene."""

import io
import random

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from explorer.lessons.for_teachers.handout import checked_address, draw, is_local, link_of, made
from explorer.lessons.scenes import LISTS, scenes

ADDRESS = "https://course.example.org/diffusion"


@pytest.mark.parametrize("address", [ADDRESS, "http://192.168.1.20:8501", "https://" + "long-name." * 18 + "org"])
@pytest.mark.parametrize("which", LISTS)
def test_the_codes_are_the_links(which: str, address: str) -> None:
    read = [found.text for page in draw(which, address) for found in zxingcpp.read_barcodes(page)]
    assert sorted(read) == sorted(link_of(address, scene) for scene in scenes(which))


def test_a_code_survives_a_bad_printer() -> None:
    page = draw("15", ADDRESS)[0].convert("L")
    chance = random.Random(0)
    for _ in range(300):
        x, y = chance.randrange(page.width - 6), chance.randrange(page.height - 6)
        page.paste(chance.choice((0, 255)), (x, y, x + 6, y + 6))
    assert len(zxingcpp.read_barcodes(page)) == len(scenes("15"))


def test_nothing_is_drawn_over_the_edge() -> None:
    for page in draw("45", "https://" + "w" * 180 + ".org"):
        edge = page.convert("L").point(lambda value: 255 - value)
        left, top, right, bottom = edge.getbbox() or (0, 0, 0, 0)
        assert left >= 60 and top >= 60 and right <= page.width - 60 and bottom <= page.height - 40


def test_the_file_is_a_pdf_of_all_pages() -> None:
    file = made("45", ADDRESS)
    assert file.startswith(b"%PDF") and file.count(b"/Type /Page\n") == len(draw("45", ADDRESS))
    assert len(file) < 3_000_000
    with pytest.raises(OSError):
        Image.open(io.BytesIO(file))  # no picture


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "begins with http"),
        ("course.example.org", "begins with http"),
        ("javascript:alert(1)", "begins with http"),
        ("https://", "begins with http"),
        ("https://a b", "begins with http"),
        ("https://[::1", "begins with http"),
        ("https://a:99999", "begins with http"),
        ("https://курс.рф", "begins with http"),
        ("https://a.org/?x=1", "without what follows"),
        ("https://a.org/#x", "without what follows"),
        ("https://" + "a" * 300, "200 characters at most"),
    ],
)
def test_other_addresses_get_a_sentence(address: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        draw("15", address)


@given(st.text(max_size=220))
def test_any_address_is_taken_or_refused_with_a_sentence(text: str) -> None:
    for tried in (text, f"https://{text}"):
        try:
            assert checked_address(tried).startswith("http")
        except ValueError as error:
            assert str(error).endswith((".", "example.org", f"{len(tried.strip().rstrip('/'))}."))


@pytest.mark.parametrize("address", ["http://localhost:8501", "http://127.0.0.1", "http://[::1]:8501"])
def test_a_phone_cannot_open_these(address: str) -> None:
    assert is_local(checked_address(address)) and not is_local(ADDRESS)
