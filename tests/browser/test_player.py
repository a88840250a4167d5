"""The trajectory player in a real browser: it moves, obeys, and asks the server for nothing."""

import base64
import io
import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageColor
from playwright.sync_api import FloatRect, Locator, Page, expect

from explorer.charts.palette import DARK, LIGHT
from explorer.ui.components import FOLDER
from explorer.ui.player import Scene, _to_int16, player
from tests.browser.saving import saved
from tests.browser.waiting import MOVING

Open = Callable[..., Locator]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def open_player(browser_page: Page, serve: Callable[..., str]) -> Open:
    """`open_player(query)` is the root element of the player in the test app."""

    def opened(query: str = "") -> Locator:
        browser_page.goto(f"{serve('tests/browser/player_app.py')}/?{query}")
        root = browser_page.locator(".player")
        expect(root).to_have_attribute("data-position", re.compile(r"\d"), timeout=30_000)
        return root

    return opened


def position(root: Locator) -> float:
    return float(root.get_attribute("data-position") or "nan")


def pixels(root: Locator, stage: int = 0) -> np.ndarray:
    """What a stage's canvas shows: (side, side, 4)."""
    url = root.locator("canvas").nth(stage).evaluate("canvas => canvas.toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGBA"))


def scrub(root: Locator, target: float) -> None:
    """Drag the slider to `target`, which pauses."""
    slider = root.locator("input[type=range]")
    slider.evaluate("(e, x) => { e.value = x; e.dispatchEvent(new Event('input')); }", target)
    expect(root).to_have_attribute("data-position", f"{target:.3f}")


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_it_plays_by_itself_and_the_picture_moves(open_player: Open) -> None:
    root = open_player()
    first = pixels(root)
    assert np.count_nonzero(first[..., 3]) > 1000
    expect(root).to_have_attribute("data-playing", "true")
    expect(root).not_to_have_attribute("data-position", root.get_attribute("data-position") or "")
    assert (pixels(root) != first).any()
    expect(root).to_have_attribute("data-frame-ms", re.compile(r"\d"), timeout=30_000)


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_keys(open_player: Open) -> None:
    root = open_player("steps=40")
    root.focus()
    root.press(" ")
    expect(root).to_have_attribute("data-playing", "false")
    scrub(root, 10.4)
    for key, expected in {"ArrowRight": 11, "ArrowLeft": 10, "End": 40, "Home": 0}.items():
        root.press(key)
        expect(root).to_have_attribute("data-position", f"{expected:.3f}")
    root.press("ArrowLeft")
    expect(root).to_have_attribute("data-position", "0.000")
    expect(root.locator("output").first).to_have_text("step 0 / 40")
    root.press(" ")
    expect(root).to_have_attribute("data-playing", "true")
    root.get_by_role("button", name="Pause").press(" ")
    expect(root).to_have_attribute("data-playing", "false")


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_keys_elsewhere_are_left_alone(open_player: Open) -> None:
    root = open_player()
    root.page.locator("body").press(" ")
    expect(root).to_have_attribute("data-playing", "true")
    speed = root.get_by_label("Speed")
    speed.focus()
    speed.press("ArrowDown")
    expect(root).to_have_attribute("data-playing", "true")


def test_scrubbing_playing_and_layers_need_no_round_trip(open_player: Open, browser_page: Page) -> None:
    sent: list[str | bytes] = []
    browser_page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    root = open_player("steps=40")
    expect(browser_page.get_by_text("Clicked None")).to_be_visible()
    before = len(sent)
    assert before > 0
    for target in (3, 20.5, 39):
        scrub(root, target)
    root.get_by_role("button", name="Paths").click()
    root.locator("canvas").hover()
    root.get_by_role("button", name="Play").click()
    expect(root).not_to_have_attribute("data-position", "39.000")
    assert len(sent) == before


def test_scrubbing_back_repaints_the_same_picture(open_player: Open) -> None:
    root = open_player("steps=40&layers=points,paths,density,mesh,field,x0")
    scrub(root, 30)
    first = pixels(root)
    scrub(root, 5)
    assert (pixels(root) != first).any()
    scrub(root, 30)
    assert (pixels(root) == first).all()


