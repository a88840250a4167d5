"""How well the model speaks, by judges that others made (`hear_speech.py`).

    python scripts/measure_speech.py FOLDER --spoken build/speech/kokoro --held-out build/speech/held-out
        [--others build/speech/others] [--digits recordings.tar.gz] [--out sounds]

FOLDER holds the weights that the training scripts have made.
"""

import argparse
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from hear_speech import DIGITS, Ears
from speech import utterances
from torch import Tensor
from train_speech import loaded

from explorer.audio.features import features, levelled, parts
from explorer.audio.spectrogram import RATE, griffin_lim
from explorer.lessons.voice_cloning.speaking import Asked, Model, heard, script, speak
from explorer.lessons.voice_cloning.voices import NAME
from explorer.networks.blocks import build
from explorer.networks.durations import Durations
from explorer.networks.vocoder import Vocoder
from explorer.zoo import load_durations, load_vocoder

SENTENCES = """The old clock on the wall has stopped again.
My sister bought a yellow bicycle last winter.
Please leave your wet shoes outside the door.
We walked along the river until it was dark.
A small dog was sleeping under the kitchen table.
The teacher wrote three long words on the board.
Nobody knew why the lights went out that night.
Fresh bread smells better than any perfume.
He lost his keys somewhere between the bank and the station.
The children built a castle out of sand and shells.
Her voice was so quiet that we could hardly hear it.
The ship will reach the harbour before the storm.
I would like a cup of coffee with milk, please.
They painted the fence green, but the gate stayed white.
Most birds fly south when the first snow falls.
The museum opens at ten and closes at five.
Could you tell me where the library is?
He cut the apple into four equal pieces.
Mountains look blue when they are far away.
The train was full, so we waited for the next one.""".splitlines()


def model_in(folder: Path, spoken: Path) -> Model:
    """The model that was trained there, with what helps it: that of the folder, or the shipped one."""
    vocoder, durations = load_vocoder(NAME), load_durations(NAME)
    if (path := folder / "vocoder.pt").exists():
        vocoder = build(Vocoder, 0)
        vocoder.load_state_dict(torch.load(path))
    if (path := folder / "durations.pt").exists():
        durations = build(Durations, 0)
        durations.load_state_dict(torch.load(path))
    return Model(loaded(spoken), vocoder, durations)


def percent(share: float) -> float:
    return round(100 * float(share), 1)


