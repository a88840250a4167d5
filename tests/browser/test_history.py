"""The browser's history is one of pages: Back and Forward show a page as it was left, in one press."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.browser.waiting import wait_until

Serve = Callable[..., str]
HEADINGS = {"core_concepts": "Core concepts", "geometry_lab": "Geometry lab", "unet": "U-Net"}
PREFIXES = {"core_concepts": "core_", "geometry_lab": "geo_", "unet": "unet_"}


def settings(page: Page) -> dict[str, str]:
    """What stands in the address, all of it of the page that is shown."""
    address = urlsplit(page.url)
    found = {name: values[-1] for name, values in parse_qs(address.query).items()}
    prefix = PREFIXES[address.path.rpartition("/")[2]]
    assert all(name.startswith(prefix) for name in found), page.url
    return found


def expect_page(page: Page, name: str) -> None:
    expect(page).to_have_url(re.compile(name), timeout=60_000)
    expect(page.get_by_role("heading", level=1)).to_contain_text(HEADINGS[name], timeout=60_000)
    expect(page.get_by_text(re.compile("Streamlit .* CPU core"))).to_be_visible(timeout=60_000)  # the page's last line
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)


def follow(page: Page, name: str) -> None:
    page.get_by_test_id("stSidebarNav").locator(f'a[href$="/{name}"]').click()
    expect_page(page, name)


def slider(page: Page, name: str) -> Locator:
    return page.get_by_role("slider", name=re.compile(rf"^{name}\b")).first


def slider_value(page: Page, name: str) -> float:
    return float(slider(page, name).input_value())


def move(page: Page, name: str, to: int) -> None:
    """Move a slider by the keyboard, until the address says where it stands."""
    slider(page, name).focus()
    while (now := slider_value(page, name)) != to:
        page.keyboard.press("ArrowRight" if now < to else "ArrowLeft")


@contextmanager
def entries(page: Page, count: int) -> Iterator[None]:
    """The block adds `count` entries to the history."""
    before = page.evaluate("history.length")
    yield
    assert page.evaluate("history.length") - before == count


def test_back_and_forward_go_page_by_page_to_the_last_settings(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    page.goto(f"{serve('Home.py')}/core_concepts?core_digit=7")
    expect_page(page, "core_concepts")
    core = {"core_digit": "7", "core_number": "5", "core_seed": "2", "core_start": "1"}
    with entries(page, 0):
        for name, to in {"Image number": 5, "Noise seed": 2, "Start seed": 1}.items():
            move(page, name, to)
        expect_page(page, "core_concepts")
        wait_until(page, lambda: settings(page) == core)
    with entries(page, 1):
        follow(page, "geometry_lab")
        wait_until(page, lambda: settings(page) == {})
    with entries(page, 0):
        for name, to in {"Points": 1600, "Seed": 2}.items():
            move(page, name, to)
        expect_page(page, "geometry_lab")
    lab = {"geo_points": "1600", "geo_seed": "2"}
    with entries(page, 1):
        follow(page, "unet")
        wait_until(page, lambda: settings(page) == {})

    page.go_back()
    expect_page(page, "geometry_lab")
    wait_until(page, lambda: settings(page) == lab)
    assert [slider_value(page, name) for name in ("Points", "Seed")] == [1600, 2]
    page.go_back()
    expect_page(page, "core_concepts")
    wait_until(page, lambda: settings(page) == core)
    assert [slider_value(page, name) for name in ("Image number", "Noise seed", "Start seed")] == [5, 2, 1]
    page.go_forward()
    expect_page(page, "geometry_lab")
    wait_until(page, lambda: settings(page) == lab)
    assert slider_value(page, "Seed") == 2

    page.reload()
    expect_page(page, "geometry_lab")
    wait_until(page, lambda: settings(page) == lab)
    assert slider_value(page, "Seed") == 2
    page.go_back()
    expect_page(page, "core_concepts")
    wait_until(page, lambda: settings(page) == core)
    assert slider_value(page, "Image number") == 5


def test_a_control_that_goes_adds_no_entry(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    page.goto(f"{serve('Home.py')}/geometry_lab?geo_sampler=DDIM&geo_eta=0.5")
    expect_page(page, "geometry_lab")
    assert slider_value(page, "eta") == 0.5
    with entries(page, 0):
        page.get_by_role("combobox", name="Sampler").first.click()
        page.get_by_role("option", name="Euler", exact=True).click()
        expect(slider(page, "eta")).to_have_count(0)
        expect_page(page, "geometry_lab")
        wait_until(page, lambda: "geo_eta" not in settings(page))


def test_a_page_that_is_left_while_it_loads_leaves_its_settings_behind(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    address = "core_concepts?core_digit=7&core_seed=3"
    page.goto(f"{serve('Home.py')}/{address}")
    page.get_by_test_id("stSidebarNav").locator('a[href$="/geometry_lab"]').click()
    expect_page(page, "geometry_lab")
    move(page, "Points", 1600)
    expect_page(page, "geometry_lab")
    wait_until(page, lambda: settings(page) == {"geo_points": "1600"})
    page.go_back()
    expect_page(page, "core_concepts")
    wait_until(page, lambda: page.url.endswith(address))
