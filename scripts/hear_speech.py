"""Judges of speech that others made: which digit, which phones, whose voice. For `measure_speech.py` alone.

pip install pocketsphinx hama resemblyzer
"""

import numpy as np
import soxr
from hama.asr import ASRModel
from pocketsphinx import Decoder
from resemblyzer import VoiceEncoder, preprocess_wav

from explorer.audio.spectrogram import RATE
from explorer.data.speech.pronunciation import ONES

DIGITS = ONES[:10]
GRAMMAR = f"#JSGF V1.0; grammar digits; public <digit> = {' | '.join(DIGITS)};"
# hama writes IPA; what no two of these tell apart is one sound here.
SOUNDS = {
    **dict.fromkeys(["ɑ", "ɒ", "a", "ɔ", "AA", "AO"], "AA"),
    **dict.fromkeys(["ʌ", "ə", "ɐ", "ᵊ", "ɜ", "AH"], "AH"),
    **dict.fromkeys(["ɛ", "e", "eə", "EH"], "EH"),
    **dict.fromkeys(["ɪ", "ɪə", "IH"], "IH"),
    **dict.fromkeys(["oʊ", "o", "OW"], "OW"),
    **dict.fromkeys(["ɝ", "ɚ", "ER"], "ER"),
    **dict.fromkeys(["ɹ", "r", "ɻ", "R"], "R"),
    **dict.fromkeys(["g", "ɡ", "G"], "G"),
    **dict.fromkeys(["t", "ɾ", "tʰ", "T"], "T"),
    **dict.fromkeys(["k", "kʰ", "x", "K"], "K"),
    **dict.fromkeys(["p", "pʰ", "P"], "P"),
    **dict.fromkeys(["h", "ɦ", "HH"], "HH"),
    **dict.fromkeys(["l", "ɫ", "L"], "L"),
    **dict.fromkeys(["j", "Y"], "Y"),
    **{"æ": "AE", "i": "IY", "ʊ": "UH", "u": "UW", "aɪ": "AY", "aʊ": "AW", "ɔɪ": "OY", "eɪ": "EY"},
    **{"b": "B", "d": "D", "f": "F", "m": "M", "n": "N", "s": "S", "v": "V", "w": "W", "z": "Z"},
    **{"ŋ": "NG", "ʃ": "SH", "ʒ": "ZH", "θ": "TH", "ð": "DH", "t͡ʃ": "CH", "d͡ʒ": "JH"},
}
TWO = {"ju": ["Y", "UW"], "je": ["Y", "EH"], "jo": ["Y", "OW"], "ja": ["Y", "AA"], "jʌ": ["Y", "AH"]}


def plain(phones: list[str]) -> list[str]:
    """Phones, of the dictionary or in IPA, as sounds that can be compared."""
    found = []
    for phone in phones:
        name = phone.rstrip("012")
        found += TWO.get(name) or (
            [SOUNDS[name]] if name in SOUNDS else [name] if name.isascii() and name.isupper() else []
        )
    return found


def distance(one: list[str], other: list[str]) -> int:
    """How many sounds must be put in, left out or changed (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for k, a in enumerate(one):
        after = [k + 1]
        for j, b in enumerate(other):
            after.append(min(after[-1] + 1, row[j + 1] + 1, row[j] + (a != b)))
        row = after
    return row[-1]


class Ears:
    """The three judges; waveforms are float32 (samples,) at 8 kHz."""

    def __init__(self) -> None:
        self.phones, self.voices = ASRModel(), VoiceEncoder("cpu", verbose=False)
        self.digits = Decoder(samprate=16_000, loglevel="FATAL")
        self.digits.add_jsgf_string("digits", GRAMMAR)
        self.digits.activate_search("digits")

    def phone_errors(self, audio: np.ndarray, phones: list[str]) -> tuple[int, int]:
        """Wrong sounds, and sounds in all."""
        wanted = plain([phone for phone in phones if phone != "_"])
        return distance(wanted, plain(self.phones(audio, RATE).phonemes)), len(wanted)

    def digit(self, audio: np.ndarray) -> str:
        """The digit that is heard, "" for none."""
        quiet = np.zeros(2_000, np.float32)
        wave = soxr.resample(np.concatenate([quiet, audio, quiet]), RATE, 16_000)
        self.digits.start_utt()
        self.digits.process_raw((wave * 32767).clip(-32768, 32767).astype(np.int16).tobytes(), full_utt=True)
        self.digits.end_utt()
        return self.digits.hyp().hypstr if self.digits.hyp() else ""

    def voice(self, audio: np.ndarray) -> np.ndarray:
        """A vector of unit length."""
        return self.voices.embed_utterance(preprocess_wav(audio, source_sr=RATE))
