"""Fuzz what reads the files that people bring, with atheris (`pip install atheris`, Linux); an hour in all:

for reader in images zips weights histories sounds; do python scripts/fuzz.py $reader found/ --seconds 720; done

A reader returns something sound, or raises ValueError with a sentence. Whatever else it does (another exception, more
than SLOW seconds, more than ROOM bytes) is printed with the input, which is kept in the folder, once for each place in
the code. A crash of the process leaves its input there too (`crash-...`). The folder's `corpus-...` is where the next
run goes on. `python scripts/fuzz.py READER FOLDER --seconds 0` only reads what is in the corpus.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import re
import resource
import sys
import time
import traceback
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["explorer", "PIL", "zipfile", "soundfile"]):
    import numpy as np
    import soundfile
    import torch
    from PIL import Image

    import explorer as ex
    from explorer.audio.recordings import read_recording, whole
    from explorer.data.own_images import read_zip
    from explorer.data.uploads import PNG, read_image
    from explorer.lessons.conclusion_ethics.provenance import as_picture, text_in
    from explorer.lessons.trainings.record import from_json, to_json
    from explorer.zoo import from_bytes, to_bytes

SLOW = 2.0  # seconds of one file
ROOM = 2**30  # bytes of address space that one file may take
LONGEST = 2**16  # bytes of an input
HOSTILE = [None, True, -1, 0, 2**63, 10**400, 1e308, float("nan"), float("inf"), "", "\ud800", "a" * 300, [], {}]
NAMES = ["../../x.png", "/etc/x.png", "a\\..\\x.png", "a/b/c/d.png", ".x.png", "CON.png", "e\u0301.png", "<b>.png"]


# What is read, and what must then be so


def images(content: bytes) -> None:
    for colours in (False, True):
        with refusing():
            pixels = read_image(content, colours)
            assert pixels.dtype == np.float32
            assert pixels.ndim == 2 + colours
            assert max(pixels.shape[:2]) <= 1024
            assert 0 <= pixels.min() <= pixels.max() <= 1
    with refusing():
        assert as_picture(content).shape == (1, 3, 32, 32)
    assert isinstance(text_in(content), str | None)


def zips(content: bytes) -> None:
    with refusing():
        read = read_zip(content)
        assert read.grey.shape[1:] == (28, 28)
        assert len(read.dataset().images) == len(read.grey)
        assert read.summary()


def weights(content: bytes) -> None:
    with refusing():
        denoiser, _ = from_bytes(content)
        if denoiser.network.size.get("text") is None and type(denoiser.network).__name__ in ("MLP", "UNet"):
            ex.sample(denoiser, 1, steps=1)


def histories(content: bytes) -> None:
    with refusing():
        training = from_json(content)
        from_json(to_json(training).encode())
        assert all(0 <= share <= 1 for share, _ in training.film)
        assert 0 <= training.done <= 1


def sounds(content: bytes) -> None:
    with refusing():
        speech = read_recording(content).audio
        assert speech.isfinite().all()
        assert len(speech) <= 15 * 8_000
    with refusing():
        assert whole(content).isfinite().all()


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """A ValueError with a sentence is how a file is refused."""
    try:
        yield
    except ValueError as error:
        assert re.fullmatch(r"[A-Z0-9].*[.]", str(error), re.DOTALL), f"no sentence: {error}"


# Files to begin with


def picture_files() -> Iterator[bytes]:
    grey = Image.fromarray(np.arange(12 * 16, dtype=np.uint8).reshape(12, 16))
    for mode, kind in (
        *(("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("1", "PNG"), ("I;16", "PNG")),
        *(("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("P", "GIF"), ("RGBA", "WEBP"), ("RGB", "BMP")),
    ):
        file = io.BytesIO()
        image = Image.fromarray(np.asarray(grey, np.uint16) * 300) if mode == "I;16" else grey.convert(mode)
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(file, kind, **({"exif": exif} if kind in ("PNG", "JPEG", "WEBP") else {}))
        yield file.getvalue()


def zip_files() -> Iterator[bytes]:
    pictures = list(picture_files())
    yield zipped([(f"{'ab'[k % 2]}/{k}.png", pictures[k % 5], zipfile.ZIP_DEFLATED) for k in range(12)])
    yield zipped([(f"{k}.jpg", pictures[6], zipfile.ZIP_STORED) for k in range(10)])


def weight_files() -> Iterator[bytes]:
    generator = torch.Generator().manual_seed(0)
    points = ex.make_denoiser_2d(seed=0, width=4, depth=1, features=1)
    yield to_bytes(points, name="a", distribution="moons")
    from explorer.networks.unet import UNet

    for size in (
        {"classes": 2},
        {"text": {"words": ["a", "b"], "width": 4, "layers": 1, "length": 2, "heads": 1}, "looks": [1]},
    ):
        network = UNet(widths=[8], depth=1, attention=False, **size)
        for parameter in network.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator) / 10
        denoiser = ex.Denoiser(network, ex.make_schedule("flow"), prediction="velocity", shape=(1, 8, 8))
        yield to_bytes(denoiser, name="b", dataset="digits-8", classes=["1", "2"])


def history_files() -> Iterator[bytes]:
    about = json.loads((ROOT / "assets/trainings/digits.json").read_bytes())
    for name in ("curve", "validation", "levels"):
        about[name] = about[name][:3]
    about["moments"] = dict(list(about["moments"].items())[:1])
    yield json.dumps(about).encode()


def sound_files() -> Iterator[bytes]:
    wave = 0.3 * np.sin(2 * np.pi * 130 * np.arange(9_600) / 8_000)
    for kind, subtype in (
        *(("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAV", "GSM610"), ("FLAC", "PCM_16")),
        *(("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("AIFF", None), ("CAF", "ALAC_16"), ("AU", None)),
    ):
        file = io.BytesIO()
        soundfile.write(file, wave, 8_000, subtype, format=kind)
        yield file.getvalue()


# How they are changed: what a checksum or a bracket would stop at once is put right


def any_bytes(content: bytes, most: int, chance: random.Random) -> bytes:
    return atheris.Mutate(content, most)


def picture(content: bytes, most: int, chance: random.Random) -> bytes:
    """Bytes changed, and the checksums of a PNG made right."""
    content = atheris.Mutate(content, most)
    if not content.startswith(PNG) or chance.random() < 0.2:
        return content
    whole, start = bytearray(content), len(PNG)
    while start + 12 <= len(whole):
        end = start + 12 + int.from_bytes(whole[start : start + 4])
        whole[end - 4 : end] = zlib.crc32(whole[start + 4 : end - 4]).to_bytes(4)
        start = end
    return bytes(whole[:most])


def zipped(files: list[tuple[str, bytes, int]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content, method in files:
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def zip_file(content: bytes, most: int, chance: random.Random) -> bytes:
    """An entry changed, or its name, or an entry more; or any bytes of the file."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [(one.filename, archive.read(one), one.compress_type) for one in archive.infolist()]
            place = chance.randrange(len(entries))
            name, inner, _ = entries[place]
            what = chance.random()
            if what < 0.3:
                entries[place] = (name, picture(inner, 4096, chance), zipfile.ZIP_DEFLATED)
            elif what < 0.5:
                entries[place] = (chance.choice(NAMES), inner, chance.choice((0, 8)))
            elif what < 0.6:
                entries.append((f"{chance.random()}.png", chance.choice((inner, content, bytes(2**20))), 8))
            else:
                return atheris.Mutate(content, most)
            return zipped(entries)[:most]
    except Exception:  # it is no zip any more
        return atheris.Mutate(content, most)


