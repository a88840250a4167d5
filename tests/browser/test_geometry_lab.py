"""The Geometry lab in a real browser, inside the course, as students and lecturers use it."""

import csv
import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from explorer.zoo import from_bytes
from tests.browser.conftest import SERVERS
from tests.browser.serving import serving
from tests.browser.waiting import MOVING, settle

LAB = "geometry_lab"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
Lab = Callable[..., Locator]
LONG = 90_000  # milliseconds: a worker starts, on a machine that others use too


@pytest.fixture
def lab(browser_page: Page, serve: Callable[..., str]) -> Lab:
    """`lab(query)` opens the page and is the player's root element."""

    def opened(query: str = "") -> Locator:
        return open_lab(browser_page, serve("Home.py"), query)

    return opened


@pytest.fixture(autouse=True)
def _no_console_errors(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test may leave an error in the console; a request that failed is the network's, not ours."""
    if "browser_page" not in request.fixturenames:
        yield
        return
    errors: list[str] = []
    page: Page = request.getfixturevalue("browser_page")
    page.context.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield
    assert not [text for text in errors if not text.startswith("Failed to load resource")]


def open_lab(page: Page, url: str, query: str = "") -> Locator:
    page.goto(f"{url}/{LAB}?{query}")
    return settled(page)


def settled(page: Page) -> Locator:
    """The player, when the page has drawn itself to the end."""
    root = page.locator(".player")
    expect(root).to_have_attribute("data-position", re.compile(r"\d"), timeout=LONG)
    expect(page.get_by_text("every model runs on this machine")).to_be_visible(timeout=LONG)
    return root


def title(root: Locator, stage: int = 0) -> str:
    return root.locator(".player-title").nth(stage).inner_text()


def button(page: Page, name: str) -> Locator:
    """Of the page itself: while a script runs, the app's header has a Stop of its own."""
    return page.get_by_test_id("stMain").get_by_role("button", name=name, exact=True)


def metric(page: Page, label: str = "Distance to fresh data") -> float:
    text = page.get_by_test_id("stMetric").filter(has_text=label).first.get_by_test_id("stMetricValue").inner_text()
    return float(text)


def train(page: Page, name: str = "Train") -> None:
    button(page, name).click()
    expect(button(page, name.replace("Train", "Stop"))).to_be_visible(timeout=LONG)


def done(page: Page) -> None:
    expect(page.get_by_text("Training history")).to_be_visible(timeout=LONG)


def canvas_is_painted(root: Locator) -> bool:
    script = """canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        .some((value, index) => index % 4 === 3 && value)"""
    return bool(root.locator("canvas").first.evaluate(script))


def overflow(page: Page) -> int:
    """CSS pixels that the page is wider than the window."""
    script = """() => Math.max(...[document.documentElement, ...document.querySelectorAll("[data-testid=stMain]")]
        .map(element => element.scrollWidth - element.clientWidth))"""
    return int(page.evaluate(script))


def test_a_link_to_the_lab_as_a_servers_first_request_opens_it_inside_the_course(browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serving("Home.py") as server:
        root = open_lab(page, server.url, "geo_data=Swiss+roll&geo_steps=7")
        for name in ("Welcome", "Core concepts", "Geometry lab"):
            expect(page.get_by_test_id("stSidebarNav").get_by_role("link", name=name)).to_be_visible()
        assert "7 steps" in title(root)
        assert page.url.endswith(f"/{LAB}?geo_data=Swiss+roll&geo_steps=7")
        assert not server.errors()
    context.close()


def test_the_journey_train_replay_take_away_and_load_back(lab: Lab, browser_page: Page, tmp_path: Path) -> None:
    page = browser_page
    root = lab("geo_data=Moons&geo_objective=v&geo_seconds=3&geo_points=400")
    expect(root).to_contain_text("No network is trained for these settings yet")
    train(page)
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile(r"Step [\d,]+, loss"))).to_be_visible(timeout=LONG)
    done(page)
    expect(page.get_by_role("progressbar")).to_have_count(0)
    expect(root).not_to_contain_text("No network is trained")
    for chart in page.get_by_test_id("stVegaLiteChart").all():
        drawn, place = chart.locator("canvas, svg").first.bounding_box(), chart.bounding_box()
        assert drawn
        assert place
        assert 200 < drawn["width"] <= place["width"]

    newest = metric(page)
    history = page.get_by_role("slider", name="Training history")
    history.focus()
    history.press("Home")
    expect(page.get_by_test_id("stMetricValue").first).not_to_have_text(f"{newest:.3f}", timeout=LONG)
    assert metric(page) > 1.5 * newest
    history.press("End")
    expect(page.get_by_test_id("stMetricValue").first).to_have_text(f"{newest:.3f}", timeout=LONG)

    page.get_by_text("Take it away").click()
    with page.expect_download() as waiting:
        button(page, "Weights as safetensors").click()
    weights = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(weights)
    denoiser, about = from_bytes(weights.read_bytes())
    assert (denoiser.prediction, about["distribution"]) == ("v", "moons")
    with page.expect_download() as waiting:
        button(page, "Paths as CSV").click()
    with waiting.value.path().open() as file:
        assert len(list(csv.DictReader(file))) == 13 * 400

    button(page, "Reset").click()
    expect(root).to_contain_text("No network is trained", timeout=LONG)
    page.get_by_text("Load weights").click()
    upload = page.get_by_test_id("stFileUploaderDropzoneInput")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(weights.read_bytes()[:500])
    upload.set_input_files(broken)
    expect(page.get_by_text("This is not a file of weights from this app")).to_be_visible(timeout=LONG)
    expect(root).to_contain_text("No network is trained")
    upload.set_input_files(weights)
    expect(root).not_to_contain_text("No network is trained", timeout=LONG)
    expect(page.get_by_text("This is not a file of weights")).to_have_count(0)
    assert metric(page) == newest