def test_speed_and_loop(open_player: Open, browser_page: Page) -> None:
    browser_page.clock.install()
    root = open_player("steps=40")  # ten frames a second
    browser_page.clock.pause_at(int(browser_page.evaluate("Date.now()")) + 100)

    def advance(milliseconds: int) -> float:
        before = position(root)
        browser_page.clock.run_for(milliseconds)
        return position(root) - before

    scrub_while_paused = "(e) => { e.value = 0; e.dispatchEvent(new Event('input')); }"
    for speed, expected in {"1": 10, "4": 40, "0.25": 2.5}.items():
        root.locator("input[type=range]").evaluate(scrub_while_paused)
        root.get_by_label("Speed").select_option(speed)
        root.get_by_role("button", name="Play").click()
        advance(20)
        assert advance(900) == pytest.approx(0.9 * expected, rel=0.05)

    root.get_by_label("Speed").select_option("4")
    root.press("End")
    root.press(" ")  # from the end, playing starts over
    advance(1100)
    assert position(root) == 40
    advance(500)
    assert position(root) == 40  # held
    advance(800)
    assert 0 <= position(root) < 40
    root.get_by_role("button", name="Loop").click()
    advance(3000)
    expect(root).to_have_attribute("data-playing", "false")
    assert position(root) == 40


def test_reduced_motion_shows_the_result_at_rest(open_player: Open) -> None:
    root = open_player("steps=40")
    expect(root).to_have_attribute("data-position", "40.000")
    expect(root).to_have_attribute("data-playing", "false")
    root.get_by_role("button", name="Play").click()
    expect(root).to_have_attribute("data-playing", "true")


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_time_stands_still_out_of_sight(open_player: Open) -> None:
    root = open_player("steps=40")
    root.evaluate("e => { e.parentNode.host.style.display = 'none'; }")
    settle(root, 10)
    before = position(root)
    settle(root, 20)
    assert position(root) == before
    root.evaluate("e => { e.parentNode.host.style.display = ''; }")
    expect(root).not_to_have_attribute("data-position", f"{before:.3f}")


def test_every_layer_changes_the_picture_and_can_go_again(open_player: Open) -> None:
    root = open_player("layers=")
    scrub(root, 20)
    bare = pixels(root)
    pictures = {bare.tobytes()}
    chips = root.get_by_role("group", name="Layers").get_by_role("button")
    assert chips.all_inner_texts() == ["Points", "Density", "Mesh", "Paths", "Velocity", "Guess of x₀"]
    for chip in chips.all():
        chip.click()
        expect(chip).to_have_attribute("aria-pressed", "true")
        settle(root)
        pictures.add(pixels(root).tobytes())
        chip.click()
        settle(root)
        assert (pixels(root) == bare).all()
    assert len(pictures) == 1 + chips.count()


def test_new_data_keeps_position_layers_and_canvas(open_player: Open) -> None:
    root = open_player("steps=40")
    scrub(root, 20)
    root.get_by_role("button", name="Mesh").click()
    root.locator("canvas").evaluate("canvas => { canvas.mark = 'the same'; }")
    before = pixels(root)
    root.page.get_by_role("button", name="New data").click()
    expect(root.page.get_by_text("Runs with seed 1")).to_be_visible()
    settle(root)
    assert (pixels(root) != before).any()
    assert position(root) == 20
    expect(root).to_have_attribute("data-playing", "false")
    expect(root.get_by_role("button", name="Mesh")).to_have_attribute("aria-pressed", "true")
    assert root.locator("canvas").evaluate("canvas => canvas.mark") == "the same"


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_new_data_does_not_stop_it(open_player: Open) -> None:
    root = open_player("steps=40")
    root.page.get_by_role("button", name="New data").click()
    expect(root.page.get_by_text("Runs with seed 1")).to_be_visible()
    expect(root).to_have_attribute("data-playing", "true")
    expect(root).not_to_have_attribute("data-position", root.get_attribute("data-position") or "")


