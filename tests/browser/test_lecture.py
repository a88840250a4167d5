"""The demo alone, as it is projected: whether the back row can read it, and whether the keys are heard."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from explorer.lessons.scenes import SCENES
from explorer.ui.lecture import scene_query
from tests.browser.waiting import settle

LEAST = 0.022  # height of letters, in that of the screen
SCREENS = [(1280, 720), (1920, 1080)]
LABELS = """() => {
  const found = [];
  function look(node) {
    for (const child of [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes]) {
      if (child.nodeType === Node.ELEMENT_NODE) look(child);
      if (child.nodeType !== Node.TEXT_NODE || !child.data.trim()) continue;
      if (node.closest("style, option, .katex, sub, sup, [data-testid=stIconMaterial]")) continue;
      if (!node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })) continue;
      const letters = document.createRange();
      letters.selectNodeContents(child);
      const { width, height } = letters.getBoundingClientRect();
      if (width < 2 || height < 2) continue; // for a screen reader alone
      const drawn = node instanceof SVGElement ? node.getScreenCTM() : null; // which an enlarged picture enlarges
      const larger = drawn ? Math.hypot(drawn.a, drawn.b) : node.currentCSSZoom;
      found.push([child.data.trim(), parseFloat(getComputedStyle(node).fontSize) * larger]);
    }
  }
  look(document.querySelector("[data-testid=stMainBlockContainer]"));
  return found;
}"""
PLOTS = """() => [...document.querySelectorAll("[data-testid=stVegaLiteChart] svg")].map((chart) => {
  const plot = chart.querySelector(".role-frame .background").getBoundingClientRect();
  return plot.height / chart.getBoundingClientRect().height;
})"""
Serve = Callable[..., str]


@pytest.mark.parametrize("number", range(len(SCENES)), ids=lambda number: SCENES[number].title)
def test_the_back_row_reads_every_label_of_a_scene(browser_page: Page, serve: Serve, number: int) -> None:
    query = {**scene_query("45", number), "present": "true"}
    for width, height in SCREENS:
        browser_page.set_viewport_size({"width": width, "height": height})
        if not browser_page.url.startswith("http"):
            browser_page.goto(f"{serve('Home.py')}/{SCENES[number].page}?{urlencode(query)}")
        settle(browser_page)
        labels = browser_page.evaluate(LABELS)
        assert len(labels) > 20
        assert [(text, size / height) for text, size in labels if size < LEAST * height - 0.05] == []
        for share in browser_page.evaluate(PLOTS):
            assert share > 0.35, "axes and legend leave the plot no room"
        beside = "main => main.scrollWidth - main.clientWidth"
        assert browser_page.get_by_test_id("stMain").evaluate(beside) == 0


def test_lecture_keys_are_heard_from_a_slider_and_leave_the_player_its_own(browser_page: Page, serve: Serve) -> None:
    browser_page.goto(f"{serve('Home.py')}/geometry_lab?scene=45.1")
    settle(browser_page)
    player, bar = browser_page.locator(".player"), browser_page.locator(".st-key-scene")
    scrub = player.get_by_role("slider", name="Position")
    scrub.focus()
    browser_page.keyboard.press("Home")
    expect(player).to_have_attribute("data-position", "0.000")
    browser_page.keyboard.press("ArrowRight")
    expect(player).to_have_attribute("data-position", "1.000")
    browser_page.keyboard.press("Space")
    expect(player).to_have_attribute("data-playing", "true")
    browser_page.keyboard.press("Space")
    expect(player).to_have_attribute("data-playing", "false")
    expect(bar).to_contain_text("Scene 1 of")
    browser_page.keyboard.press("n")
    expect(bar).to_contain_text("Scene 2 of", timeout=90_000)
