"""Voice cloning in Chromium: speech comes out of noise, is heard, and an upload is cloned and survives a reload."""

import io
import re
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
import soxr
from playwright.sync_api import Locator, Page, expect

from explorer.lessons.voice_cloning.voices import built_in
from tests.browser.test_film import PHONE, seek
from tests.browser.test_guided_generation import LONG, done
from tests.browser.waiting import MOVING, wait_until

PAGE = "pages/voice_cloning.py"
QUICK = "voice_steps=4&voice_text=one+two&voice_closer=The+large+ones"
Serve = Callable[..., str]


def opened(page: Page, serve: Serve, query: str = QUICK) -> Locator:
    page.goto(f"{serve(PAGE)}?{query}")
    film = page.locator(".speech.themed")
    expect(film).to_have_attribute("data-frame", re.compile(r"\d"), timeout=LONG)
    done(page)
    return film


def picture(film: Locator, strip: int) -> np.ndarray:
    read = "c => [c.height, ...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    height, *values = film.locator("canvas").nth(strip).evaluate(read)
    return np.array(values, dtype=np.uint8).reshape(height, -1, 4)[..., :3].astype(float)


def recording() -> bytes:
    """A built-in voice as a phone may save it: stereo, 44.1 kHz, 24 bits."""
    wave, rate = soundfile.read(io.BytesIO(built_in()["am_fenrir"].content), dtype="float32")
    wave = soxr.resample(wave, rate, 44_100)
    file = io.BytesIO()
    soundfile.write(file, np.stack([wave, 0.8 * wave], 1), 44_100, format="WAV", subtype="PCM_24")
    return file.getvalue()


@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)
def test_it_opens_moving_from_noise_to_speech_on_the_first_screen(browser_page: Page, serve: Serve) -> None:
    film = opened(browser_page, serve)
    expect(film).to_have_attribute("data-playing", "true")
    frame = film.get_attribute("data-frame")
    expect(film).not_to_have_attribute("data-frame", str(frame))
    bar = film.locator(".speech-transport").bounding_box()
    assert bar is not None
    assert bar["y"] + bar["height"] <= browser_page.viewport_size["height"]  # type: ignore[index]


def test_noise_becomes_what_the_model_guesses(browser_page: Page, serve: Serve) -> None:
    film = opened(browser_page, serve)
    seek(film, 0)
    first = picture(film, 0)
    assert np.abs(first[:, 1:] - first[:, :-1]).mean() > 20  # every place has a noise of its own
    seek(film, 4)
    last = picture(film, 0)
    assert np.abs(last[:, 1:] - last[:, :-1]).mean() < 0.5 * np.abs(first[:, 1:] - first[:, :-1]).mean()
    expect(film.locator(".speech-words span")).to_have_text(["one", "two"])
    expect(film.get_by_text("done").first).to_be_visible()


def test_every_step_can_be_heard_and_stopped_by_button_and_by_key(browser_page: Page, serve: Serve) -> None:
    film = opened(browser_page, serve)
    seek(film, 2)
    listen = film.get_by_role("button", name="Listen to What the model guesses at this step")
    listen.click()
    stop = film.get_by_role("button", name="Stop the sound")
    expect(stop).to_be_visible()
    expect(film).to_have_attribute("data-sounding", "1")
    stop.click()
    expect(stop).to_have_count(0)
    film.press("l")
    expect(stop).to_be_visible()
    expect(stop).to_have_count(0, timeout=10_000)  # it ends by itself
    film.get_by_role("button", name="Listen to What is there at this step").click()
    expect(film).to_have_attribute("data-sounding", "0")
    film.press("ArrowRight")
    expect(stop).to_have_count(0)


def test_a_recording_is_cloned_after_consent_and_is_there_after_a_reload(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    opened(page, serve)
    page.get_by_text("Upload", exact=True).click()
    expect(page.get_by_text("Tick this first")).to_be_visible(timeout=LONG)
    page.get_by_text("This voice is mine").click()
    upload = page.locator('input[type="file"]')
    expect(upload).to_be_attached(timeout=LONG)
    upload.set_input_files({"name": "me.wav", "mimeType": "audio/wav", "buffer": recording()})
    expect(page.get_by_text("of 44,100 Hz in 2 channels")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("likeness to the reference")).to_be_visible(timeout=LONG)
    done(page)
    page.reload()
    page.get_by_text("This voice is mine").click(timeout=LONG)
    expect(page.get_by_text("of 44,100 Hz in 2 channels")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Forget it").click()
    expect(page.get_by_text("No recording is there yet")).to_be_visible(timeout=LONG)


def test_a_file_that_is_no_sound_gets_a_sentence(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    page.goto(f"{serve(PAGE)}?{QUICK}&voice_source=Upload")
    page.get_by_text("This voice is mine").click(timeout=LONG)
    upload = page.locator('input[type="file"]')
    expect(upload).to_be_attached(timeout=LONG)
    upload.set_input_files({"name": "me.wav", "mimeType": "audio/wav", "buffer": b"%PDF-1.7 " + bytes(500)})
    expect(page.get_by_text("This is a PDF, whatever its name says")).to_be_visible(timeout=LONG)


@pytest.mark.parametrize("browser_page", [PHONE], indirect=True)
def test_a_phone_has_room_for_it(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    film = opened(page, serve, "voice_steps=4&voice_text=one+two")
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]
    box = film.locator("canvas").first.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert box["height"] >= 60


def test_the_sound_that_was_saved_carries_the_mark(browser_page: Page, serve: Serve) -> None:
    page = browser_page
    opened(page, serve, "voice_closer=The+mark")
    expect(page.get_by_text("The mark is there")).to_be_visible(timeout=LONG)
    with page.expect_download() as waited:
        page.get_by_role("button", name="WAV").click()
    content = waited.value.path().read_bytes()
    assert content.startswith(b"RIFF")
    assert b"Synthetic speech" in content
    page.get_by_text("A file", exact=True).click()
    upload = page.locator('input[type="file"]')
    expect(upload).to_be_attached(timeout=LONG)
    upload.set_input_files({"name": "speech.wav", "mimeType": "audio/wav", "buffer": content})
    wait_until(page, lambda: page.get_by_text("The mark is there").count() > 0, 60)