def test_walks_of_different_lengths_share_the_clock(open_player: Open) -> None:
    root = open_player("scenes=2&steps=10&uneven=1")
    scrub(root, 5)
    expect(root.locator(".player-readout")).to_have_text(["step 3 / 10, t = 0.75", "step 5 / 20, t = 0.75"])
    expect(root.locator("output").first).to_have_text("25 %")
    root.locator("canvas").first.press("End")
    expect(root.locator(".player-readout")).to_have_text(["step 10 / 10, t = 0.00", "step 20 / 20, t = 0.00"])


def test_hovering_shows_the_same_particle_in_both_scenes(open_player: Open) -> None:
    root = open_player("scenes=2&layers=points")
    scrub(root, 0)
    before = [pixels(root, stage) for stage in (0, 1)]
    root.locator("canvas").first.hover()
    expect(root).to_have_attribute("data-hovered", re.compile(r"\d"))
    settle(root)
    assert all((pixels(root, stage) != before[stage]).any() for stage in (0, 1))
    root.page.mouse.move(5, 5)
    expect(root).to_have_attribute("data-hovered", "")
    settle(root)
    assert all((pixels(root, stage) == before[stage]).all() for stage in (0, 1))


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_a_click_starts_a_particle_there(open_player: Open) -> None:
    root = open_player("scenes=2")
    canvas = root.locator("canvas").nth(1)
    box = canvas.bounding_box()
    assert box
    canvas.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.25})
    line = root.page.get_by_text("Clicked (1,")
    expect(line).to_be_visible()
    _, x, y = re.findall(r"-?[\d.]+", line.inner_text())
    assert (float(x), float(y)) == pytest.approx((1.6, 1.6), abs=0.03)
    expect(root).to_have_attribute("data-playing", "true")


def test_the_keyboard_starts_a_particle(open_player: Open) -> None:
    root = open_player()
    canvas = root.locator("canvas")
    canvas.focus()
    canvas.press("Enter")
    for _ in range(5):
        canvas.press("Shift+ArrowRight")
    canvas.press("ArrowUp")
    expect(root.get_by_text("x = 1.60, y = 0.06.")).to_be_visible()
    canvas.press("Enter")
    expect(root.page.get_by_text(re.compile(r"Clicked \(0, 1\.6\d*, 0\.06"))).to_be_visible()
    canvas.press("Escape")
    expect(root.get_by_text("Enter shows a cursor")).to_be_visible()


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
def test_touch_on_a_phone(open_player: Open) -> None:
    root = open_player("scenes=2")
    first, second = (root.locator("canvas").nth(stage).bounding_box() for stage in (0, 1))
    assert first
    assert second
    assert first["x"] == second["x"]
    assert second["y"] > first["y"] + first["height"]
    assert root.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert root.locator("canvas").first.evaluate("e => getComputedStyle(e).touchAction") == "pan-y"
    for button in root.get_by_role("button").all():
        box = button.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 40, button.inner_text()
    root.locator("canvas").first.tap()
    expect(root.page.get_by_text("Clicked (0,")).to_be_visible()


@pytest.mark.parametrize("browser_page", [{"color_scheme": "dark"}], indirect=True)
def test_dark_theme(open_player: Open) -> None:
    root = open_player("scenes=2")
    expect(root).to_have_attribute("data-theme", "dark")
    scrub(root, 40)
    shown = pixels(root).reshape(-1, 4)
    solid = shown[shown[:, 3] > 200, :3].astype(int)

    def count(colour: str) -> int:
        return np.count_nonzero(np.abs(solid - ImageColor.getrgb(colour)).max(-1) < 12)

    assert count(DARK["model"]) > 20
    assert count(LIGHT["model"]) == 0


def test_the_pictures_that_it_saves_are_valid(open_player: Open) -> None:
    root = open_player("scenes=2&steps=8&layers=points,paths")
    scrub(root, 8)
    with Image.open(saved(root, "PNG", "eight-points-learned-exact").path()) as picture:
        assert picture.format == "PNG"
        assert picture.width > 2 * 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
    with Image.open(saved(root, "GIF", "eight-points-learned-exact").path()) as film:
        assert film.format == "GIF"
        assert film.n_frames == 9
        shown = []
        for k in range(film.n_frames):
            film.seek(k)
            shown.append(np.asarray(film.convert("RGB")))
            assert film.info["duration"] == (2000 if k == 8 else 500)
        assert film.info["loop"] == 0
        assert all((before != after).any() for before, after in pairwise(shown))
        assert (shown[0][2, 2] == 255).all()  # the page is white, exactly


