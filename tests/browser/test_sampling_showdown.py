"""The Sampling showdown in Chromium: two walks on one clock, a long one in the background, a phone, the dark theme."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_film import PHONE, pixels, seek, sent_messages
from tests.browser.waiting import MOVING

PAGE = "pages/sampling_showdown.py"
DIGITS = "?show_model=Digits+8+x+8"
Serve = Callable[..., str]


def opened(page: Page, url: str) -> Locator:
    """The film, when the whole page has been computed."""
    page.goto(url)
    film = page.locator(".film.themed")
    expect(film).to_have_attribute("data-frame", re.compile(r"\d"), timeout=60_000)
    expect(page.get_by_text("runs on this machine")).to_be_visible(timeout=60_000)
    return film


def strips(film: Locator) -> list[list[np.ndarray]]:
    """What each strip shows now, image by image."""
    return [
        [pixels(canvas) for canvas in strip.locator("button:not(.film-large) canvas").all()]
        for strip in film.locator(".film-strip").all()
    ]


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_it_moves_by_itself_and_scrubs_without_the_server(browser_page: Page, serve: Serve) -> None:
    sent = sent_messages(browser_page)
    film = opened(browser_page, serve(PAGE) + DIGITS)
    expect(film).to_have_attribute("data-playing", "true")
    expect(film).not_to_have_attribute("data-frame", film.get_attribute("data-frame") or "")
    before = len(sent)
    seek(film, 0)
    left, _, right, _ = strips(film)
    assert len(left) == 16
    np.testing.assert_array_equal(left, right)  # one starting noise
    seek(film, 3)
    left, left_guess, right, _ = strips(film)
    assert (np.array(left) != np.array(right)).any()  # two ends
    np.testing.assert_array_equal(left, left_guess)
    assert len(sent) == before


def test_a_keyboard_changes_one_side_and_the_link_remembers(browser_page: Page, serve: Serve) -> None:
    film = opened(browser_page, serve(PAGE) + DIGITS)
    _, _, right, _ = strips(film)
    thumb = browser_page.get_by_role("slider", name="Steps").first
    thumb.focus()
    browser_page.keyboard.press("ArrowLeft")
    caption = film.locator(".film-caption").first
    expect(caption).to_have_text("step 2 of 2, t = 0.000")
    np.testing.assert_array_equal(strips(film)[2], right)
    expect(browser_page.get_by_text("2 network calls for 16 images")).to_be_visible()
    expect(browser_page.get_by_text("DDPM, 2 steps (2 network calls)")).to_be_visible()  # the takeaway follows
    assert "show_a_steps=2" in browser_page.url
    film = opened(browser_page, browser_page.url)
    expect(film.locator(".film-caption").first).to_have_text("step 2 of 2, t = 0.000")


def test_a_long_walk_does_not_block_the_page(browser_page: Page, serve: Serve) -> None:
    film = opened(browser_page, f"{serve(PAGE)}{DIGITS}&show_a_sampler=Annealed+Langevin&show_a_steps=1000")
    expect(film.locator(".film-strip")).to_have_count(2)
    run = browser_page.get_by_role("button", name="Run Annealed Langevin, 1,000 steps")
    run.click()
    stop = browser_page.get_by_test_id("stMain").get_by_role("button", name="Stop")
    expect(stop).to_be_visible(timeout=30_000)
    thumb = browser_page.get_by_role("slider", name="eta of the middle row")
    expect(thumb).to_have_count(1, timeout=30_000)  # for a moment the old slider stands beside it
    thumb.focus()
    browser_page.keyboard.press("ArrowRight")
    expect(browser_page.get_by_role("cell", name="eta 0.6")).to_be_visible(timeout=30_000)
    stop.click()
    expect(run).to_be_visible(timeout=30_000)
    expect(stop).to_have_count(0)


@pytest.mark.parametrize("browser_page", [PHONE | {"color_scheme": "dark"}], indirect=True)
def test_a_phone_in_the_dark_needs_no_sideways_scroll(browser_page: Page, serve: Serve) -> None:
    film = opened(browser_page, serve(PAGE) + DIGITS)
    expect(film).to_have_attribute("data-theme", "dark")
    assert browser_page.get_by_test_id("stMain").evaluate("main => main.scrollWidth") <= 390
    word = browser_page.locator(".term").last
    word.get_by_role("button").focus()
    expect(word.get_by_role("tooltip")).to_be_visible()
    assert browser_page.get_by_test_id("stMain").evaluate("main => main.scrollWidth") <= 390
    box = film.locator(".film-strip").last.bounding_box()
    assert box
    assert 0 <= box["x"] < box["x"] + box["width"] <= 390
