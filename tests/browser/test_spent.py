"""CPU time is counted once, whether a page runs whole or a part of it alone."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.waiting import wait_until

PRESSED = {"whole": 0.9, "inner": 0.5, "outer": 0.6}  # CPU seconds of what runs then, by the button


def test_each_run_counts_once(browser_page: Page, serve: Callable[..., str]) -> None:
    browser_page.goto(serve("tests/browser/spent_app.py"))
    told = browser_page.get_by_text(re.compile(r"^[\d.]+ s$"))
    expect(told).to_be_visible(timeout=60_000)
    app = browser_page.get_by_test_id("stApp")

    def seconds() -> float:
        return float((told.text_content() or "").removesuffix(" s"))

    assert seconds() == pytest.approx(PRESSED["whole"], abs=0.15)
    expected = seconds()
    for name in ("inner", "outer", "inner"):
        browser_page.get_by_role("button", name=name).click()
        expected += PRESSED[name]
        expect(app).to_have_attribute("data-test-script-state", "running")
        expect(app).to_have_attribute("data-test-script-state", "notRunning")
    before = expected + PRESSED["whole"]
    browser_page.get_by_role("button", name="whole").click()
    wait_until(browser_page, lambda: seconds() > expected)
    assert seconds() == pytest.approx(before, abs=0.25)
