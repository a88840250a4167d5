"""The Core concepts page in Chromium: it moves by itself, scrubs without the server, fits a phone."""

import io
import re
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, expect

import explorer as ex
from explorer.data.mnist import shipped_mnist
from explorer.ui.film import to_grey
from tests.browser.test_film import PHONE, number, pixels, seek, sent_messages
from tests.browser.waiting import MOVING, wait_until

PAGE = "pages/core_concepts.py"
Serve = Callable[..., str]


def opened(page: Page, url: str) -> tuple[Locator, Locator]:
    """The forward process and the film, both mounted."""
    page.goto(url)
    views = page.locator(".noising.themed"), page.locator(".film.themed")
    for view in views:
        expect(view).to_have_attribute("data-position", re.compile(r"\d"), timeout=60_000)
    expect(page.get_by_text("every model runs on this machine")).to_be_visible(timeout=60_000)
    return views


def start(digit: int, number: int) -> np.ndarray:
    """Greys of a real digit where the clock starts, with next to no noise."""
    image = shipped_mnist("held-out").images[20 * digit + number - 1, 0].numpy()
    noise = np.random.default_rng(0).standard_normal(image.shape)
    schedule = ex.make_schedule("cosine")  # whose variance is 1
    alpha, sigma = float(schedule.alpha(schedule.t_min)), float(schedule.sigma(schedule.t_min))
    return to_grey(alpha * image + sigma * noise)


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_it_moves_by_itself_and_scrubs_without_the_server(browser_page: Page, serve: Serve) -> None:
    sent, complaints = sent_messages(browser_page), []
    browser_page.on("console", lambda message: complaints.append(message) if message.type == "error" else None)
    noising, film = opened(browser_page, serve(PAGE))
    expect(noising).to_have_attribute("data-playing", "true")
    canvas = noising.locator("canvas")
    first = pixels(canvas)
    wait_until(browser_page, lambda: (pixels(canvas) != first).any())
    before = len(sent)
    seek(noising, 0)
    np.testing.assert_allclose(pixels(canvas), start(3, 1).astype(float), atol=1)
    seek(noising, 120)
    assert number(noising, "log-snr") == pytest.approx(-9, abs=0.01)
    film.scroll_into_view_if_needed()
    expect(film).to_have_attribute("data-playing", "true")
    expect(film).not_to_have_attribute("data-frame", film.get_attribute("data-frame") or "")
    assert len(sent) == before
    assert not [said.text for said in complaints if "Failed to load resource" not in said.text]


def test_the_first_screen_has_the_digit_its_words_and_the_play_bar(browser_page: Page, serve: Serve) -> None:
    noising, _ = opened(browser_page, serve(PAGE))
    np.testing.assert_allclose(pixels(noising.locator("canvas")).astype(float), start(3, 1).astype(float), atol=1)
    for seen in (
        browser_page.get_by_text("xₜ = α × image + σ × noise"),
        browser_page.locator(".term", has_text="log-SNR"),
        noising.locator("canvas"),
        noising.get_by_role("button", name="Play"),
    ):
        box = seen.bounding_box()
        assert box
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 800


@pytest.mark.parametrize("schedule", ["Linear", "Cosine", "Flow", "EDM"])
def test_every_curve_has_its_name_on_it(browser_page: Page, serve: Serve, schedule: str) -> None:
    noising, _ = opened(browser_page, f"{serve(PAGE)}?core_schedule={schedule}")
    for chart in noising.locator(".noising-curves svg").all():
        names = chart.locator("text.name")
        assert sorted(names.all_text_contents()) == ["cosine", "edm", "flow", "linear"]
        boxes: list[FloatRect] = []

        def placed(names: Locator = names, boxes: list[FloatRect] = boxes) -> bool:
            boxes[:] = filter(None, (name.bounding_box() for name in names.all()))
            return len(boxes) == 4

        wait_until(browser_page, placed)
        for a, b in combinations(boxes, 2):
            apart = abs(a["x"] - b["x"]) >= min(a["width"], b["width"]) or abs(a["y"] - b["y"]) >= a["height"] / 2
            assert apart, (a, b)


def test_the_walk_ends_on_the_scan_beside_it(browser_page: Page, serve: Serve) -> None:
    _, film = opened(browser_page, serve(PAGE))
    strips = film.locator(".film-strip")
    expect(strips).to_have_count(6)
    expect(film).to_have_attribute("data-frame", "10")
    ends, scans = (
        [pixels(canvas) for canvas in strips.nth(index).locator("button:not(.film-large) canvas").all()]
        for index in (0, 2)
    )
    assert len(ends) == len(scans) == 9
    np.testing.assert_array_equal(ends, scans)


