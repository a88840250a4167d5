"""No page has a finding of axe (https://github.com/dequelabs/axe-core), our components' shadow roots included: every
page and every look of it, with what can be opened open; in the light theme, in the dark one, and on a phone."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

from tests.browser.waiting import settle

PAGES = {  # the address of a page, and the key of the row of buttons that chooses what it shows
    "": None,
    "core_concepts": None,
    "geometry_lab": None,
    "geometry_lab?geo_compare=true": None,
    "geometry_lab?geo_data=Drawing": None,
    "unet": None,
    "training_lab": None,
    "sampling_showdown": None,
    "guided_generation": "guide_closer",
    "guided_generation?guide_model=Scenes+of+shapes": None,
    "voice_cloning": "voice_closer",
    "build_your_rig": "rig_closer",
    "conclusion_ethics": "ethics_look",
    "for_teachers": "teach_look",
    "for_teachers?teach_look=Does+it+teach%3F&teach_role=I+teach+a+class": None,
}
STREAMLITS = [  # findings in Streamlit's own parts, which nothing here can mend: the rule, and where
    ("list", '[data-testid="stSidebarNavItems"]'),  # its navigation puts sections between a list and its items
    ("listitem", '[data-testid="stSidebarNavItems"] li'),
    ("presentation-role-conflict", '[data-testid="stFileUploaderDropzone"]'),  # a label on what has no role
]
COLOURS = ["color-contrast", "link-in-text-block"]
FINDINGS = """async ([where, options, allowed]) => {
  const { violations } = await axe.run(where, { resultTypes: ["violations"], ...options });
  const deepest = (target) => {
    let root = document;
    return target.flat().map((selector) => {
      const element = root.querySelector(selector);
      root = element.shadowRoot ?? root;
      return element;
    }).at(-1);
  };
  const known = (id, node) => allowed.some(([rule, where]) => rule === id && deepest(node.target).matches(where));
  return violations.flatMap(({ id, impact, nodes }) => nodes
    .filter((node) => !known(id, node))
    .map((node) => `${impact} ${id}: ${node.html.slice(0, 200)} ${node.failureSummary.split("\\n")[1]}`));
}"""
Serve = Callable[..., str]


def findings(page: Page, **options: Any) -> list[str]:
    """What axe finds, by the options of its `run`, but for what is Streamlit's; around the page, on the first alone."""
    where = "body" if urlsplit(page.url).path == "/" else "[data-testid=stMain]"
    return page.evaluate(FINDINGS, [where, options, STREAMLITS])


def open_all(page: Page) -> None:
    """What can be opened is open."""
    page.evaluate("() => document.querySelectorAll('details:not([open]) > summary').forEach((one) => one.click())")
    settle(page)


def looks_of(page: Page, key: str | None) -> Iterator[str]:
    """Each look of a page, its name once it is shown."""
    buttons = page.locator(f".st-key-{key} [role=radio]")
    if not key:
        yield ""
    for number in range(buttons.count() if key else 0):
        buttons.nth(number).click()
        settle(page)
        open_all(page)
        yield buttons.nth(number).inner_text()


@pytest.mark.parametrize(("address", "looks"), PAGES.items(), ids=lambda one: one or "-")
def test_axe_finds_nothing(browser_page: Page, serve: Serve, address: str, looks: str | None) -> None:
    browser_page.goto(f"{serve('Home.py')}/{address}")
    settle(browser_page)
    browser_page.evaluate(AXE_SCRIPT)
    open_all(browser_page)
    found = {f"{look}, light": findings(browser_page) for look in looks_of(browser_page, looks)}
    browser_page.emulate_media(color_scheme="dark")  # with which colours alone change
    settle(browser_page)
    for look in looks_of(browser_page, looks):
        found[f"{look}, dark"] = findings(browser_page, runOnly=COLOURS)
    browser_page.set_viewport_size({"width": 390, "height": 844})
    settle(browser_page)
    found["phone"] = findings(
        browser_page, runOnly=["scrollable-region-focusable", "button-name", "link-name", "label"]
    )
    assert not looks or len(found) > 5
    assert {where: each for where, each in found.items() if each} == {}
