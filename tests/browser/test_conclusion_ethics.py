"""The last page in Chromium: on the first screen, by keyboard, on a phone, and a file that is looked into."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from explorer.lessons.conclusion_ethics import provenance
from tests.browser.test_film import PHONE
from tests.browser.test_guided_generation import LONG, done

PAGE = "pages/conclusion_ethics.py"
Serve = Callable[..., str]


def test_copies_stand_beside_their_originals_on_the_first_screen(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(serve(PAGE))
    told = browser_page.get_by_text("samples are copies of a training image")
    expect(told).to_be_visible(timeout=LONG)
    picture = browser_page.get_by_alt_text("The nearest of its training images to each sample")
    box = picture.bounding_box()
    assert box and box["y"] + box["height"] <= 800


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
@pytest.mark.parametrize("look", ["Learned by heart", "Bias", "Watermarks", "Text", "Video", "Few steps", "Energy"])
def test_nothing_is_wider_than_a_phone(browser_page: Page, serve: Serve, look: str) -> None:
    browser_page.goto(f"{serve(PAGE)}?ethics_look={look.replace('?', '%3F').replace(' ', '+')}")
    done(browser_page)
    browser_page.wait_for_timeout(500)
    wide = browser_page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth - innerWidth")
    assert wide <= 0


def test_a_picture_that_was_saved_here_is_known_again(browser_page: Page, serve: Serve, tmp_path: Path) -> None:
    browser_page.goto(f"{serve(PAGE)}?ethics_look=Watermarks")
    with browser_page.expect_download(timeout=LONG) as saved:
        browser_page.get_by_role("button", name="The marked picture as PNG").click(timeout=LONG)
    path = tmp_path / "marked.png"
    saved.value.save_as(path)
    assert provenance.text_in(path.read_bytes())
    browser_page.get_by_role("radio", name="A file").click()
    browser_page.get_by_test_id("stFileUploader").locator("input").set_input_files(path)
    expect(browser_page.get_by_text("The mark is there")).to_be_visible(timeout=LONG)
    expect(browser_page.get_by_text("made by a model: Diffusion Explorer")).to_be_visible()


def test_a_student_is_taught_while_one_watches(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(f"{serve(PAGE)}?ethics_look=Few+steps&ethics_shape=Moons")
    browser_page.get_by_role("button", name="Teach the student").click(timeout=LONG)
    expect(browser_page.get_by_role("progressbar").first).to_be_visible(timeout=LONG)
    expect(browser_page.get_by_role("button", name="Teach the student")).to_be_visible(timeout=120_000)
    expect(browser_page.get_by_text("untrained, distance")).to_have_count(0)
