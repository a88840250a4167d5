"""By keyboard alone: every control is reached, and one sees where one is."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.waiting import settle

STILL = "*, *::before, *::after { transition: none !important; }"
CONTROLS = """() => {
  window.waiting = new Set();
  const CONTROL = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  function look(root) {
    for (const one of root.querySelectorAll("*")) {
      const open = !one.disabled && !one.closest("[inert]") && one.tabIndex >= 0;
      if (one.matches(CONTROL) && open && one.checkVisibility({ checkVisibilityCSS: true })) window.waiting.add(one);
      if (one.shadowRoot) look(one.shadowRoot);
    }
  }
  look(document);
  return window.waiting.size;
}"""
REACHED = """() => {
  const drawn = (one) => {
    const { outlineStyle, outlineWidth, boxShadow, borderColor, opacity } = getComputedStyle(one);
    return [outlineStyle === "none" ? "" : outlineWidth, boxShadow, borderColor, opacity].join();
  };
  const look = (nodes) => nodes.map(drawn).join();
  if (window.before && look(window.before.nodes) === window.before.look) return window.before.name;
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  window.before = null;
  if (!at || at === document.body) return "the end";
  window.waiting.delete(at);
  for (const other of window.waiting) { // of choices the arrow keys reach the others
    if (at.closest("[role=radiogroup]")?.contains(other)) window.waiting.delete(other);
  }
  const label = at.closest("label");
  const nodes = [at, ...(label ? [label, ...label.querySelectorAll("*")] : []), ...at.parentElement?.children ?? []];
  for (let one = at.parentElement; one && nodes.length < 60 && !one.matches("[data-testid=stElementContainer]");
    one = one.parentElement) nodes.push(one);
  window.before = { nodes, look: look(nodes), name: at.outerHTML.slice(0, 200) };
  return null;
}"""


@pytest.mark.parametrize("address", ["", "geometry_lab", "sampling_showdown", "unet", "for_teachers"])
def test_tab_reaches_every_control_and_shows_where_it_is(
    browser_page: Page, serve: Callable[..., str], address: str
) -> None:
    browser_page.goto(f"{serve('Home.py')}/{address}")
    settle(browser_page)
    browser_page.add_style_tag(content=STILL)
    count = browser_page.evaluate(CONTROLS)
    assert count > 20
    for _ in range(2 * count):
        browser_page.keyboard.press("Tab")
        if told := browser_page.evaluate(REACHED):
            break
    assert told == "the end", "the focus is not seen, or there is no way out"
    assert browser_page.evaluate("() => [...window.waiting].map((one) => one.outerHTML.slice(0, 200))") == []
