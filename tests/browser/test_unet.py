"""The U-Net page in Chromium: the diagram lives without the server, by pointer, touch and keyboard."""

import re
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

import explorer as ex
from explorer.networks.structure import structure
from explorer.ui.film import to_grey
from explorer.ui.unet import MOST_MAPS
from tests.browser.test_film import PHONE, pixels, seek, sent_messages
from tests.browser.waiting import MOVING
from tests.pages.test_unet import scan

PAGE = "pages/unet.py"
DIGITS = "?unet_model=Digits+8+x+8"
MODEL = ex.load_pretrained("mnist-28")
PARTS = {part.name: part for part in structure(MODEL.network, MODEL.shape)}
STEM, MIDDLE = PARTS["stem"], PARTS["middle"]
Serve = Callable[..., str]


def opened(page: Page, url: str) -> Locator:
    page.goto(url)
    diagram = page.locator(".diagram.themed")
    expect(diagram).to_have_attribute("data-frame", re.compile(r"\d"), timeout=60_000)
    expect(page.get_by_text("every model runs on this machine")).to_be_visible(timeout=60_000)
    return diagram


def part(diagram: Locator, name: str) -> Locator:
    return diagram.locator(f'button[data-part="{name}"]')


def picture(canvas: Locator) -> str:
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_it_moves_by_itself_and_answers_without_the_server(browser_page: Page, serve: Serve) -> None:
    sent, complaints = sent_messages(browser_page), []
    browser_page.on("console", lambda message: complaints.append(message) if message.type == "error" else None)
    diagram = opened(browser_page, serve(PAGE))
    expect(diagram).to_have_attribute("data-playing", "true")
    frame = diagram.get_attribute("data-frame")
    expect(diagram).not_to_have_attribute("data-frame", str(frame))
    browser_page.wait_for_timeout(500)
    before = len(sent)
    seek(diagram, 4)
    thumbnail, image = part(diagram, "decoder 1").locator("canvas"), diagram.locator('[data-image="x"] canvas')
    early = picture(thumbnail), pixels(image)
    seek(diagram, 14)
    assert picture(thumbnail) != early[0]
    assert (pixels(image) != early[1]).any()

    about = diagram.locator(".diagram-about")
    part(diagram, "stem").hover()
    expect(about.get_by_role("heading")).to_have_text("Stem")
    top, bottom, left, right = STEM.field or ()
    seen = f"{right - left} × {bottom - top} of the image's 28 × 28 pixels"
    expect(about.locator('[data-fact="field"]')).to_have_text(seen)
    expect(about.locator('[data-fact="parameters"]')).to_contain_text(f"{STEM.parameters:,}")
    expect(diagram.locator(".diagram-maps")).to_contain_text("Encoder 1")
    part(diagram, "middle").click()
    maps = diagram.locator(".diagram-grid figure")
    expect(maps).to_have_count(min(MIDDLE.output_shape[0], MOST_MAPS))
    expect(maps.first.locator("figcaption")).to_have_text(re.compile(r"^−?[\d.]+ … −?[\d.]+$"))
    part(diagram, "embedding").click()
    expect(diagram.locator(".diagram-vector i")).to_have_attribute("style", "left: 85.2941%;")
    assert len(sent) == before
    assert not [said.text for said in complaints if "Failed to load resource" not in said.text]


def test_by_keyboard(browser_page: Page, serve: Serve) -> None:
    diagram = opened(browser_page, serve(PAGE) + DIGITS + "&unet_class=7")
    expect(diagram).to_have_attribute("data-frame", "8")
    image = pixels(diagram.locator('[data-image="image"] canvas'))
    np.testing.assert_array_equal(image, to_grey(scan(7, 0)[0]))
    part(diagram, "embedding").focus()
    names = []
    for _ in range(4):
        browser_page.keyboard.press("Tab")
        names.append(browser_page.evaluate("document.activeElement.shadowRoot?.activeElement.dataset.part"))
    assert names[:3] == ["stem", "encoder 1", "skip 1"]
    expect(diagram).to_have_attribute("data-about", names[3])
    browser_page.keyboard.press("Enter")
    expect(part(diagram, names[3])).to_have_attribute("aria-pressed", "true")
    expect(part(diagram, "encoder 1")).to_have_attribute("aria-pressed", "false")
    browser_page.keyboard.press("ArrowRight")
    expect(diagram).to_have_attribute("data-frame", "9")
    expect(diagram.locator(".diagram-maps h3")).to_contain_text(names[3].capitalize())


