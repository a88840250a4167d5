"""The Training lab in a real browser, inside the course: a lecture's journey, and a phone."""

import re
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.zoo import from_bytes

LAB = "training_lab"
TINY = "lab_width=8&lab_take=20&lab_batch=32&lab_until=Seconds&lab_seconds=400"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LONG = 90_000  # milliseconds: a worker starts, on a machine that others use too


def open_lab(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/{LAB}?{query}")
    settled(page)


def settled(page: Page) -> None:
    """Wait until the page has drawn itself to the end."""
    expect(page.locator(".lab-film").first).to_be_visible(timeout=LONG)
    expect(page.get_by_text("every model runs on this machine")).to_be_visible(timeout=LONG)


def button(page: Page, name: str) -> Locator:
    """Of the page itself: while a script runs, the app's header has a Stop of its own."""
    return page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)


def pause_button(page: Page) -> Locator:
    """That of the run; the film has one too."""
    return page.locator(".st-key-lab_pause").get_by_role("button", name="Pause")


def overflow(page: Page) -> int:
    """CSS pixels that the page is wider than the window."""
    script = """() => Math.max(...[document.documentElement, ...document.querySelectorAll("[data-testid=stMain]")]
        .map(element => element.scrollWidth - element.clientWidth))"""
    return int(page.evaluate(script))


def go(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()


def test_train_look_elsewhere_come_back_stop_and_use_the_model(
    browser_page: Page, browser: Browser, serve: Callable[..., str]
) -> None:
    page = browser_page
    open_lab(page, serve("Home.py"), TINY)
    expect(page.locator(".lab-film img")).to_have_count(5)  # a recorded run
    button(page, "Start").click()
    expect(pause_button(page)).to_be_visible(timeout=LONG)
    expect(page.locator(".lab-film img").nth(1)).to_be_visible(timeout=LONG)  # the first grid, before the real images
    expect(page.locator(".lab-film").get_by_text("to come").first).to_be_visible()
    main = page.get_by_test_id("stMain")
    expect(main.get_by_text(re.compile(r"of 400 s, epoch .* images a second"))).to_be_visible(timeout=LONG)

    go(page, "Core concepts")
    line = page.get_by_test_id("stSidebar").get_by_text(re.compile(r"Run 1: own settings: \d+ of 400 s"))
    expect(line).to_be_visible(timeout=LONG)
    before = line.inner_text()
    expect(line).not_to_have_text(before, timeout=LONG)
    page.get_by_test_id("stSidebar").get_by_test_id("stPageLink").get_by_role("link").click()

    settled(page)
    expect(pause_button(page)).to_be_visible(timeout=LONG)
    button(page, "Stop").click()
    expect(pause_button(page)).to_have_count(0, timeout=LONG)
    expect(line).to_have_count(0, timeout=LONG)
    page.get_by_text("Keep and take away").click()
    page.get_by_label("Name").fill("Mine")
    page.get_by_label("Name").press("Enter")
    button(page, "Keep on the shelf").click()
    expect(page.get_by_text(re.compile("“Mine”, of epoch .* is on the shelf"))).to_be_visible(timeout=LONG)
    with page.expect_download(timeout=LONG) as download:
        button(page, "Weights as safetensors").click()
    denoiser, about = from_bytes(download.value.path().read_bytes(), "UNet")
    assert (about["name"], denoiser.shape) == ("Mine", (1, 8, 8))

    go(page, "Sampling showdown")
    model = page.get_by_label("Model", exact=True)
    expect(model).to_be_visible(timeout=LONG)
    model.click()
    page.get_by_role("option", name="Mine").click(timeout=LONG)
    expect(page).to_have_url(re.compile("show_model=Mine"), timeout=LONG)
    link = page.url

    gone = re.compile("The model of this link is not on your shelf")
    page.reload()
    expect(page.get_by_label("Model", exact=True)).to_have_value("Mine", timeout=LONG)
    tab = page.context.new_page()  # a second tab
    tab.goto(link)
    expect(tab.get_by_label("Model", exact=True)).to_have_value("Mine", timeout=LONG)
    expect(tab.get_by_text(gone)).to_have_count(0)
    open_lab(tab, serve("Home.py"), TINY)
    run = tab.get_by_test_id("stMain").get_by_label("Run", exact=True)
    expect(run).to_have_value("Run 1: own settings", timeout=LONG)
    button(tab, "Start").click()
    second = tab.get_by_test_id("stMain").locator('input[aria-label="Run"][value="Run 2: own settings"]')
    expect(second).to_be_visible(timeout=LONG)  # for a moment the old select box stands beside it
    button(tab, "Stop").click()
    tab.close()
    with closing(browser.new_context()) as stranger:
        other = stranger.new_page()
        other.goto(link)
        expect(other.get_by_text(gone)).to_be_visible(timeout=LONG)
        expect(other.get_by_label("Model", exact=True)).to_have_value("MNIST 28 x 28", timeout=LONG)


def test_it_works_by_keyboard_alone(browser_page: Page, serve: Callable[..., str]) -> None:
    page = browser_page
    open_lab(page, serve("Home.py"), TINY)
    start = button(page, "Start")
    start.focus()
    page.keyboard.press("Enter")
    pause = pause_button(page)
    expect(pause).to_be_visible(timeout=LONG)
    expect(page.locator(".lab-film").get_by_text("so far: epoch")).to_be_visible(timeout=LONG)
    pause.focus()
    page.keyboard.press("Enter")
    expect(button(page, "Resume")).to_be_visible(timeout=LONG)


@pytest.mark.parametrize(
    "browser_page", [PHONE, PHONE | {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
def test_a_phone_shows_it_without_sideways_scrolling(browser_page: Page, serve: Callable[..., str]) -> None:
    page = browser_page
    open_lab(page, serve("Home.py"))
    assert overflow(page) == 0
    grids = page.locator(".lab-film img")
    expect(grids).to_have_count(5)
    tops = {round(box["y"]) for grid in grids.all() if (box := grid.bounding_box())}
    assert len(tops) >= 3  # they stack
    for grid in grids.all():
        box = grid.bounding_box()
        assert box
        assert box["width"] > 140


def test_the_film_is_above_the_fold_on_a_projector(browser_page: Page, serve: Callable[..., str]) -> None:
    page = browser_page
    open_lab(page, serve("Home.py"))
    grids = page.locator(".lab-film img")
    expect(grids).to_have_count(5)
    for part in (*grids.all(), button(page, "Start")):
        box = part.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 800
    assert len({round(box["y"]) for grid in grids.all() if (box := grid.bounding_box())}) == 1