def test_a_reload_another_page_and_a_second_tab_find_the_running_job(lab: Lab, browser_page: Page) -> None:
    page = browser_page
    lab("geo_data=Grid&geo_objective=v&geo_seconds=30&geo_points=200")
    train(page)
    expect(page.get_by_text(re.compile(r"Step [\d,]+, loss"))).to_be_visible(timeout=LONG)

    page.reload()
    settled(page)
    expect(button(page, "Stop")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_be_visible()

    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Welcome").click()
    expect(page.get_by_role("heading", name="This machine")).to_be_visible(timeout=LONG)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Geometry lab").click()
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=LONG)
    expect(page.get_by_label("Distribution")).to_have_value("Grid")

    second = page.context.new_page()
    second.goto(page.url)
    settled(second)
    button(second, "Stop").click()
    expect(button(second, "Resume")).to_be_visible(timeout=LONG)
    expect(button(page, "Resume")).to_be_visible(timeout=LONG)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_worker_gets_a_sentence(
    browser_page: Page, serve: Callable[..., str], pytestconfig: pytest.Config
) -> None:
    page = browser_page
    root = open_lab(page, serve("Home.py"), "geo_data=Spirals&geo_objective=v&geo_seconds=30&geo_points=200")
    train(page)
    expect(root).not_to_contain_text("No network is trained", timeout=LONG)
    server = pytestconfig.stash[SERVERS][("Home.py",)]
    for child in server.process.children(recursive=True):
        if "explorer.jobs.worker" in child.cmdline():
            child.send_signal(signal.SIGKILL)
    alert = page.get_by_role("alert").filter(has_text="The worker process was stopped from outside")
    expect(alert).to_be_visible(timeout=LONG)
    expect(root).not_to_contain_text("No network is trained")
    button(page, "Reset").click()
    expect(alert).to_have_count(0, timeout=LONG)
    assert psutil.pid_exists(server.process.pid)


@pytest.mark.parametrize("sampler", ["Heun", "DDPM"])
def test_a_click_on_the_stage_starts_a_particle(lab: Lab, browser_page: Page, sampler: str) -> None:
    root = lab(f"geo_sampler={sampler}&geo_points=200&geo_steps=10")
    canvas = root.locator("canvas")
    before = canvas.evaluate("canvas => canvas.toDataURL()")
    box = canvas.bounding_box()
    assert box
    canvas.click(position={"x": box["width"] * 0.7, "y": box["height"] * 0.4})
    clear = button(browser_page, "Clear the started particle")
    expect(clear).to_be_visible(timeout=LONG)
    root.locator("input[type=range]").evaluate("(e) => { e.value = 10; e.dispatchEvent(new Event('input')); }")
    expect(root).to_have_attribute("data-position", "10.000")
    assert canvas.evaluate("canvas => canvas.toDataURL()") != before
    clear.click()
    expect(clear).to_have_count(0, timeout=LONG)


def test_every_layer_can_be_shown(lab: Lab) -> None:
    root = lab("geo_points=200")
    for name in ("Density", "Mesh", "Paths", "Velocity", "Score", "Guess of x₀"):
        chip = root.get_by_role("button", name=name)
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "true")
    assert canvas_is_painted(root)


def test_a_drawing_is_trained(lab: Lab, browser_page: Page) -> None:
    page = browser_page
    page.goto(page.url)
    lab("geo_data=Moons&geo_seconds=1&geo_points=200")
    page.goto(page.url.replace("geo_data=Moons", "geo_data=Draw+your+own"))
    expect(page.get_by_text("Draw at least 50 points on the pad; there are 0.")).to_be_visible(timeout=LONG)
    expect(page.locator(".player")).to_have_count(0)
    pad = page.locator("canvas").first
    box = pad.bounding_box()
    assert box
    page.mouse.move(box["x"] + 80, box["y"] + 120)
    page.mouse.down()
    for k in range(30):
        page.mouse.move(box["x"] + 80 + 8 * k, box["y"] + 120 + 4 * k)
    page.mouse.up()
    root = settled(page)
    expect(page.get_by_text("Draw at least 50")).to_have_count(0)
    train(page)
    done(page)
    expect(root).not_to_contain_text("No network is trained")
    page.reload()
    expect(settled(page)).not_to_contain_text("No network is trained")