class Measuring:
    def __init__(self, model: Model, out: Path | None):
        self.model, self.out, self.ears = model, out, Ears()

    def keep(self, name: str, audio: np.ndarray) -> None:
        if self.out:
            self.out.mkdir(exist_ok=True)
            soundfile.write(self.out / f"{name}.wav", audio, RATE)

    @torch.no_grad()
    def vector(self, audio: Iterable[Tensor]) -> Tensor:
        """The voice of recordings, one vector, (1, width)."""
        return self.model.network.encode(torch.cat([features(levelled(one)) for one in audio], 1)[None])

    def say(self, text: str, voices: Tensor, asked: Asked) -> tuple[np.ndarray, list[str]]:
        """A text in voices (n, width), (n, samples), and its phones."""
        told = script(self.model, text)
        return heard(self.model, speak(self.model, [told.sounds()], voices, asked).features).numpy(), told.phones

    def phone_errors(self, pairs: Iterable[tuple[np.ndarray, list[str]]]) -> float:
        errors = np.array([self.ears.phone_errors(audio, phones) for audio, phones in pairs])
        return percent(errors[:, 0].sum() / errors[:, 1].sum())

    def digits_right(self, pairs: Iterable[tuple[np.ndarray, str]]) -> float:
        return percent(np.mean([self.ears.digit(audio) == wanted for audio, wanted in pairs]))

    def gallery(self, spoken: dict[str, list[Tensor]], asked: Asked, texts: list[str]) -> dict[str, float]:
        """Whether a voice that is cloned from the first recordings of a speaker is nearest to the last ones of the same
        speaker, and how near."""
        names = list(spoken)
        halves = {name: len(spoken[name]) // 2 for name in names}
        known = np.stack([self.ears.voice(torch.cat(spoken[name][halves[name] :]).numpy()) for name in names])
        real = np.stack([self.ears.voice(torch.cat(spoken[name][: halves[name]]).numpy()) for name in names])
        voices = torch.cat([self.vector(spoken[name][: halves[name]]) for name in names])
        said = np.concatenate([self.say(text, voices, asked)[0] for text in texts], 1)
        made = np.stack([self.ears.voice(audio) for audio in said])
        for name, audio in zip(names, said, strict=True):
            self.keep(f"cloned-{name}", audio)
        likeness = made @ known.T
        ranks = (likeness > np.diag(likeness)[:, None]).sum(1)
        return {
            "speakers": len(names),
            "top 1 of real speech": percent(((real @ known.T).argmax(1) == np.arange(len(names))).mean()),
            "top 1": percent((ranks == 0).mean()),
            "top 3": percent((ranks < 3).mean()),
            "likeness of real speech": round(float(np.diag(real @ known.T).mean()), 3),
            "likeness": round(float(np.diag(likeness).mean()), 3),
            "likeness to the others": round(
                float((likeness.sum() - np.trace(likeness)) / (likeness.size - len(names))), 3
            ),
        }


def recorded(folder: Path) -> dict[str, list[Tensor]]:
    """voice -> its recordings."""
    found: dict[str, list[Tensor]] = {}
    for path in sorted(folder.glob("*/*.wav")):
        audio, rate = soundfile.read(path, dtype="float32")
        found.setdefault(path.parent.name, []).append(levelled(torch.from_numpy(soxr.resample(audio, rate, RATE))))
    return found


def recorded_digits(path: Path) -> dict[str, dict[int, list[Tensor]]]:
    """speaker -> digit -> takes 0 to 9 of the Free Spoken Digit Dataset."""
    found: dict[str, dict[int, list[Tensor]]] = {}
    with tarfile.open(path) as archive:
        for member in sorted(archive, key=lambda member: member.name):
            if not member.name.endswith(".wav"):
                continue
            digit, speaker, take = Path(member.name).stem.split("_")
            if int(take) < 10:
                file = archive.extractfile(member)
                assert file is not None
                audio, _ = soundfile.read(io.BytesIO(file.read()), dtype="float32")
                found.setdefault(speaker, {}).setdefault(int(digit), []).append(levelled(torch.from_numpy(audio)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--spoken", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--others", type=Path, help="the folder of `speak_others.py`")
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--scales", type=float, nargs=2, default=(2.0, 2.0))
    parser.add_argument("--few", type=int, default=20, help="sentences and trained voices")
    given = parser.parse_args()
    torch.set_num_threads(1)
    asked = Asked(*given.scales)
    measuring = Measuring(model_in(given.folder, given.spoken), given.out)
    held = {
        json.loads(str(np.load(path)["parts"])).popitem()[0]: [about for _, _, about in utterances(path)]
        for path in sorted(given.held_out.glob("voice-*.npz"))
    }
    figures: dict[str, object] = {"scales": list(given.scales)}
    real = [(one["audio"].numpy(), one["phones"]) for spoken in held.values() for one in spoken[:2]]
    figures["phone errors of real speech"] = measuring.phone_errors(real)
    copied = [(heard(measuring.model, features(torch.from_numpy(audio))[None])[0].numpy(), p) for audio, p in real]
    figures["phone errors through the vocoder"] = measuring.phone_errors(copied)
    drawn = [(griffin_lim(parts(features(torch.from_numpy(audio))[None])[0])[0].numpy(), p) for audio, p in real[:10]]
    figures["phone errors through Griffin-Lim"] = measuring.phone_errors(drawn)
    trained = [
        [about["audio"] for _, _, about in utterances(path)]
        for path in sorted(given.spoken.glob("voice-*.npz"))[: 4 * given.few : 4]
    ]
    known = torch.cat([measuring.vector(spoken[:2]) for spoken in trained])
    strangers = torch.cat([measuring.vector([one["audio"] for one in spoken[:4]]) for spoken in held.values()])
    for name, voices in (("trained voices", known), ("voices kept out", strangers)):
        pairs = []
        for k, text in enumerate(SENTENCES[: given.few]):
            audio, phones = measuring.say(text, voices[k % len(voices)][None], asked)
            pairs.append((audio[0], phones))
            measuring.keep(f"{name}-{k}", audio[0])
        figures[f"phone errors of sentences, {name}"] = measuring.phone_errors(pairs)
    spoken_digits = [(audio, digit) for digit in DIGITS for audio in measuring.say(digit, known[: given.few], asked)[0]]
    figures["digits heard, trained voices"] = measuring.digits_right(spoken_digits)
    if given.digits:
        people = recorded_digits(given.digits)
        judged = [(take, DIGITS[digit]) for of in people.values() for digit, takes in of.items() for take in takes[:5]]
        figures["digits heard, real people"] = measuring.digits_right((take.numpy(), digit) for take, digit in judged)
        figures["digits heard, real people through the vocoder"] = measuring.digits_right(
            (heard(measuring.model, features(take)[None])[0].numpy(), digit) for take, digit in judged
        )
        takes = {name: [of[digit][take] for take in range(10) for digit in of] for name, of in people.items()}
        figures["six people"] = measuring.gallery(takes, asked, SENTENCES[:3])
    figures["voices kept out"] = measuring.gallery(
        {name: [one["audio"] for one in spoken] for name, spoken in held.items()}, asked, SENTENCES[:3]
    )
    if given.others:
        figures["other synthesisers"] = measuring.gallery(recorded(given.others), asked, SENTENCES[:3])
    figures["trained voices"] = measuring.gallery(
        {f"trained-{k}": spoken for k, spoken in enumerate(trained)}, asked, SENTENCES[:3]
    )
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
