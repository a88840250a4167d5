"""Recordings that people bring: what is read of them, and what is refused in a sentence."""

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.audio import recordings
from explorer.audio.features import LEVEL
from explorer.audio.recordings import (
    KEPT,
    LONGEST_PAUSE,
    MOST_BYTES,
    read_recording,
    whole,
    without_pauses,
    written,
)
from explorer.audio.spectrogram import RATE


def voice(seconds: float = 2.0, rate: int = 16_000, pitch: float = 130.0) -> np.ndarray:
    phase = 2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate
    return 0.2 * sum(np.sin(k * phase) / k for k in range(1, 8)).astype(np.float32)


def saved(wave: np.ndarray, rate: int = 16_000, format: str = "WAV", subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=format, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("WAV", "PCM_U8"),
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "FLOAT"),
        ("WAV", "DOUBLE"),
        ("WAV", "ULAW"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", None),
    ],
)
def test_all_formats_that_are_told_are_read(format: str, subtype: str | None) -> None:
    recording = read_recording(saved(voice(), 16_000, format, subtype))
    assert recording.seconds == pytest.approx(2, abs=0.2)
    assert (recording.rate, recording.channels) == (16_000, 1)
    assert float(recording.audio.square().mean().sqrt()) == pytest.approx(LEVEL, rel=0.05)
    assert not recording.warnings


def test_stereo_at_192_khz_is_one_channel_at_8_khz() -> None:
    wave = voice(rate=192_000)
    recording = read_recording(saved(np.stack([wave, 0.5 * wave], 1), 192_000))
    assert (recording.rate, recording.channels) == (192_000, 2)
    assert len(recording.audio) == pytest.approx(2 * RATE, rel=0.1)


def test_channels_that_cancel_each_other_are_still_heard() -> None:
    wave = voice()
    assert len(read_recording(saved(np.stack([wave, -wave], 1))).audio) > RATE


def test_so_they_are_where_a_mark_is_looked_for() -> None:
    wave = voice()
    assert float(whole(saved(np.stack([wave, -wave], 1))).abs().max()) > 0.1


def test_of_ten_minutes_the_first_seconds_of_speech_are_used_and_it_is_said() -> None:
    recording = read_recording(saved(voice(600, 8_000), 8_000))
    assert recording.seconds == pytest.approx(600)
    assert len(recording.audio) == KEPT * RATE
    assert any("first 15 seconds" in warning for warning in recording.warnings)


def test_clipping_is_told() -> None:
    warnings = read_recording(saved((20 * voice()).clip(-1, 1), subtype="PCM_16")).warnings
    assert any("clipped" in warning for warning in warnings)


def test_what_has_no_pitch_is_doubted() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000).astype(np.float32)
    assert any("is it a voice?" in warning for warning in read_recording(saved(noise)).warnings)


def test_long_pauses_are_shortened_and_the_ends_cut() -> None:
    spoken = torch.from_numpy(voice(1, RATE))
    quiet = torch.zeros(2 * RATE)
    kept = without_pauses(torch.cat([quiet, spoken, quiet, spoken, quiet]))
    assert len(kept) / RATE == pytest.approx(2 + LONGEST_PAUSE, abs=0.1)


def lying_header() -> bytes:
    content = bytearray(saved(voice(), subtype="PCM_16"))
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 2**32 - 1)
    content[4:8] = struct.pack("<I", 2**32 - 1)
    return bytes(content)


def test_a_header_that_lies_about_the_size_is_read_for_what_is_there() -> None:
    assert read_recording(lying_header()).seconds == pytest.approx(2, abs=0.1)


def test_silence_that_packs_to_nothing_is_not_unpacked_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of 8 channels at 384 kHz is a FLAC of 0.9 MB, and was 1.6 GB in memory."""
    wave = np.zeros((400_000, 8), np.float32)
    wave[:200_000] = voice(rate=100_000)[:, None]
    read: list[tuple[int, ...]] = []
    mono = recordings._mono
    monkeypatch.setattr(recordings, "_mono", lambda wave, rate: read.append(wave.shape) or mono(wave, rate))
    monkeypatch.setattr(recordings, "MOST_VALUES", 2_000_000)
    recording = read_recording(saved(wave, 100_000, "FLAC"))
    assert read == [(250_000, 8)]
    assert recording.seconds == pytest.approx(4)
    assert len(recording.audio) == pytest.approx(2 * RATE, rel=0.2)


def of_nan() -> bytes:
    wave = voice()
    wave[1000] = np.nan
    return saved(wave, subtype="FLOAT")


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "empty"),
    "a PDF with another name": (lambda: b"%PDF-1.7\n" + bytes(1000), "a PDF"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(1000), "a picture"),
    "m4a": (lambda: b"\0\0\0\x20ftypM4A " + bytes(1000), "M4A"),
    "webm": (lambda: b"\x1aE\xdf\xa3" + bytes(1000), "WebM"),
    "text": (lambda: b"hello" * 100, "no sound that can be read"),
    "a header alone": (lambda: saved(voice())[:44], "no sound"),
    "silence": (lambda: saved(np.zeros(32_000, np.float32)), "Nothing is heard"),
    "a tenth of a second": (lambda: saved(voice(0.1)), "the least"),
    "values that are no numbers": (of_nan, "no numbers"),
    "too many channels": (lambda: saved(np.repeat(voice()[:, None], 20, 1)), "20 channels"),
    "a rate of 1 Hz": (lambda: saved(voice(), 1), "samples a second"),
    "too large": (lambda: bytes(MOST_BYTES + 1), "at most 20 MB"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_get_a_sentence(name: str) -> None:
    make, wanted = BAD[name]
    with pytest.raises(ValueError, match=wanted):
        read_recording(make())


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=400), st.integers(0, 60), st.booleans())
def test_broken_files_are_refused_or_read_but_never_raise_anything_else(noise: bytes, place: int, cut: bool) -> None:
    content = bytearray(saved(voice(1.5)))
    content[place : place + len(noise)] = noise
    try:
        recording = read_recording(bytes(content[: len(content) // 2] if cut else content))
    except ValueError as error:
        assert str(error).endswith(".")
    else:
        assert bool(recording.audio.isfinite().all())


def test_a_sound_that_is_written_is_read_again_with_its_comment() -> None:
    audio = torch.from_numpy(voice(1, RATE))
    content = written(audio, "Synthetic speech")
    assert b"Synthetic speech" in content
    assert torch.allclose(whole(content), audio, atol=1e-4)


def test_a_file_to_look_into_must_last_a_second() -> None:
    with pytest.raises(ValueError, match="shorter than a second"):
        whole(saved(voice(0.5)))
