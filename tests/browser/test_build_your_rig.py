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


def answer(page: Page, other_than: float | None = None) -> float:
    """GiB at the peak, once it is `other_than` that."""
    told = page.get_by_role("heading", name="At least")
    if other_than is not None:
        expect(told).not_to_contain_text(f"At least {other_than:.1f} GiB", timeout=LONG)
    return float(re.findall(r"[\d.]+", told.inner_text())[0])


def test_a_switch_moves_the_answer_and_a_reload_keeps_it(browser_page: Page, serve: Serve) -> None:
    opened(browser_page, serve)
    before = answer(browser_page)
    browser_page.get_by_test_id("stCheckbox").filter(has_text="Text encoders off after use").click()
    fewer = answer(browser_page, before)
    browser_page.get_by_text("Model offload", exact=True).click()
    after = answer(browser_page, fewer)
    assert after < fewer < before
    expect(browser_page).to_have_url(re.compile("rig_offload=true"))
    browser_page.reload()
    expect(browser_page.get_by_role("heading", name=f"At least {after:.1f} GiB")).to_be_visible(timeout=LONG)


def test_the_answer_is_on_the_first_screen(browser_page: Page, serve: Serve) -> None:
    opened(browser_page, serve)
    for shown in (
        browser_page.get_by_role("heading", name="At least"),
        browser_page.get_by_text("The cheapest that holds what to plan for"),
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
    assert answer(browser_page, before) > before
    expect(browser_page).to_have_url(re.compile("rig_batch=2"))


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
@pytest.mark.parametrize("look", ["All cards", "How memory grows", "Models of this course", "Accuracy"])
def test_a_phone_has_room_for_it(browser_page: Page, serve: Serve, look: str) -> None:
    opened(browser_page, serve, f"rig_closer={look.replace(' ', '+')}&rig_system=Wan+2.1+1.3B")
    expect(browser_page.locator('[data-testid="stException"]')).to_have_count(0)
    assert browser_page.evaluate("document.documentElement.scrollWidth") <= 390
