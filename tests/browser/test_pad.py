"""The drawing pads: by mouse, touch and keyboard; what Python receives is what was drawn."""

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.waiting import wait_until

APP = "tests/browser/pad_app.py"
EXTENT = 3.2
TOUCH = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

Where = tuple[float, float]  # fractions of the pad, from its top left corner


def opened(page: Page, url: str, kind: str) -> Locator:
    page.goto(url)
    pad = page.locator(f".pad-{kind}")
    expect(pad.locator(".pad-paper canvas")).to_be_visible(timeout=30_000)
    pad.locator(".pad-paper canvas").scroll_into_view_if_needed()
    return pad


def received(page: Page, kind: str, accept: Callable[[np.ndarray | None], bool]) -> Any:
    """What Python received, once `accept` likes it: an array or None."""
    value: Any = "nothing"
    for _ in range(100):
        text = page.locator("#received").text_content()
        value = json.loads(text)[kind] if text else "nothing"
        value = np.array(value) if isinstance(value, list) else value
        if not isinstance(value, str) and accept(value):
            return value
        page.wait_for_timeout(100)
    raise AssertionError(f"Python never received it; it has {value}")


def stroke(page: Page, pad: Locator, *places: Where) -> None:
    canvas = pad.locator(".pad-paper canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    steps = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in places]
    page.mouse.move(*steps[0])
    page.mouse.down()
    for step in steps[1:]:
        page.mouse.move(*step, steps=8)
    page.mouse.up()


def count(pad: Locator) -> int:
    return int(re.sub(r"\D", "", pad.locator(".pad-count").inner_text()))


def ink(pad: Locator, canvas: str) -> np.ndarray:
    """Red values of a canvas, (height, width)."""
    read = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const reds = data.filter((_, index) => index % 4 === 0);
        return [canvas.height, Array.from(reds, (red) => String.fromCharCode(red)).join("")];
    }"""
    height, reds = pad.locator(canvas).evaluate(read)
    return np.frombuffer(reds.encode("latin-1"), np.uint8).reshape(height, -1)


def test_a_stroke_is_drawn_where_a_browser_does_not_tell_the_moves_between(
    browser_page: Page, serve: Callable[..., str]
) -> None:
    browser_page.add_init_script("delete PointerEvent.prototype.getCoalescedEvents")
    pad = opened(browser_page, serve(APP), "points")
    stroke(browser_page, pad, (0.25, 0.25), (0.75, 0.25))
    points = received(browser_page, "points", lambda points: points is not None)
    assert np.ptp(points[:, 0]) > 0.4 * 2 * EXTENT


def test_a_stroke_sprays_points_along_itself(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP), "points")
    expect(pad.locator(".pad-hint")).to_be_visible()
    stroke(browser_page, pad, (0.25, 0.25), (0.75, 0.25))
    points = received(browser_page, "points", lambda points: points is not None)
    assert len(points) == count(pad) >= 100
    radius = 0.04 * 2 * EXTENT
    assert np.abs(points[:, 1] - EXTENT / 2).max() <= radius + 0.02  # v = 0.25 is y = extent / 2: y is upwards
    assert np.abs(points[:, 0]).max() <= EXTENT / 2 + radius + 0.02
    assert np.histogram(points[:, 0], bins=5, range=(-1.6, 1.6))[0].min() > len(points) / 20
    expect(pad.locator(".pad-hint")).to_be_hidden()


def test_a_larger_brush_sprays_wider_and_holding_still_sprays_on(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP), "points")
    pad.locator("input").fill("0.15")
    box = pad.locator("canvas").bounding_box()
    assert box
    browser_page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    browser_page.mouse.down()
    wait_until(browser_page, lambda: count(pad))
    early = count(pad)
    wait_until(browser_page, lambda: count(pad) > 10 * early)
    browser_page.mouse.up()
    points = received(browser_page, "points", lambda points: points is not None)
    distances = np.hypot(*points.T)
    assert 0.8 < distances.max() <= 0.15 * 2 * EXTENT + 0.02


def test_eraser_undo_redo_clear(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP), "points")
    expect(pad.get_by_role("button", name="Undo")).to_be_disabled()
    stroke(browser_page, pad, (0.2, 0.5), (0.8, 0.5))
    drawn = received(browser_page, "points", lambda points: points is not None)
    pad.get_by_role("button", name="Eraser").click()
    pad.locator("input").fill("0.1")
    stroke(browser_page, pad, (0.8, 0.5), (0.5, 0.5))
    left = received(browser_page, "points", lambda points: points is not None and len(points) < len(drawn))
    away = np.hypot(np.minimum(drawn[:, 0], 0), drawn[:, 1])  # the eraser went from the right to the middle
    outside, rim = away > 0.1 * 2 * EXTENT, np.abs(away - 0.1 * 2 * EXTENT) < 0.02
    sure = {tuple(point) for point in drawn[outside & ~rim]}
    assert sure <= {tuple(point) for point in left} <= sure | {tuple(point) for point in drawn[rim]}
    pad.get_by_role("button", name="Undo").click()
    undone = received(browser_page, "points", lambda points: points is not None and len(points) == len(drawn))
    np.testing.assert_array_equal(undone, drawn)
    pad.get_by_role("button", name="Redo").click()
    received(browser_page, "points", lambda points: points is not None and len(points) == len(left))
    pad.get_by_role("button", name="Clear").click()
    received(browser_page, "points", lambda points: points is None)
    pad.locator("canvas").focus()
    browser_page.keyboard.press("Control+z")
    again = received(browser_page, "points", lambda points: points is not None)
    np.testing.assert_array_equal(again, left)


def test_one_message_a_stroke(browser_page: Page, serve: Callable[..., str]) -> None:
    sent: list[object] = []
    browser_page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    pad = opened(browser_page, serve(APP), "points")
    browser_page.wait_for_timeout(500)
    before = len(sent)
    stroke(browser_page, pad, (0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    received(browser_page, "points", lambda points: points is not None)
    assert len(sent) == before + 1


def test_a_drawing_survives_reruns_and_leaving_the_page(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP), "points")
    stroke(browser_page, pad, (0.3, 0.3), (0.7, 0.7))
    stroke(browser_page, browser_page.locator(".pad-image"), (0.3, 0.3), (0.7, 0.7))
    image = received(browser_page, "image", lambda image: image is not None)
    points = received(browser_page, "points", lambda points: points is not None)
    browser_page.get_by_role("button", name="Rerun").click()
    expect(pad.get_by_role("button", name="Undo")).to_be_enabled()
    assert count(pad) == len(points)
    browser_page.get_by_text("Elsewhere").click()
    expect(pad).to_have_count(0)
    browser_page.get_by_text("Pads").click()
    expect(pad).to_be_visible()
    assert count(pad) == len(points)
    np.testing.assert_array_equal(received(browser_page, "points", lambda _: True), points)
    np.testing.assert_array_equal(received(browser_page, "image", lambda _: True), image)
    seen = ink(browser_page.locator(".pad-image"), ".pad-preview")
    np.testing.assert_allclose(seen, (image + 1) * 127.5, atol=0.01)


def test_initial_points_are_shown_until_cleared(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP, "100"), "points")
    points = received(browser_page, "points", lambda points: points is not None)
    assert len(points) == count(pad) == 100
    np.testing.assert_allclose(np.hypot(*points.T), 2, atol=1e-3)
    pad.get_by_role("button", name="Clear").click()
    received(browser_page, "points", lambda points: points is None)
    browser_page.get_by_role("button", name="Rerun").click()
    browser_page.wait_for_timeout(500)
    assert count(pad) == 0


def test_a_full_pad_takes_no_more(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP, "20000"), "points")
    assert count(pad) == 20_000
    stroke(browser_page, pad, (0.4, 0.5), (0.6, 0.5))
    expect(pad.get_by_role("button", name="Undo")).to_be_enabled()
    assert count(pad) == 20_000


def test_keyboard(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP), "points")
    canvas = pad.locator("canvas")
    canvas.focus()
    for _ in range(3):
        browser_page.keyboard.press("Shift+ArrowRight")
    browser_page.keyboard.press("ArrowUp")
    browser_page.keyboard.down(" ")
    wait_until(browser_page, lambda: count(pad) > 50)
    browser_page.keyboard.up(" ")
    points = received(browser_page, "points", lambda points: points is not None)
    assert np.hypot(*(points.mean(0) - [0.3 * 2 * EXTENT, 0.02 * 2 * EXTENT])) < 0.15
    browser_page.keyboard.press("e")
    expect(pad.get_by_role("button", name="Eraser")).to_have_attribute("aria-pressed", "true")
    browser_page.keyboard.press(" ")
    received(browser_page, "points", lambda points: points is None)


@pytest.mark.parametrize("browser_page", [TOUCH], indirect=True)
def test_touch_draws_without_scrolling(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP), "image")
    box = pad.locator(".pad-paper canvas").bounding_box()
    assert box
    devtools = browser_page.context.new_cdp_session(browser_page)

    def touch(kind: str, *places: Where) -> None:
        points = [{"x": box["x"] + u * box["width"], "y": box["y"] + v * box["height"]} for u, v in places]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (0.5, 0.1))
    for v in np.linspace(0.1, 0.9, 12):
        touch("touchMove", (0.5, v))
    touch("touchEnd")
    image = received(browser_page, "image", lambda image: image is not None)
    assert (image[4:24, 13:15] > 0.9).all()
    assert (image[:, :10] == -1).all()
    after = pad.locator(".pad-paper canvas").bounding_box()
    assert after
    assert abs(after["y"] - box["y"]) < 1
    assert browser_page.evaluate("document.documentElement.scrollWidth") == 390


def test_an_image_is_the_area_average_of_what_is_drawn(browser_page: Page, serve: Callable[..., str]) -> None:
    pad = opened(browser_page, serve(APP), "image")
    stroke(browser_page, pad, (0.3, 0.2), (0.7, 0.2), (0.4, 0.9))
    image = received(browser_page, "image", lambda image: image is not None)
    painted = ink(pad, ".pad-paper canvas")
    assert painted.shape == (280, 280)
    means = painted.reshape(28, 10, 28, 10).mean((1, 3))
    np.testing.assert_allclose((image + 1) * 127.5, means, atol=0.51)
    np.testing.assert_allclose(ink(pad, ".pad-preview"), (image + 1) * 127.5, atol=0.01)
    assert image.shape == (28, 28)
    assert image.max() == 1
    assert image[0, 0] == -1
    assert ((image > -0.9) & (image < 0.9)).sum() > 20  # soft edges
    pad.get_by_role("button", name="Eraser").click()
    stroke(browser_page, pad, (0.3, 0.2), (0.7, 0.2))
    erased = received(browser_page, "image", lambda other: other is not None and other.sum() < image.sum())
    assert erased[5, 10:18].max() == -1
    pad.get_by_role("button", name="Undo").click()
    received(browser_page, "image", lambda other: other is not None and np.array_equal(other, image))
    pad.get_by_role("button", name="Clear").click()
    received(browser_page, "image", lambda other: other is None)