def test_a_cut_shows_in_the_diagram_and_keeps_what_is_selected(browser_page: Page, serve: Serve) -> None:
    diagram = opened(browser_page, serve(PAGE) + DIGITS)
    part(diagram, "decoder 1").click()
    guess = diagram.locator('[data-image="x0"] canvas')
    before = pixels(guess)
    expect(diagram.locator('[data-image="whole"]')).to_be_hidden()
    slider = browser_page.get_by_role("slider", name="Skip 1")
    slider.focus()
    browser_page.keyboard.press("Home")
    expect(part(diagram, "skip 1")).to_have_text("cut")
    uncut = diagram.locator('[data-image="whole"] canvas')
    expect(uncut).to_be_visible()
    expect(diagram).to_have_attribute("data-frame", "8")
    np.testing.assert_array_equal(pixels(uncut), before)
    assert (pixels(guess) != before).any()
    expect(part(diagram, "decoder 1")).to_have_attribute("aria-pressed", "true")
    assert "unet_skip_1=0" in browser_page.url
    browser_page.get_by_role("button", name="Whole again").click()
    expect(part(diagram, "skip 1")).to_have_text("skip 1")
    expect(diagram.locator('[data-image="whole"]')).to_be_hidden()


def test_a_part_that_the_next_model_lacks_may_be_under_the_pointer(browser_page: Page, serve: Serve) -> None:
    diagram = opened(browser_page, serve(PAGE))
    part(diagram, "encoder 3").hover()
    expect(diagram).to_have_attribute("data-about", "encoder 3")
    browser_page.get_by_role("combobox", name="Model").focus()
    browser_page.keyboard.type("Digits")
    browser_page.keyboard.press("Enter")
    expect(part(diagram, "encoder 3")).to_have_count(0)
    expect(diagram).to_have_attribute("data-about", "encoder 1")


def test_a_part_is_cut_and_joined_from_the_diagram(browser_page: Page, serve: Serve) -> None:
    diagram = opened(browser_page, serve(PAGE) + DIGITS + "&unet_skip_1=0.5")
    button = diagram.locator(".diagram-cut")
    expect(button).to_be_hidden()  # an encoder is selected
    part(diagram, "skip 1").click()
    expect(button).to_have_text("Cut it")
    button.focus()
    browser_page.keyboard.press("Enter")
    expect(part(diagram, "skip 1")).to_have_text("cut")
    expect(diagram.locator(".diagram-does")).to_contain_text("the decoder gets zeros")
    expect(browser_page.get_by_role("slider", name="Skip 1")).to_have_value("0")
    assert "unet_skip_1=0" in browser_page.url
    expect(part(diagram, "skip 1")).to_have_attribute("aria-pressed", "true")
    part(diagram, "skip 2").scroll_into_view_if_needed()
    line = part(diagram, "skip 2").bounding_box()
    assert line
    browser_page.mouse.click(line["x"] - 20, line["y"] + line["height"] / 2 + 5)
    expect(part(diagram, "skip 2")).to_have_attribute("aria-pressed", "true")
    part(diagram, "skip 1").click()
    expect(button).to_have_text("Join it again")
    button.click()
    expect(part(diagram, "skip 1")).to_have_text("skip 1")
    expect(diagram.locator('[data-image="whole"]')).to_be_hidden()


@pytest.mark.parametrize("browser_page", [PHONE | {"color_scheme": "dark"}], indirect=True)
def test_on_a_phone_by_touch_in_the_dark(browser_page: Page, serve: Serve) -> None:
    diagram = opened(browser_page, serve(PAGE) + "?unet_skip_1=0.5")
    expect(diagram).to_have_attribute("data-theme", "dark")
    assert browser_page.get_by_test_id("stMain").evaluate("main => main.scrollWidth") <= 390
    boxes = {}
    for button in diagram.locator(".diagram-part").all():
        box = button.bounding_box()
        assert box
        boxes[button.get_attribute("data-part")] = box
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        apart = a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
        assert apart or a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"], (one, other)
    part(diagram, "decoder 1").tap()
    expect(diagram.locator(".diagram-about h2")).to_have_text("Decoder 1")
    expect(diagram.locator(".diagram-maps h3")).to_contain_text("Decoder 1")
