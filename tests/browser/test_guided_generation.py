"""Guided generation in Chromium: a prompt is typed and drawn, a picture is painted over, a phone has room for it."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_film import PHONE, seek
from tests.browser.test_pad import stroke
from tests.browser.waiting import MOVING, wait_until

PAGE = "pages/guided_generation.py"
QUICK = "guide_steps=2&guide_closer=The+large+ones"
LONG = 60_000
Serve = Callable[..., str]


def opened(page: Page, serve: Serve, query: str = QUICK) -> Locator:
    page.goto(f"{serve(PAGE)}?{query}")
    film = page.locator(".film.themed")
    expect(film).to_have_attribute("data-frame", re.compile(r"\d"), timeout=LONG)
    done(page)
    return film


def done(page: Page) -> None:
    expect(page.get_by_text("every model runs on this machine")).to_be_visible(timeout=LONG)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(timeout=LONG)


def guess(film: Locator) -> np.ndarray:
    """The first picture as the model guesses it, at the end."""
    seek(film, 2)
    read = "c => [c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    canvas = film.locator(".film-strip").nth(1).locator(".film-images button:visible canvas").first
    height, *values = canvas.evaluate(read)
    return np.array(values, dtype=np.uint8).reshape(height, -1, 4)[..., :3]


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_it_opens_moving(browser_page: Page, serve: Serve) -> None:
    film = opened(browser_page, serve, "guide_steps=6&guide_closer=The+large+ones")
    expect(film).to_have_attribute("data-playing", "true")
    frame = film.get_attribute("data-frame")
    expect(film).not_to_have_attribute("data-frame", str(frame))


def test_a_prompt_that_no_chip_holds_is_drawn(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    film = opened(page, serve)
    before = guess(film)
    page.get_by_label("Prompt", exact=True).fill("a blue 🌵 <script>alert(1)</script>")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It reads: a · blue · cactus")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("This model has never seen “script”", exact=False)).to_be_visible()
    done(page)
    after = guess(film)
    assert np.abs(after.astype(float) - before).mean() > 5
    assert after[..., 2].mean() > after[..., 0].mean()  # blue
    expect(page).to_have_url(re.compile("guide_emoji_prompt=a\\+blue|guide_emoji_prompt=a%20blue"))
    page.reload()
    expect(page.get_by_text("It reads: a · blue · cactus")).to_be_visible(timeout=LONG)


def test_a_chip_a_surprise_and_the_other_model(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    opened(page, serve)
    page.get_by_text("pink robot", exact=True).click()
    expect(page.get_by_text("It reads: pink · robot")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Surprise me").click()
    expect(page.get_by_text("It reads: pink · robot")).to_have_count(0, timeout=LONG)
    page.get_by_role("radio", name="Scenes of shapes").click()
    expect(page.get_by_text("show all that the prompt says")).to_be_visible(timeout=LONG)


def test_a_picture_is_painted_over_and_only_that_part_is_new(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    opened(page, serve, "guide_steps=2&guide_closer=Edit")
    expect(page.get_by_text("Nothing is painted over")).to_be_visible(timeout=LONG)
    stroke(page, page.locator(".pad-image"), (0.3, 0.4), (0.7, 0.4))
    expect(page.get_by_text("of the pixels are drawn anew")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Nothing is painted over")).to_have_count(0)


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
@pytest.mark.parametrize("look", ["The+large+ones", "What+each+word+looks+at", "Edit"])
def test_a_phone_has_room_for_it(browser_page: Page, serve: Serve, look: str) -> None:
    opened(browser_page, serve, f"guide_steps=2&guide_closer={look}")
    main = browser_page.locator('[data-testid="stMain"]')
    wait_until(browser_page, lambda: main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0)