@pytest.mark.parametrize("scenes", [1, 2])
def test_a_slide_has_the_size_of_a_projector(open_player: Open, scenes: int) -> None:
    root = open_player(f"scenes={scenes}&steps=8")
    scrub(root, 8)
    name = "eight-points-learned-exact" if scenes == 2 else "eight-points-learned"
    with Image.open(saved(root, "Slide", name, "slide.png").path()) as picture:
        assert picture.size == (1920, 1080)
        shown = np.asarray(picture.convert("L"))
    for edge in (shown[:25], shown[-25:], shown[:, :25], shown[:, -25:]):
        assert (edge == 255).all()
    rows, columns = (np.flatnonzero((shown < 235).any(axis)) for axis in (1, 0))
    assert max((rows[-1] - rows[0]) / 1080, (columns[-1] - columns[0]) / 1920) > 0.9


def test_one_scene_of_two_is_saved_alone(open_player: Open) -> None:
    root = open_player("scenes=2&steps=8")
    scrub(root, 8)
    with Image.open(saved(root, "PNG", "eight-points-learned-exact").path()) as picture:
        both = picture.convert("RGB")
    what = root.get_by_label("What to save")
    assert what.locator("option").all_inner_texts() == ["everything", "Learned", "Exact"]
    what.select_option("Exact")
    with Image.open(saved(root, "PNG", "exact-eight-points-learned-exact").path()) as picture:
        alone = picture.convert("RGB")
    assert alone.height == both.height
    step = both.width - alone.width  # the second scene stands as far to the right
    assert alone.width == pytest.approx(both.width / 2, rel=0.05)
    np.testing.assert_array_equal(np.asarray(alone)[:, :1040], np.asarray(both)[:, step : step + 1040])


def test_nothing_runs_through_a_title(open_player: Open) -> None:
    """The title has its own ground: on the page it stands above the stage, and in a picture above its square."""
    root = open_player("layers=points,field,mesh&steps=8")
    head, canvas = (root.locator(part).bounding_box() for part in (".player-head", "canvas"))
    assert head
    assert canvas
    assert head["y"] + head["height"] <= canvas["y"]
    pictures = []
    for frame in (0, 4):
        scrub(root, frame)
        with Image.open(saved(root, "PNG", "eight-points-learned").path()) as picture:
            pictures.append(np.asarray(picture.convert("L")).astype(int))
    margin, line, time = 40, 55, 300  # pixels, of which the time on the right is another in each
    titles = [picture[margin : margin + line, : picture.shape[1] - time] for picture in pictures]
    assert (titles[0] < 128).any()
    np.testing.assert_array_equal(*titles)


def test_the_film_that_it_saves_is_webm(open_player: Open) -> None:
    root = open_player("steps=8")
    button = root.get_by_role("button", name="Save as WebM")
    offered = root.evaluate("() => globalThis.MediaRecorder?.isTypeSupported('video/webm') ?? false")
    assert button.count() == offered
    if offered:
        film = saved(root, "WebM", "eight-points-learned").path().read_bytes()
        assert film.startswith(b"\x1a\x45\xdf\xa3")
        assert len(film) > 10_000


