"""How long does speech take, from the text and the recording to the waveform, beside Griffin and Lim's method?"""

from argparse import Namespace
from collections.abc import Iterator

import torch

from benchmarks.pictures import milliseconds
from benchmarks.tables import table
from explorer.audio.features import features, parts
from explorer.audio.recordings import read_recording
from explorer.audio.spectrogram import RATE, griffin_lim
from explorer.audio.watermark import detect, marked
from explorer.lessons.voice_cloning import voices
from explorer.lessons.voice_cloning.speaking import Asked, heard, script, speak

TEXTS = {
    "three digits": ("three one four", 1_000),
    "a sentence": ("We waited until it was dark, and then went home.", 2_000),
}
VOICE = "af_bella"


def run(arguments: Namespace) -> Iterator[str]:
    """Each text as a whole, with its budget, then the parts of the sentence."""
    repeats, model = 5 if arguments.quick else 20, voices.model()
    content = voices.built_in()[VOICE].content
    voice = voices.reference_of(VOICE).voice

    def whole(text: str) -> torch.Tensor:
        told = script(model, text)
        return marked(heard(model, speak(model, [told.sounds()], voice, Asked()).features))

    rows: list[list[object]] = []
    for name, (text, budget) in TEXTS.items():
        seconds = whole(text).shape[1] / RATE
        rows.append([f"{name}, {seconds:.1f} s", *milliseconds(lambda: whole(text), repeats), budget])  # noqa: B023
    text = TEXTS["a sentence"][0]
    sounds = [script(model, text).sounds()]
    made = speak(model, sounds, voice, Asked()).features
    audio = marked(heard(model, made))
    recording = read_recording(content).audio
    shares = {
        "its script": lambda: script(model, text),
        f"its network calls, {Asked().steps} steps of 2": lambda: speak(model, sounds, voice, Asked()),
        "its sound, by the vocoder": lambda: heard(model, made),
        "its sound, by Griffin and Lim's method instead": lambda: griffin_lim(parts(made)[0]),
        "its mark": lambda: marked(audio),
        "to look for the mark": lambda: detect(audio[0]),
        f"a reference of {len(recording) / RATE:.1f} s: reading": lambda: read_recording(content),
        "its features": lambda: features(recording),
    }
    rows += [[name, *milliseconds(work, repeats), ""] for name, work in shares.items()]
    title = f"Speech, {torch.get_num_threads()} thread(s), median of {repeats}"
    yield table(title, ["", "milliseconds", "least", "budget"], rows)