def test_a_new_schedule_keeps_the_moment_and_stays_in_the_url(browser_page: Page, serve: Serve) -> None:
    noising, _ = opened(browser_page, serve(PAGE))
    seek(noising, 60)
    schedule = browser_page.get_by_role("combobox", name="Schedule").first
    schedule.focus()
    browser_page.keyboard.type("Flow")
    browser_page.keyboard.press("Enter")
    expect(noising.locator("path.chosen title").first).to_have_text("flow")
    expect(noising).to_have_attribute("data-position", "60.000")
    assert "core_schedule=Flow" in browser_page.url
    noising, _ = opened(browser_page, browser_page.url)
    expect(noising.locator("path.chosen title").first).to_have_text("flow")


def test_the_histograms_follow_the_time(browser_page: Page, serve: Serve) -> None:
    opened(browser_page, serve(PAGE))
    thumb = browser_page.get_by_role("slider", name="Time t")
    thumb.scroll_into_view_if_needed()
    theory = browser_page.get_by_role("row").filter(has_text="Theory")
    expect(browser_page.get_by_role("row")).to_have_count(4)
    before = theory.inner_text()
    thumb.focus()
    browser_page.keyboard.press("ArrowRight")
    expect(theory).not_to_have_text(before)
    chart = browser_page.get_by_test_id("stVegaLiteChart")
    expect(chart).to_have_attribute("aria-label", re.compile(r"at t = 0\.30"))
    expect(chart.locator("svg path[aria-roledescription], canvas").first).to_be_visible()


def test_a_drawing_is_noised_and_is_there_after_another_page(browser_page: Page, serve: Serve) -> None:
    home = serve("Home.py")
    noising, _ = opened(browser_page, f"{home}/core_concepts")
    browser_page.get_by_text("Draw", exact=True).click()
    pad = browser_page.locator(".pad-paper canvas")
    expect(browser_page.get_by_text("Draw a digit; until then")).to_be_visible()
    pad.hover()  # waits until the pad has its place
    box = pad.bounding_box()
    assert box
    browser_page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    browser_page.mouse.down()
    browser_page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=8)
    browser_page.mouse.up()
    expect(browser_page.get_by_text("Draw a digit; until then")).to_have_count(0)
    seek(noising, 0)
    drawn = pixels(noising.locator("canvas"))
    assert drawn[14, 13:15].min() > 200
    assert drawn[:, :8].max() < 60

    links = browser_page.get_by_test_id("stSidebarNav")
    links.get_by_text("Welcome").click()
    expect(browser_page.get_by_role("heading", level=1)).to_contain_text("Diffusion models")
    links.get_by_text("Core concepts").click()
    expect(browser_page.get_by_role("heading", level=1)).to_contain_text("Core concepts")
    expect(noising.locator("canvas")).to_have_attribute("width", "28")
    seek(noising, 0)
    np.testing.assert_array_equal(pixels(noising.locator("canvas")), drawn)


def test_an_upload_is_noised_and_a_bad_one_gets_a_sentence(browser_page: Page, serve: Serve) -> None:
    noising, _ = opened(browser_page, f"{serve(PAGE)}?core_source=Upload")
    chooser = browser_page.locator("input[type=file]")
    chooser.set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no image"})
    expect(browser_page.get_by_text("not an image that can be read here")).to_be_visible()
    np.testing.assert_allclose(pixels(noising.locator("canvas")).astype(float), start(3, 1).astype(float), atol=1)
    paper = np.full((40, 60), 255, np.uint8)
    paper[10:30, 28:32] = 0
    file = io.BytesIO()
    Image.fromarray(paper).save(file, "PNG")
    chooser.set_input_files({"name": "b.png", "mimeType": "image/png", "buffer": file.getvalue()})
    expect(browser_page.get_by_text("it is shown inverted")).to_be_visible()
    seek(noising, 0)
    assert pixels(noising.locator("canvas"))[14, 13:15].min() > 200


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
@pytest.mark.parametrize("query", ["", "?core_source=Draw", "?core_source=Upload"])
def test_a_phone_needs_no_sideways_scroll(browser_page: Page, serve: Serve, query: str) -> None:
    noising, _ = opened(browser_page, serve(PAGE) + query)
    main = browser_page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth") <= 390
    for part in (noising.locator("canvas"), browser_page.locator(".film-strip").first):
        box = part.bounding_box()
        assert box
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390


@pytest.mark.parametrize("browser_page", [{"color_scheme": "dark"}], indirect=True)
def test_dark(browser_page: Page, serve: Serve) -> None:
    for view in opened(browser_page, serve(PAGE)):
        expect(view).to_have_attribute("data-theme", "dark")