def box_of(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box
    return box


SCREENS = [
    {"viewport": {"width": width, "height": height}} for width, height in ((1280, 800), (1920, 1080), (960, 640))
]


@pytest.mark.parametrize("browser_page", SCREENS, indirect=True)
@pytest.mark.parametrize("scenes", [1, 2])
def test_the_stage_takes_the_room_of_the_first_screen(open_player: Open, scenes: int) -> None:
    root = open_player(f"scenes={scenes}")
    screen = root.page.viewport_size
    assert screen
    layers, bar = box_of(root.locator(".player-layers")), box_of(root.locator(".transport"))
    seen = layers["y"] + layers["height"] <= screen["height"]
    assert seen or screen["height"] < 800
    last = layers if seen else bar
    below = screen["height"] - last["y"] - last["height"]
    canvas, whole = box_of(root.locator("canvas").first), box_of(root.page.get_by_test_id("stMainBlockContainer"))
    assert below >= 0
    assert below < 40 or scenes * canvas["width"] > 0.75 * (whole["width"] - 200)
    assert canvas["width"] == pytest.approx(canvas["height"], abs=1)


def test_letters_grow_with_the_screen(open_player: Open) -> None:
    root = open_player()
    sizes = []
    for width, height in ((1280, 800), (1920, 1080)):
        root.page.set_viewport_size({"width": width, "height": height})
        parts = [".player-title", ".player-readout", ".player-chip", ".transport-readout", ".player-hint"]
        sizes.append(
            [root.locator(part).evaluate_all("([e]) => parseFloat(getComputedStyle(e).fontSize)") for part in parts]
        )
    small, large = np.array(sizes)
    assert small.min() >= 13
    assert (large >= 1.3 * small).all()


@pytest.mark.parametrize("browser_page", SCREENS[1:2], indirect=True)
def test_full_screen_by_button_and_key(open_player: Open) -> None:
    root = open_player("steps=40")
    before = box_of(root.locator("canvas"))
    root.get_by_role("button", name="Full screen").click()
    leave = root.get_by_role("button", name="Leave full screen")
    expect(leave).to_be_visible()
    root.page.wait_for_function(
        "([root, wide]) => root.querySelector('canvas').clientWidth > wide",
        arg=[root.element_handle(), before["width"] + 20],
    )
    screen = root.page.evaluate("[innerWidth, innerHeight]")
    for part in ("canvas", ".transport", ".player-layers", ".player-foot"):
        box = box_of(root.locator(part))
        assert box["x"] >= 0
        assert box["y"] >= 0
        assert box["x"] + box["width"] <= screen[0]
        assert box["y"] + box["height"] <= screen[1]
    root.press("ArrowRight")
    expect(root).to_have_attribute("data-playing", "false")
    root.press("f")
    expect(root.get_by_role("button", name="Full screen", exact=True)).to_be_visible()
    root.page.wait_for_function(
        "([root, wide]) => Math.abs(root.querySelector('canvas').clientWidth - wide) < 3",
        arg=[root.element_handle(), before["width"]],
    )
    root.press("f")
    expect(leave).to_be_visible()


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_no_full_screen_where_there_is_none(open_player: Open, browser_page: Page) -> None:
    browser_page.add_init_script("Object.defineProperty(document, 'fullscreenEnabled', { value: undefined })")
    root = open_player()
    expect(root.locator(".transport-full")).to_be_hidden()
    root.press("f")
    expect(root).to_have_attribute("data-playing", "true")


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
def test_the_bar_covers_no_stage_on_a_phone(open_player: Open) -> None:
    for scenes in (1, 2):
        root = open_player(f"scenes={scenes}")
        bar = box_of(root.locator(".transport"))
        for canvas in root.locator("canvas").all():
            box = box_of(canvas)
            assert bar["y"] >= box["y"] + box["height"] or bar["y"] + bar["height"] <= box["y"]
    second = root.locator("canvas").nth(1)
    second.evaluate("canvas => canvas.scrollIntoView({ block: 'end' })")
    bar, box = box_of(root.locator(".transport")), box_of(second)
    assert bar["y"] >= 0  # it stays in sight
    assert bar["y"] + bar["height"] <= box["y"]


def settle(root: Locator, frames: int = 2) -> None:
    """Wait for some animation frames, in which what was asked for is painted."""
    for _ in range(frames):
        root.page.evaluate("() => new Promise(requestAnimationFrame)")


def evaluate_module(page: Page, module: str, body: str, argument: object) -> object:
    """The value of `body`, a function of the module's exports and an argument, run in the browser."""
    source = (FOLDER / module).read_text()
    return page.evaluate(
        f"""async ([source, argument]) => {{
            const url = URL.createObjectURL(new Blob([source], {{ type: "text/javascript" }}));
            return ({body})(await import(url), argument);
        }}""",
        [source, argument],
    )


@pytest.mark.parametrize(("side", "colours"), [(1, 1), (3, 2), (16, 40), (120, 250), (200, 2)])
def test_gif_decodes_to_the_same_pixels(browser_page: Page, side: int, colours: int) -> None:
    """Sizes at which the dictionary stays small, changes its code width, and overflows."""
    generator = np.random.default_rng(side)
    wheel = generator.permutation(1 << 15)[:colours]  # one colour a bucket, so that the palette is exact
    table = np.stack([wheel >> 10, wheel >> 5 & 31, wheel & 31, np.full(colours, 31)], -1) * 8
    frames = table[generator.integers(colours, size=(2, side, side))].astype(np.uint8)
    body = """({ choosePalette, createGif }, [side, frames]) => {
        const gif = createGif(side, side, choosePalette(frames));
        for (const frame of frames) gif.addFrame(frame, 7);
        return [...gif.finish()];
    }"""
    encoded = evaluate_module(browser_page, "gif.js", body, [side, [frame.ravel().tolist() for frame in frames]])
    with Image.open(io.BytesIO(bytes(encoded))) as film:  # type: ignore[arg-type]
        for k, frame in enumerate(frames):
            film.seek(k)
            assert (np.asarray(film.convert("RGB")) == frame[..., :3]).all()
        assert film.n_frames == 2 or (frames[0] == frames[1]).all()


def test_contours_of_a_gaussian_are_circles_that_hold_their_share(browser_page: Page) -> None:
    points = np.random.default_rng(0).normal(100, 20, size=(4000, 2))
    body = """({ density, massLevels, levelLine }, points) => {
        const grid = density(points, points.length / 2, 200, 100);
        const segments = [];
        levelLine(grid, 100, massLevels(grid, [0.5])[0], (...ends) => segments.push(ends));
        return segments;
    }"""
    segments = np.array(evaluate_module(browser_page, "contours.js", body, points.ravel().tolist()))
    ends = (segments.reshape(-1, 2) + 0.5) * 2
    radius = np.linalg.norm(ends - 100, axis=1)
    assert radius.mean() == pytest.approx(20 * np.sqrt(2 * np.log(2)), rel=0.05)
    assert radius.std() < 2.5
    distances = np.linalg.norm(ends[:, None] - ends, axis=-1)
    assert ((distances < 1e-6).sum(0) % 2 == 0).all()  # closed: every end is met by another


@pytest.mark.parametrize(("level", "apart"), [(0.4, [(1, 0), (0, 1)]), (0.6, [(0, 0), (1, 1)])])
def test_contours_at_a_saddle_follow_the_centre(browser_page: Page, level: float, apart: list[tuple[int, int]]) -> None:
    """Of the corners 1, 0, 0, 1 the two that differ from the centre, 0.5, are cut off."""
    body = """({ levelLine }, level) => {
        const middles = [];
        levelLine([1, 0, 0, 1], 2, level, (x0, y0, x1, y1) => middles.push([(x0 + x1) / 2, (y0 + y1) / 2]));
        return middles;
    }"""
    middles = np.array(evaluate_module(browser_page, "contours.js", body, level))
    nearest = {tuple(middle.round().astype(int).tolist()) for middle in middles}
    assert nearest == set(apart)


def test_scene_says_which_array_does_not_fit() -> None:
    with pytest.raises(ValueError, match="x0 of 'Walk'"):
        Scene("Walk", x=np.zeros((5, 10, 2)), t=np.linspace(1, 0, 5), x0=np.zeros((3, 10, 2)))
    with pytest.raises(ValueError, match="unknown layers: smoke"):
        player([], key="none", layers=["points", "smoke"])


def test_coordinates_travel_within_half_a_step_and_outliers_stay_out_of_sight() -> None:
    values = np.array([0.0, 1.2345, -3.2, 1e9, -np.inf, np.nan])
    sent = _to_int16(values, 12.8)
    assert sent[:3] * (12.8 / 32767) == pytest.approx(values[:3], abs=12.8 / 32767 / 2 + 1e-9)
    assert sent[3:].tolist() == [32767, -32767, 32767]
