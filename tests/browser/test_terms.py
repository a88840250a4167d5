"""The words of the course explain themselves to a pointer, a finger and the keyboard."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from explorer.ui.glossary import meaning
from tests.browser.test_home import PHONE
from tests.browser.waiting import settle

PAGES = [
    "core_concepts",
    "geometry_lab",
    "unet",
    "training_lab",
    "sampling_showdown",
    "guided_generation",
    "voice_cloning",
    "build_your_rig",
    "conclusion_ethics",
]
Serve = Callable[..., str]


def test_a_pointer_may_go_on_to_what_a_word_means_and_escape_closes_it(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(f"{serve('Home.py')}/core_concepts")
    settle(browser_page)
    word = browser_page.get_by_role("button", name="Schedule", exact=True)
    told = browser_page.get_by_role("tooltip")
    expect(word).to_have_accessible_description(meaning("schedule"))
    word.hover()
    expect(told).to_have_text(meaning("schedule"))
    told.hover()
    expect(told).to_be_visible()
    browser_page.keyboard.press("Escape")
    expect(told).to_be_hidden()
    word.focus()
    expect(told).to_be_visible()
    browser_page.keyboard.press("Tab")
    expect(told).to_have_text(meaning("alpha_bar"))
    browser_page.keyboard.press("Escape")
    expect(told).to_be_hidden()


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
@pytest.mark.parametrize("address", PAGES)
def test_a_tap_opens_every_word_within_the_screen_of_a_phone(browser_page: Page, serve: Serve, address: str) -> None:
    browser_page.goto(f"{serve('Home.py')}/{address}")
    settle(browser_page)
    words = browser_page.locator(".term button")
    assert words.count() >= 6
    for word in words.all():
        word.tap()
        told = browser_page.get_by_role("tooltip")
        expect(told).to_have_count(1)
        box = told.bounding_box()
        assert box
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390
        assert 0 <= box["y"] < box["y"] + box["height"] <= 844
    browser_page.get_by_role("heading", level=1).tap()
    expect(told).to_have_count(0)
