"""The job that fetches a data set: from the mirrors that torchvision names, checked by its checksums."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import numpy as np

from explorer.jobs.events import Event, JobError

CHUNK_BYTES = 2**16
TIMEOUT = 20.0  # seconds without an answer
UNFINISHED = "download-"
ABANDONED = 3600.0  # seconds since anything was written


def download(params: dict[str, Any], arrays: dict[str, np.ndarray], stop: Callable[[], bool]) -> Iterator[Event]:
    """Fetch the data set `params["dataset"]` into its folder, which then holds all of it, or nothing new.

    Sends "progress": bytes, total, share, seconds, and remaining, None at first. Raises `JobError`, with a sentence
    that says what to do, where the files cannot be fetched or kept.
    """
    from explorer.data.images import COURSE_PART, DATASETS
    from explorer.data.mnist import MNIST, files_of, folder_of

    name = params["dataset"]
    entry, folder, files = DATASETS[name], folder_of(name), files_of(COURSE_PART)
    started, done = time.monotonic(), 0

    def progress(size: int) -> Event:
        seconds, share = time.monotonic() - started, min(1.0, size / entry.download_bytes)
        remaining = seconds * (1 / share - 1) if share else None
        about = {"bytes": size, "total": entry.download_bytes, "share": share, "seconds": seconds}
        return Event("progress", {**about, "remaining": remaining})

    yield progress(0)
    published = _published(MNIST[name].torchvision)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{UNFINISHED}*"):  # by a worker that was ended while it waited for a mirror
            if time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder) as unfinished:
            for file in files:
                path, checksum = Path(unfinished) / file, dict(published.resources)[file]
                for size in _fetch(published.mirrors, path, checksum, entry.download_bytes):
                    yield progress(done + size)
                    if stop():
                        return
                done += path.stat().st_size
            for file in files:
                os.replace(Path(unfinished) / file, folder / file)
    except _NotFetched as error:
        raise JobError(
            f"{entry.label} could not be downloaded because {error}: connect this machine to the internet and try "
            f"again, or put {' and '.join(files)} into {folder}, or take the 8 x 8 digits, which are always here."
        ) from error
    except OSError as error:
        raise JobError(
            f"The folder {folder} cannot be written ({error.strerror or error}): make room there, or start the app "
            "with DIFFUSION_EXPLORER_DATA set to another folder."
        ) from error


class _NotFetched(Exception):
    """No mirror gave the file; the text says why, to be read after "because"."""


def _published(torchvision_class: str) -> Any:
    """The class of `torchvision.datasets` that knows the mirrors and the checksums."""
    try:
        from torchvision import datasets
    except ImportError as error:
        raise JobError(
            "The download needs the package torchvision, which is not installed here: run `pip install torchvision` "
            "and try again, or take the 8 x 8 digits, which are always here."
        ) from error
    return getattr(datasets, torchvision_class)


def _fetch(mirrors: Sequence[str], path: Path, checksum: str, most_bytes: int) -> Iterator[int]:
    """Write a file from the first mirror that has it whole; yields its bytes so far. Raises `_NotFetched`."""
    from torchvision.datasets.utils import check_integrity

    problems = []
    for mirror in mirrors:
        try:
            with path.open("wb") as file:
                for chunk in _chunks(mirror + path.name):
                    file.write(chunk)
                    yield file.tell()
                    if file.tell() > most_bytes:
                        break
        except _NotFetched as error:
            problems.append(str(error))
        else:
            if check_integrity(path, checksum):
                return
            problems.append("what came is not the file that its authors published (a sign-in page may have answered)")
    raise _NotFetched(problems[0])


def _chunks(url: str) -> Iterator[bytes]:
    try:
        with urlopen(Request(url, headers={"User-Agent": "diffusion-explorer"}), timeout=TIMEOUT) as reply:
            while chunk := reply.read(CHUNK_BYTES):
                yield chunk
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise _NotFetched(f"no mirror sent it ({getattr(reason, 'strerror', None) or reason})") from error