def changed(value: Any, chance: random.Random) -> Any:
    """A JSON value with something in it replaced, dropped or doubled."""
    if isinstance(value, dict | list) and value and chance.random() < 0.9:
        items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        name, inner = chance.choice(items)
        what = chance.random()
        if what < 0.1:
            return type(value)() if isinstance(value, list) else {k: v for k, v in items if k != name}
        if what < 0.2 and isinstance(value, list):
            return value * chance.choice((2, 1000 if len(value) < 10 else 2))
        copy = dict(value) if isinstance(value, dict) else list(value)
        copy[name] = changed(inner, chance)
        return copy
    if isinstance(value, int | float) and not isinstance(value, bool) and chance.random() < 0.5:
        return chance.choice((-value, value + 1, value * 2, value * 1000, value / 2))
    return chance.choice(HOSTILE)


def json_file(content: bytes, most: int, chance: random.Random) -> bytes:
    try:
        return json.dumps(changed(json.loads(content), chance)).encode()[:most]
    except (ValueError, ArithmeticError, RecursionError):
        return atheris.Mutate(content, most)


def weight_file(content: bytes, most: int, chance: random.Random) -> bytes:
    """The header changed, or what it says of the model, or any bytes."""
    try:
        length = int.from_bytes(content[:8], "little")
        header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
        what = chance.random()
        if what < 0.5:
            about = changed(json.loads(header["__metadata__"]["explorer"]), chance)
            header["__metadata__"]["explorer"] = json.dumps(about)
        elif what < 0.8:
            header = changed(header, chance)
        else:
            return atheris.Mutate(content, most)
        text = json.dumps(header).encode()
        return (len(text).to_bytes(8, "little") + text + body)[:most]
    except Exception:  # it is no such file any more
        return atheris.Mutate(content, most)


