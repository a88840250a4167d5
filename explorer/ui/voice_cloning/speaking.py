"""The film of the speech, what was measured on it, and the sound to take along."""

import itertools

import numpy as np
import streamlit as st

from explorer.audio.features import parts
from explorer.audio.recordings import written
from explorer.audio.spectrogram import BANDS, HIGHEST, LOWEST, RATE
from explorer.data.speech.phones import SILENCE
from explorer.lessons.voice_cloning.near import Near, Understood, near, understood
from explorer.lessons.voice_cloning.speaking import Script, Spoken
from explorer.lessons.voice_cloning.voices import about, built_in, model
from explorer.ui.speech import Strip, speech
from explorer.ui.voice_cloning.asking import Wish
from explorer.ui.voice_cloning.computed import as_int16, found, spoken

COMMENT = "Synthetic speech, made with Diffusion Explorer. This is nobody's recording."


def minus(value: float) -> str:
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")


def show_speech(wish: Wish) -> Spoken:
    """What is heard, from noise to the end."""
    said = spoken(wish.key, wish.mine, wish.text, wish.speed, wish.asked)
    walk = said.speech
    levels = model().denoiser.schedule.log_snr(walk.t).tolist()
    captions = [
        "done" if t == 0 else f"step {k} of {len(walk.t) - 1}, log-SNR {minus(level)}"
        for k, (t, level) in enumerate(zip(walk.t.tolist(), levels, strict=True))
    ]
    _, hertz, voiced = parts(walk.guess[:, 0])
    pitch = np.where(voiced.numpy() > 0.5, hertz.numpy().clip(60, 420), 0)
    words, phones = timed(said.script)
    noisy, guess = walk.x[:, 0, :BANDS], walk.guess[:, 0, :BANDS]
    speech(
        [
            Strip("What is there", noisy.numpy(), as_int16(said.noisy), captions, "noise"),
            Strip("What the model guesses", guess.numpy(), as_int16(said.guessed), captions, "model"),
        ],
        pitch,
        words,
        phones,
        key="voice_film",
        rate=RATE,
        hertz=(LOWEST, HIGHEST),
        label=f"speech from noise in {wish.asked.steps} steps",
        foot="Loudness by frequency, from quiet to loud; below it the words, their sounds, and the guess's pitch, "
        "60 to 420 Hz.",
    )
    return said


def timed(script: Script) -> tuple[list[tuple[str, float, float]], list[tuple[str, float, float]]]:
    """The words and the phones of a script with their seconds."""
    ends = list(itertools.accumulate(script.seconds))
    starts = [0.0, *ends[:-1]]
    phones = [
        ("" if phone == SILENCE else phone.rstrip("012"), start, end)
        for phone, start, end in zip(script.phones, starts, ends, strict=True)
    ]
    words, at = [], 1
    for word in script.words:
        if word.text != ",":
            words.append((word.text, starts[at], ends[at + len(word.phones) - 1]))
        at += len(word.phones)
    return words, [phone for phone in phones if phone[0]]


def measured(wish: Wish, said: Spoken) -> tuple[Near, Understood]:
    """How near the voice comes, and what is understood."""
    return found(
        "measured",
        wish.key,
        wish.mine,
        wish.text,
        wish.speed,
        wish.asked,
        lambda: (near(said.audio, wish.reference.judged), understood(said.audio, said.script)),
    )


def summary(wish: Wish, said: Spoken) -> None:
    """The figures of what was just made, in two lines, and the sound as a file."""
    alike, heard = measured(wish, said)
    right = sum(one for _, one in heard.words)
    nearest = built_in()[alike.nearest].label
    if alike.nearest == wish.key:
        told = "of the built-in voices it is **nearest to its own**"
    else:
        told = f"of the built-in voices it is nearest to **{nearest}**"
    seconds, pairs = said.audio.shape[0] / RATE, about()["likeness"]
    asked = said.speech.conditions
    st.markdown(
        f"A judge, another network, finds the likeness to the reference **{alike.to_reference:.2f}** (two recordings "
        f"of one person: {pairs['same'][50]:.2f}; of two: {pairs['different'][50]:.2f}); {told}. It understands "
        f"**{right} of {len(heard.words)}** words."
    )
    left, right_side = st.columns([3.4, 1], vertical_alignment="center")
    right_side.download_button(
        "WAV",
        lambda: written(said.audio, COMMENT),
        "synthetic-speech.wav",
        "audio/wav",
        on_click="ignore",
        icon=":material/download:",
        key="voice_wav",
        help="With the mark, whose loudness **The mark** shows, and a comment that says that it is synthetic.",
    )
    left.caption(
        f"{seconds:.1f} s of speech from {wish.asked.steps} steps of {asked} network call{'s' * (asked > 1)} each, in "
        f"**{said.speech.seconds:.2f} s** when it was first made. Making every step audible took longer."
    )