def test_a_link_opens_exactly_its_state_and_keeps_its_address(lab: Lab, browser_page: Page) -> None:
    query = (
        "geo_data=Pinwheel&geo_compare=true&geo_objective=Score&geo_schedule=EDM&geo_sampler=DDIM&geo_eta=0.5&geo_steps=9"
        "&geo_b_sampler=Annealed+Langevin&geo_b_steps=4&geo_b_exact=true&geo_b_examples=3&geo_points=300&geo_seed=5"
    )
    root = lab(query)
    assert [title(root, stage) for stage in (0, 1)] == [
        "DDIM, 9 steps · exact · edm",  # nothing is trained for the score on EDM: the exact model answers
        "Annealed Langevin, 4 steps · exact · flow",
    ]
    expect(root.locator("canvas")).to_have_count(2)
    assert browser_page.url.endswith(f"?{query}")
    slider = browser_page.get_by_role("slider", name="Seed")
    expect(slider).to_have_value("5")
    slider.press("ArrowRight")
    expect(browser_page).to_have_url(re.compile("geo_seed=6"))


def test_a_link_with_nonsense_opens_the_defaults(lab: Lab, browser_page: Page) -> None:
    root = lab("geo_steps=1e400&geo_sampler=%00&geo_points=-1&geo_rate=inf&geo_data=%F0%9F%98%80&geo_seed=&geo_seed=3")
    assert title(root) == "Heun, 12 steps · velocity · flow"
    expect(browser_page.get_by_role("alert")).to_have_count(0)


def focus_by_tab(page: Page, wanted: Locator, presses: int = 60) -> None:
    for _ in range(presses):
        if wanted.evaluate("element => element.getRootNode().activeElement === element"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_it_works_by_keyboard_alone(lab: Lab, browser_page: Page) -> None:
    page = browser_page
    root = lab("geo_data=Moons&geo_schedule=Linear&geo_seconds=3&geo_points=200")
    focus_by_tab(page, button(page, "Train"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=LONG)
    done(page)
    canvas = root.locator("canvas").first
    focus_by_tab(page, canvas)
    expect(root).to_have_attribute("data-playing", "true")
    page.keyboard.press("Space")
    expect(root).to_have_attribute("data-playing", "false")
    page.keyboard.press("Home")
    expect(root).to_have_attribute("data-position", "0.000")
    page.keyboard.press("ArrowRight")
    expect(root).to_have_attribute("data-position", "1.000")


@pytest.mark.parametrize(
    ("browser_page", "query"),
    [(PHONE, "geo_points=300"), (PHONE | {"color_scheme": "dark"}, "geo_compare=true&geo_points=300")],
    indirect=["browser_page"],
    ids=["one stage, light", "two stages, dark"],
)
def test_a_phone_shows_it_without_sideways_scrolling(lab: Lab, browser_page: Page, query: str) -> None:
    root = lab(query)
    settle(browser_page)
    assert overflow(browser_page) == 0
    for canvas in root.locator("canvas").all():
        box = canvas.bounding_box()
        assert box
        assert 300 < box["width"] <= 390
    first = root.locator("canvas").first.bounding_box()
    train_box = button(browser_page, "Train").bounding_box()
    assert first
    assert train_box
    assert first["y"] + first["height"] < 844
    assert train_box["y"] < first["y"]


def test_a_phone_shows_the_pad_before_the_stage(browser: Browser, serve: Callable[..., str]) -> None:
    context = browser.new_context(**PHONE)
    page = context.new_page()
    page.goto(f"{serve('Home.py')}/{LAB}?geo_data=Draw+your+own")
    expect(page.get_by_text("The stage appears here")).to_be_visible(timeout=LONG)
    pad, place = page.locator("canvas").first.bounding_box(), page.get_by_text("The stage appears here").bounding_box()
    assert pad
    assert place
    assert pad["y"] + pad["height"] < 844
    assert pad["y"] < place["y"]
    assert overflow(page) == 0
    context.close()


@pytest.mark.parametrize("browser_page", [{"color_scheme": "dark"}], indirect=True)
def test_the_dark_theme_reaches_the_stage(lab: Lab, browser_page: Page) -> None:
    root = lab("geo_points=300")
    colours = browser_page.evaluate("() => getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert max(json.loads(f"[{colours.removeprefix('rgb(').removesuffix(')')}]")) < 40
    assert canvas_is_painted(root)
    ink = root.locator(".player-title").evaluate("element => getComputedStyle(element).color")
    assert min(json.loads(f"[{ink.removeprefix('rgb(').removesuffix(')')}]")) > 150


def test_the_stage_the_controls_and_train_are_above_the_fold_on_a_projector(lab: Lab, browser_page: Page) -> None:
    root = lab()
    bottoms = [root.locator("canvas"), button(browser_page, "Train"), root.locator("input[type=range]")]
    for part in bottoms:
        box = part.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 800
