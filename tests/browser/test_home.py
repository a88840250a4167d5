"""The welcome page in a real browser: what a newcomer sees first, on a projector and on a phone."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.serving import serving
from tests.browser.waiting import MOVING, settle

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def home(browser_page: Page, serve: Callable[..., str]) -> Page:
    browser_page.goto(serve("Home.py"))
    expect(browser_page.locator(".player")).to_have_attribute("data-position", re.compile(r"\d"), timeout=90_000)
    expect(browser_page.get_by_test_id("stMetric").filter(has_text="2D training")).to_be_visible(timeout=90_000)
    return browser_page


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_something_moves_above_the_fold(home: Page) -> None:
    root = home.locator(".player")
    canvas = root.locator("canvas").bounding_box()
    assert canvas
    assert canvas["y"] + canvas["height"] <= 800
    expect(root).to_have_attribute("data-playing", "true")
    expect(root).not_to_have_attribute("data-position", root.get_attribute("data-position") or "")
    expect(home.get_by_role("heading", name="This machine")).to_be_visible()
    expect(home.get_by_role("alert")).to_have_count(0)


def test_the_sidebar_has_its_width_from_the_first_paint(home: Page) -> None:
    for _ in range(3):
        home.reload()
        expect(home.get_by_test_id("stSidebarNav")).to_be_visible(timeout=90_000)
        again = home.get_by_test_id("stSidebar").bounding_box()
        assert again
        assert again["width"] == 230


def test_a_link_to_a_page_is_the_first_thing_that_a_server_is_asked_for(browser_page: Page) -> None:
    with serving("Home.py") as server:
        browser_page.goto(f"{server.url}/core_concepts?core_digit=7")
        sidebar = browser_page.get_by_test_id("stSidebar")
        expect(sidebar.get_by_role("link", name="Geometry lab")).to_be_visible(timeout=90_000)
        expect(browser_page.get_by_role("heading", level=1)).to_contain_text("Core concepts", timeout=90_000)
        box = sidebar.bounding_box()
        assert box
        assert box["width"] == 230
        assert "core_digit=7" in browser_page.url


def test_torch_is_in_memory_before_anybody_comes() -> None:
    with serving("Home.py") as server:
        end = time.monotonic() + 60
        while not any("libtorch" in map.path for map in server.process.memory_maps()):
            assert time.monotonic() < end, "nobody came, and torch did not either"
            time.sleep(0.2)


def test_type_grows_for_a_lecture_and_stays_so(home: Page) -> None:
    size = "() => getComputedStyle(document.querySelector('h1')).fontSize"
    before = float(home.evaluate(size).removesuffix("px"))
    larger = home.get_by_role("button", name="Larger type")
    larger.click()
    expect(larger).to_have_attribute("aria-pressed", "true")
    assert float(home.evaluate(size).removesuffix("px")) == pytest.approx(1.25 * before)
    home.reload()
    expect(home.get_by_role("button", name="Larger type")).to_have_attribute("aria-pressed", "true", timeout=90_000)
    assert float(home.evaluate(size).removesuffix("px")) == pytest.approx(1.25 * before)


def test_its_links_open_the_modules(home: Page) -> None:
    for name, address in (("Geometry lab", "geometry_lab"), ("Core concepts", "core_concepts")):
        home.get_by_test_id("stMain").get_by_role("link", name=name).first.click()  # "Next" leads on to one too
        expect(home).to_have_url(re.compile(address))
        expect(home.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=90_000)
        home.go_back()
        expect(home.get_by_role("heading", name="Diffusion models", level=1)).to_be_visible(timeout=90_000)


@pytest.mark.parametrize(
    "browser_page", [PHONE, PHONE | {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"]
)
def test_a_phone_shows_it_without_sideways_scrolling(home: Page) -> None:
    script = """() => Math.max(...[document.documentElement, document.querySelector("[data-testid=stMain]")]
        .map(element => element.scrollWidth - element.clientWidth))"""
    assert home.evaluate(script) == 0
    canvas = home.locator(".player canvas").bounding_box()
    assert canvas
    assert canvas["y"] + canvas["height"] < 844


def test_the_map_leads_to_a_page_in_the_same_session(home: Page) -> None:
    stations = home.get_by_role("navigation", name="The modules of the course")
    expect(stations.get_by_role("link")).to_have_count(10)
    home.evaluate("window.stayed = true")
    stations.get_by_role("link", name="Core concepts").click()
    expect(home.get_by_role("heading", level=1)).to_contain_text("Core concepts", timeout=90_000)
    assert home.evaluate("window.stayed")
    home.go_back()
    opened = stations.get_by_role("link", name="Core concepts opened, 0 of 3 questions right")
    expect(opened).to_be_visible(timeout=90_000)


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
def test_the_map_leads_on_from_a_phone(home: Page) -> None:
    home.get_by_role("navigation", name="The modules").get_by_role("link", name="Build your rig").tap()
    expect(home.get_by_role("heading", level=1)).to_contain_text("Build your rig", timeout=90_000)
    assert home.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("page", ["", "core_concepts", "for_teachers"])
def test_nothing_is_asked_of_another_server(browser_page: Page, serve: Callable[..., str], page: str) -> None:
    asked: list[str] = []
    browser_page.on("request", lambda request: asked.append(request.url))
    browser_page.goto(f"{serve('Home.py')}/{page}")
    settle(browser_page)
    own = (serve("Home.py"), "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []
