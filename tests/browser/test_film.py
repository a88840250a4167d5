"""The forward process and the image films: one clock, in the browser, in agreement with the arrays."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from explorer.ui.components import FOLDER
from explorer.ui.film import GREY_LIMIT, to_grey
from tests.browser.film_data import SCHEDULES, colours, digit, noise
from tests.browser.saving import saved
from tests.browser.waiting import MOVING, wait_until

MINUS = "\N{MINUS SIGN}"
APP = "tests/browser/film_app.py"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

Serve = Callable[..., str]


def opened(page: Page, url: str, kind: str) -> Locator:
    page.goto(url)
    root = page.locator(f".{kind}.themed")
    expect(root).to_be_visible(timeout=30_000)
    expect(root).to_have_attribute("data-position", re.compile(r"\d"))
    return root


def pixels(canvas: Locator) -> np.ndarray:
    """Grey values of a canvas, (height, width)."""
    read = "c => [c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    height, *values = canvas.evaluate(read)
    rgba = np.array(values, dtype=np.uint8).reshape(height, -1, 4)
    assert (rgba[..., 0] == rgba[..., 1]).all()
    assert (rgba[..., 3] == 255).all()
    return rgba[..., 0]


def seek(root: Locator, position: float) -> None:
    slider = root.get_by_role("slider")
    slider.evaluate("(s, to) => { s.value = to; s.dispatchEvent(new Event('input')); }", position)
    expect(root).to_have_attribute("data-position", f"{position:.3f}")


def number(root: Locator, name: str) -> float:
    return float(root.locator(f'[data-number="{name}"]').inner_text().replace(MINUS, "-"))


def sent_messages(page: Page) -> list[object]:
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    return sent


@pytest.mark.parametrize("name", ["cosine", "flow"])
def test_image_numbers_and_markers_agree_with_the_arrays(browser_page: Page, serve: Serve, name: str) -> None:
    root = opened(browser_page, serve(APP, "--still"), "noising")
    if name != "cosine":
        browser_page.get_by_role("combobox", name="Schedule").click()
        browser_page.get_by_role("option", name=name).click()
        expect(root.locator("path.chosen title").first).to_have_text(name)
    schedule = SCHEDULES[name]
    epsilon = np.random.default_rng(0).standard_normal((8, 8))
    for position in (0, 20, 55, 98):
        seek(root, position)
        t, alpha, sigma, log_snr = (schedule[row][position] for row in ("t", "alpha", "sigma", "log_snr"))
        power = alpha**2 + sigma**2
        assert number(root, "t") == pytest.approx(t, abs=6e-4)
        assert number(root, "signal") == pytest.approx(alpha**2 / power, abs=6e-5)
        assert number(root, "sigma") == pytest.approx(sigma, abs=6e-5)
        assert number(root, "log-snr") == pytest.approx(log_snr, abs=6e-3)
        x = (alpha * digit() + sigma * epsilon) / np.sqrt(power)
        np.testing.assert_allclose(pixels(root.locator("canvas")), to_grey(x).astype(float), atol=1)
        for curve, value in {"signal": alpha**2 / power, "noise": sigma / np.sqrt(power)}.items():
            assert marked(root, curve) == pytest.approx([t, value], abs=2e-3)


def marked(root: Locator, curve: str) -> list[float]:
    """Where the marker of a curve stands, in the units of the axes, by the grid lines of y = 0 and y = 1."""
    svg = root.locator(f'[data-curve="{curve}"]')
    zero, _, one = (
        [float(part) for part in re.findall(r"[\d.]+", path.get_attribute("d") or "")]
        for path in svg.locator("path.grid").all()
    )
    x, y = (float(part) for part in re.findall(r"-?[\d.]+", svg.locator("circle").get_attribute("transform") or ""))
    return [(x - zero[0]) / (zero[2] - zero[0]), (zero[1] - y) / (zero[1] - one[1])]


def test_histogram_is_of_the_pixels(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "noising")
    seek(root, 0)
    path = root.locator("path.bars").get_attribute("d") or ""
    tops = np.array([[float(part) for part in re.findall(r"[\d.]+", bar)] for bar in path.split("Z")[:-1]])
    heights = tops[:, 1] - tops[:, 2]
    assert len(heights) == 33
    assert sorted(np.argsort(heights)[-2:]) == [12, 20]  # the bins around -1 and +1
    assert np.count_nonzero(heights > 1e-6) == 2
    white = (digit() > 0).mean() / 0.25
    assert heights[20] / heights[12] == pytest.approx(white, rel=1e-2)  # the bar at -1 is cut at a density of 1
    black = (digit() < 0).mean() / 0.25
    expect(root.locator("path.bars + text")).to_have_text(f"{black:.1f}")


def test_scrubbing_the_slider_and_the_curves_asks_the_server_nothing(browser_page: Page, serve: Serve) -> None:
    sent = sent_messages(browser_page)
    root = opened(browser_page, serve(APP, "--still"), "noising")
    browser_page.wait_for_timeout(500)
    before = len(sent)
    canvas = root.locator("canvas")
    first = pixels(canvas)
    seek(root, 90)
    assert (pixels(canvas) != first).any()
    svg = root.locator('[data-curve="log-snr"]')
    svg.scroll_into_view_if_needed()
    box = svg.bounding_box()
    assert box
    across = box["width"] - 36  # the axis runs from 28 to 8 before the end
    browser_page.mouse.move(box["x"] + 28 + 0.25 * across, box["y"] + 60)
    browser_page.mouse.down()
    wait_until(browser_page, lambda: number(root, "t") == pytest.approx(0.25, abs=0.01))
    browser_page.mouse.move(box["x"] + 28 + 0.75 * across, box["y"] + 60, steps=5)
    wait_until(browser_page, lambda: number(root, "t") == pytest.approx(0.75, abs=0.01))
    browser_page.mouse.up()
    browser_page.mouse.move(box["x"] + 28, box["y"] + 60)
    browser_page.wait_for_timeout(100)
    assert number(root, "t") == pytest.approx(0.75, abs=0.01)
    assert len(sent) == before


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_both_play_by_themselves_and_keys_work(browser_page: Page, serve: Serve) -> None:
    for kind in ("noising", "film"):
        root = opened(browser_page, serve(APP), kind)
        root.scroll_into_view_if_needed()
        expect(root).to_have_attribute("data-playing", "true")
        canvas = (
            root.locator("canvas").first if kind == "noising" else root.locator("button:not([hidden]) canvas").first
        )
        first = pixels(canvas)
        wait_until(browser_page, lambda canvas=canvas, first=first: (pixels(canvas) != first).any())
        root.focus()
        browser_page.keyboard.press("Space")
        expect(root).to_have_attribute("data-playing", "false")
        browser_page.keyboard.press("Home")
        expect(root).to_have_attribute("data-position", "0.000")
        browser_page.keyboard.press("ArrowRight")
        expect(root).to_have_attribute("data-position", "1.000")


def test_less_motion_for_those_who_ask(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP), "noising")
    expect(root).to_have_attribute("data-playing", "false")
    assert number(root, "t") < 0.05  # still, it opens on the image
    film = browser_page.locator(".film.themed")
    expect(film).to_have_attribute("data-playing", "false")
    expect(film).to_have_attribute("data-frame", "30")


def test_film_shows_the_frames_and_captions_of_the_clock(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    strips = root.locator(".film-strip")
    for frame in (0, 15, 30):
        seek(root, frame)
        share = frame / 30
        expect(strips.nth(0).locator(".film-caption")).to_have_text(f"noise {1 - share:.2f}")
        for index in (0, 15):
            canvas = strips.nth(0).locator("button:not(.film-large) canvas").nth(index)
            x = share * digit() + (1 - share) * noise(16)[index]
            np.testing.assert_allclose(pixels(canvas), to_grey(x).astype(float), atol=1)
        guess = digit() * np.sqrt(min(frame, 29) / 30)  # one frame shorter: it rests on its last
        canvas = strips.nth(1).locator("button:not(.film-large) canvas").nth(3)
        np.testing.assert_allclose(pixels(canvas), to_grey(guess).astype(float), atol=1)


def test_a_film_may_have_colours(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--coloured"), "film")
    read = "c => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    canvases = root.locator("button:not(.film-large) canvas")
    for frame, values in enumerate(colours()):
        seek(root, frame)
        for index in (0, 3):
            found = np.array(canvases.nth(index).evaluate(read)).reshape(6, 6, 4)
            np.testing.assert_allclose(found[..., :3], 127.5 * (values[index].clip(-1, 1) + 1), atol=0.51)
            assert (found[..., 3] == 255).all()
    expect(root.locator(".film-scale")).to_contain_text(f"Colours from {MINUS}1 (dark) to +1 (bright)")
    seek(root, 0)
    canvases.nth(2).click()
    large = np.array(root.locator(".film-large canvas").evaluate(read)).reshape(6, 6, 4)
    np.testing.assert_allclose(large[..., :3], 127.5 * (colours()[0, 2].clip(-1, 1) + 1), atol=0.51)


def test_an_image_is_enlarged_in_every_strip(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    seek(root, 10)
    small = root.locator(".film-strip").nth(0).locator("button:not(.film-large)").nth(6)
    small.scroll_into_view_if_needed()
    before = root.bounding_box()
    shown = pixels(small.locator("canvas"))
    small.click()
    large = root.locator(".film-large canvas")
    expect(large.nth(0)).to_be_visible()
    expect(large.nth(1)).to_be_visible()
    np.testing.assert_array_equal(pixels(large.nth(0)), shown)
    browser_page.keyboard.press("ArrowRight")
    expect(root).to_have_attribute("data-frame", "11")
    assert (pixels(large.nth(0)) != shown).any()
    assert root.bounding_box() == before
    browser_page.keyboard.press("Escape")
    expect(large.nth(0)).to_be_hidden()
    expect(small).to_be_focused()


def test_new_data_keeps_the_position(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    seek(root, 12)
    browser_page.get_by_role("slider", name="Images Images").press("ArrowLeft")
    expect(root.locator(".film-strip").first.locator("button:not(.film-large)")).to_have_count(4)
    expect(root).to_have_attribute("data-position", "12.000")
    share = 12 / 30
    expected = share * digit() + (1 - share) * noise(4)[2]
    canvas = root.locator("button:not(.film-large) canvas").nth(2)
    np.testing.assert_allclose(pixels(canvas), to_grey(expected).astype(float), atol=1)


FILM = "images-from-noise-to-data"


def test_a_film_is_saved_as_a_picture_and_as_an_animation(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    seek(root, 30)
    with Image.open(saved(root, "PNG", FILM).path()) as picture:
        shown = np.asarray(picture.convert("L")).astype(float)
    side, margin = 1000, 40
    assert shown.shape[1] == pytest.approx(2 * (side + margin) + margin, abs=2)
    last = to_grey(digit()).astype(float)  # the film ends with it, sixteen times in a square under a line of text
    step = side / 4
    corner = margin, shown.shape[0] - margin - side
    centres = (np.arange(8) + 0.5) * step / 8
    found = shown[np.ix_((corner[1] + centres).astype(int), (corner[0] + centres).astype(int))]
    np.testing.assert_allclose(found, last, atol=2)
    with Image.open(saved(root, "GIF", FILM).path()) as film:
        assert film.n_frames == 31
        assert film.info["loop"] == 0
        film.seek(30)
        assert film.info["duration"] == 2000  # the result stays
        ending = np.asarray(film.convert("L")).astype(float)
    scale = ending.shape[0] / shown.shape[0]
    found = ending[np.ix_((scale * (corner[1] + centres)).astype(int), (scale * (corner[0] + centres)).astype(int))]
    np.testing.assert_allclose(found, last, atol=8)


def test_an_enlarged_image_is_saved_alone_or_in_all_panels(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    seek(root, 10)
    root.locator(".film-strip").nth(1).locator("button:not(.film-large)").nth(6).click()
    what = root.get_by_label("What to save")
    expect(what).to_have_value("1")
    with Image.open(saved(root, "PNG", f"what-the-model-guesses-image-7-{FILM}").path()) as picture:
        shown = np.asarray(picture.convert("L")).astype(float)
    assert shown.shape[1] == pytest.approx(1000 + 2 * 40, abs=2)
    centres = (np.arange(8) + 0.5) * 1000 / 8
    found = shown[np.ix_((shown.shape[0] - 1040 + centres).astype(int), (40 + centres).astype(int))]
    np.testing.assert_allclose(found, to_grey(digit() * np.sqrt(10 / 30)).astype(float), atol=2)
    what.select_option("everything")
    with Image.open(saved(root, "PNG", f"image-7-{FILM}").path()) as picture:
        assert picture.width > 2000
    browser_page.keyboard.press("Escape")


def test_the_forward_process_is_saved_under_its_name(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "noising")
    seek(root, 0)
    with Image.open(saved(root, "PNG", "noise-cosine").path()) as picture:
        shown = np.asarray(picture.convert("L")).astype(float)
    centres = (np.arange(8) + 0.5) * 1000 / 8
    found = shown[np.ix_((shown.shape[0] - 1040 + centres).astype(int), (40 + centres).astype(int))]
    np.testing.assert_allclose(found, pixels(root.locator("canvas")), atol=2)


def test_the_images_are_one_stop_with_arrow_keys(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    seek(root, 10)
    images = root.locator(".film-images > button:not(.film-large)")
    focused = """root => [...root.querySelectorAll(".film-images > button:not(.film-large)")]
        .indexOf(root.getRootNode().activeElement)"""
    images.first.focus()
    for key, expected in {"ArrowRight": 1, "ArrowDown": 5, "ArrowUp": 1, "ArrowLeft": 0}.items():
        browser_page.keyboard.press(key)
        assert root.evaluate(focused) == expected
    images.nth(15).focus()
    browser_page.keyboard.press("ArrowRight")
    assert root.evaluate(focused) == 16  # into the next strip
    expect(root).to_have_attribute("data-frame", "10")
    browser_page.keyboard.press("Tab")
    expect(root.get_by_role("button", name="Play")).to_be_focused()
    browser_page.keyboard.press("Shift+Tab")
    assert root.evaluate(focused) == 16
    browser_page.keyboard.press("Enter")
    expect(root.locator(".film-large").nth(1)).to_be_focused()
    browser_page.keyboard.press("Escape")
    assert root.evaluate(focused) == 16


@pytest.mark.parametrize("kind", ["noising", "film"])
def test_full_screen(browser_page: Page, serve: Serve, kind: str) -> None:
    root = opened(browser_page, serve(APP, "--still"), kind)
    root.focus()
    browser_page.keyboard.press("f")
    expect(root.get_by_role("button", name="Leave full screen")).to_be_visible()
    browser_page.wait_for_timeout(500)
    high = browser_page.evaluate("innerHeight")
    for part in (f".{kind}-transport", ".film-foot" if kind == "film" else ".noising-curves"):
        box = root.locator(part).bounding_box()
        assert box
        assert box["y"] + box["height"] <= high
    browser_page.keyboard.press("f")
    expect(root.get_by_role("button", name="Full screen", exact=True)).to_be_visible()


@pytest.mark.parametrize("width", [1920, 1280, 960, 700, 390])
def test_strips_stand_in_whole_rows(browser_page: Page, serve: Serve, width: int) -> None:
    browser_page.set_viewport_size({"width": width, "height": 800})
    root = opened(browser_page, serve("tests/browser/strips_app.py"), "film")
    browser_page.wait_for_timeout(300)
    boxes = [strip.bounding_box() for strip in root.locator(".film-strip").all()]
    rows = [sum(box is not None and box["y"] == y for box in boxes) for y in sorted({box["y"] for box in boxes if box})]
    assert rows in ([4], [2, 2], [1, 1, 1, 1])
    assert min(box["width"] for box in boxes if box) >= 160


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
def test_phone_has_no_sideways_scroll_and_large_targets(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    assert browser_page.evaluate("document.documentElement.scrollWidth") == 390
    box = root.locator(".transport-play").bounding_box()
    assert box
    assert box["height"] >= 40
    for chart in browser_page.locator(".noising-chart").all():
        box = chart.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_the_grey_scale_is_the_same_in_python_and_in_the_browser(browser_page: Page, serve: Serve) -> None:
    root = opened(browser_page, serve(APP, "--still"), "film")
    expect(root.locator(".film-scale")).to_contain_text(f"{MINUS}{GREY_LIMIT} (black) to +{GREY_LIMIT} (white)")


def test_a_call_that_a_later_one_overtook_does_not_end_the_view(browser_page: Page) -> None:
    module = (FOLDER / "mount.js").read_text()
    events = browser_page.evaluate(
        """async (source) => {
            const module = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
            const events = [];
            const view = {
                update: ({ data }) => events.push(`update ${data}`),
                destroy: () => events.push("destroy"),
            };
            const create = ({ data }) => (events.push(`create ${data}`), view);
            const parentElement = document.body;
            const first = module.mountView({ parentElement, data: 1 }, create);
            const second = module.mountView({ parentElement, data: 2 }, create);
            first();
            events.push("still there");
            second();
            module.mountView({ parentElement, data: 3 }, create);
            return events;
        }""",
        module,
    )
    assert events == ["create 1", "update 1", "update 2", "still there", "destroy", "create 3", "update 3"]