Change = Callable[[bytes, int, random.Random], bytes]
READERS: dict[str, tuple[Callable[[bytes], None], Callable[[], Iterator[bytes]], Change]] = {
    "images": (images, picture_files, picture),
    "zips": (zips, zip_files, zip_file),
    "weights": (weights, weight_files, weight_file),
    "histories": (histories, history_files, json_file),
    "sounds": (sounds, sound_files, any_bytes),
}


class Watch:
    """Runs a reader, and keeps each kind of finding once."""

    def __init__(self, reader: Callable[[bytes], None], folder: Path) -> None:
        self.reader, self.folder = reader, folder
        self.inputs = self.slowest = 0.0
        self.found: set[str] = set()

    def __call__(self, content: bytes) -> None:
        self.inputs += 1
        started = time.process_time()
        try:
            self.reader(content)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self.keep(content, f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {error}"[:300])
        took = time.process_time() - started
        if took > max(SLOW, self.slowest):
            self.keep(content, f"{took:.1f} s")
        self.slowest = max(self.slowest, took)

    def keep(self, content: bytes, what: str) -> None:
        kind = what.split(": ")[0]
        if kind not in self.found:
            self.found.add(kind)
            path = self.folder / f"{self.reader.__name__}-{hashlib.sha256(content).hexdigest()[:12]}"
            path.write_bytes(content)
            print(f"FOUND {what}, {len(content)} bytes: {path}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz a reader of files.")
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=int, default=720)
    asked = parser.parse_args()
    reader, seeds, change = READERS[asked.reader]
    corpus = asked.folder / f"corpus-{asked.reader}"
    corpus.mkdir(parents=True, exist_ok=True)
    first = list(seeds())
    for number, seed in enumerate(first):
        (corpus / f"seed-{number}").write_bytes(seed)
        reader(seed)  # so that what is imported and kept on the way counts as no file's
    watch = Watch(reader, asked.folder)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))

    def told(content: bytes) -> None:
        watch(content)
        if watch.inputs % 1000 == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{watch.inputs:.0f} inputs, slowest {watch.slowest:.2f} s, {peak:.0f} MiB at most", flush=True)

    def mutated(content: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        return change(chance.choice(first) if chance.random() < 0.3 else content, most, chance)

    limit = [f"-max_total_time={asked.seconds}"] if asked.seconds else ["-runs=0"]
    options = [
        f"-max_len={LONGEST}",
        "-len_control=0",
        "-timeout=60",
        "-rss_limit_mb=0",
        f"-artifact_prefix={asked.folder}/",
        *limit,
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], told, custom_mutator=mutated)
    torch.set_num_threads(1)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
