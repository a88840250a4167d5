"""A lecture in Chromium: scenes by a key, the demo alone, computed before they are shown."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from explorer.lessons.scenes import SCENES, scenes
from tests.browser.test_guided_generation import LONG

Serve = Callable[..., str]
TITLES = [scene.title for scene in SCENES]


def scene_is(page: Page, number: int) -> None:
    """The bar says that this scene is shown, counted from 1."""
    bar = page.locator(".st-key-scene")
    expect(bar).to_contain_text(f"Scene {number} of {len(SCENES)}: {TITLES[number - 1]}", timeout=LONG)
    expect(page.locator(".lecture-type")).to_be_attached(timeout=LONG)  # who listens to the keys is there


def test_one_key_leads_on_and_another_back(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(f"{serve('Home.py')}/geometry_lab?scene=45.1")
    scene_is(browser_page, 1)
    for number in (2, 3, 4):
        browser_page.keyboard.press("n")
        scene_is(browser_page, number)
    expect(browser_page.get_by_role("heading", level=1)).to_have_text("Geometry lab")
    expect(browser_page.get_by_role("switch", name="Compare two settings")).to_be_checked()
    browser_page.keyboard.press("b")
    scene_is(browser_page, 3)


def test_the_demo_stands_alone_and_comes_back(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(f"{serve('Home.py')}/geometry_lab?scene=45.1")
    scene_is(browser_page, 1)
    sidebar, title = browser_page.get_by_test_id("stSidebar"), browser_page.get_by_role("heading", level=1)
    browser_page.keyboard.press("p")
    expect(sidebar).to_be_hidden()
    expect(title).to_be_hidden()
    assert "present=true" in browser_page.url
    browser_page.keyboard.press("n")
    expect(browser_page.get_by_label("Noise seed")).to_be_visible(timeout=LONG)
    expect(sidebar).to_be_hidden()
    browser_page.keyboard.press("p")
    expect(sidebar).to_be_visible()
    scene_is(browser_page, 2)


def test_a_letter_that_is_typed_is_no_key(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(f"{serve('Home.py')}/guided_generation?scene=45.8")
    scene_is(browser_page, 8)
    prompt = browser_page.get_by_label("Prompt", exact=True).first
    prompt.click(timeout=LONG)
    browser_page.keyboard.type("pn b")
    expect(browser_page.get_by_test_id("stSidebar")).to_be_visible()
    scene_is(browser_page, 8)


@pytest.mark.timeout(600)
def test_scenes_are_computed_while_the_list_is_open(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(f"{serve('Home.py')}/for_teachers?teach_list=In+15+minutes")
    told = browser_page.locator(".warm")
    expect(told).to_contain_text(re.compile("Computing scene"), timeout=LONG)
    count = len(scenes("15"))
    expect(told).to_have_text(f"All {count} scenes are computed and wait in the server's memory.", timeout=300_000)
    assert browser_page.locator("iframe[aria-hidden=true]").count() == 0
