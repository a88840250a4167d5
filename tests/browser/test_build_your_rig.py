"""Build your rig in Chromium: a question asked in a link and by hand, a comparison kept, a phone has room for it."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from explorer.lessons.build_your_rig.fits import known_cards
from tests.browser.test_film import PHONE
from tests.browser.test_guided_generation import LONG, done

PAGE = "pages/build_your_rig.py"
Serve = Callable[..., str]


def opened(page: Page, serve: Serve, query: str = "rig_closer=This+machine") -> None:
    page.goto(f"{serve(PAGE)}?{query}")
    expect(page.get_by_role("heading", name="At least")).to_be_visible(timeout=LONG)
    done(page)


def answer(page: Page) -> float:
    """GiB at the peak."""
    told = page.get_by_role("heading", name="At least").inner_text()
    return float(re.findall(r"[\d.]+", told)[0])


def test_a_switch_moves_the_answer_and_a_reload_keeps_it(browser_page: Page, serve: Serve) -> None:
    opened(browser_page, serve)
    before = answer(browser_page)
    browser_page.get_by_text("VAE tiling", exact=True).click()
    browser_page.get_by_text("Model offload", exact=True).click()
    expect(browser_page).to_have_url(re.compile("rig_offload=true"))
    done(browser_page)
    after = answer(browser_page)
    assert after < before - 2
    browser_page.reload()
    expect(browser_page.get_by_role("heading", name=f"At least {after} GiB")).to_be_visible(timeout=LONG)


def test_the_answer_is_on_the_first_screen(browser_page: Page, serve: Serve) -> None:
    opened(browser_page, serve)
    for shown in (
        browser_page.get_by_role("heading", name="At least"),
        browser_page.get_by_text("The cheapest that holds it"),
    ):
        box = shown.bounding_box()
        assert box
        assert box["y"] + box["height"] < 800


def test_the_comparison_is_kept_as_a_file(browser_page: Page, serve: Serve, tmp_path: Path) -> None:
    opened(browser_page, serve, "rig_closer=All+cards&rig_system=Mochi+1")
    with browser_page.expect_download(timeout=LONG) as download:
        browser_page.get_by_text("Comparison as CSV").click()
    download.value.save_as(tmp_path / "cards.csv")
    with (tmp_path / "cards.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["card"] for row in rows} == set(known_cards())
    assert download.value.suggested_filename == "mochi-make.csv"


def test_it_is_asked_by_keyboard(browser_page: Page, serve: Serve) -> None:
    opened(browser_page, serve)
    before = answer(browser_page)
    browser_page.get_by_role("slider", name="Batch").focus()
    browser_page.keyboard.press("ArrowRight")
    browser_page.keyboard.press("ArrowRight")
    expect(browser_page).to_have_url(re.compile("rig_batch=4"))
    done(browser_page)
    assert answer(browser_page) > before


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
@pytest.mark.parametrize("look", ["All cards", "How memory grows", "Models of this course", "Accuracy"])
def test_a_phone_has_room_for_it(browser_page: Page, serve: Serve, look: str) -> None:
    opened(browser_page, serve, f"rig_closer={look.replace(' ', '+')}&rig_system=Wan+2.1+1.3B")
    expect(browser_page.locator('[data-testid="stException"]')).to_have_count(0)
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 390
