"""The GPUs of this machine: asked of the drivers' own programs, without torch, and never waiting for one that hangs."""

import contextlib
import json
import os
import platform
import queue
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Thread, Timer

from explorer.hardware.catalogue import Card, cards
from explorer.once import once

DRM = Path("/sys/class/drm")
MIB = 2**20
MOST_BYTES = 2**17  # read of what a program says
MOST_MEMORY = 2**50
GRACE = 0.5  # seconds for a program that was stopped to be gone
ABSENT = re.compile(r"\[?(n/a|not supported|unknown error|insufficient permissions)\]?", re.IGNORECASE)
NAMELESS = re.compile(r"|n/a|0x[0-9a-f]*", re.IGNORECASE)


@dataclass(frozen=True)
class Gpu:
    """`memory` and what of it is `free`, in bytes; None where the driver does not say, as on a DGX Spark, whose CPU and
    GPU share it. A Mac's is all that the machine has. `how` is the program or the place that told."""

    name: str
    vendor: str
    memory: int | None
    free: int | None
    how: str

    @property
    def card(self) -> Card | None:
        """The card of the catalogue that this is, if it has it."""
        return match(self.name, self.memory)


@dataclass(frozen=True)
class Found:
    """The GPUs, and sentences about who was asked and did not answer well. None of either: there is no driver."""

    gpus: tuple[Gpu, ...]
    problems: tuple[str, ...]


class Silent(Exception):
    """A program that gave no answer; the text is a sentence about it."""


def found(timeout: float = 3.0) -> Found:
    """Ask for the GPUs of NVIDIA, AMD and Apple, all at once, in at most `timeout` seconds and a little; never raises.

    Each is asked in a thread of its own, which is left behind if the system does not let go of it. Intel's are not
    found: they have no program that comes with every driver.
    """
    answers: queue.SimpleQueue[tuple[str, Found]] = queue.SimpleQueue()

    def ask_in_thread(vendor: str, ask: Callable[[float], Found]) -> None:
        try:
            answers.put((vendor, ask(timeout)))
        except Exception as error:
            answers.put((vendor, Found((), (f"Looking for GPUs of {vendor} failed: {type(error).__name__}.",))))

    for vendor, ask in WAYS.items():
        Thread(target=ask_in_thread, args=(vendor, ask), daemon=True).start()
    deadline = time.monotonic() + timeout + 2 * GRACE
    heard: dict[str, Found] = {}
    with contextlib.suppress(queue.Empty):
        while len(heard) < len(WAYS):
            vendor, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            heard[vendor] = answer
    late = tuple(f"Nobody says within {timeout:g} s whether there is a GPU of {v}." for v in WAYS if v not in heard)
    told = [heard[vendor] for vendor in WAYS if vendor in heard]
    return Found(
        tuple(gpu for answer in told for gpu in answer.gpus),
        tuple(problem for answer in told for problem in answer.problems) + late,
    )


def match(name: str, memory: int | None = None) -> Card | None:
    """The card of the catalogue that a driver calls `name`; None where it has none, or one with other `memory` (bytes).

    Only whole names count, so that a laptop's RTX 4090 is no RTX 4090; cards of one name are told apart by their
    memory. Of Apple's chips the catalogue has the one with the largest GPU.
    """
    card = _names().get(_plain(name))
    if card is None or not memory or card.unified:
        return card
    expected = (card.reported or card.memory or memory) / card.devices
    return card if abs(memory / expected - 1) < 0.15 else None


@once()
def _names() -> dict[str, Card]:
    return {_plain(name): card for card in cards() for name in (card.name, *card.aliases)}


def _plain(name: str) -> str:
    """A name without what drivers put around it: "NVIDIA L4", "Intel(R) Arc(TM) B580 Graphics" -> "l4", "arc b580"."""
    words = re.sub(r"\((?:r|tm)\)|[®™]", " ", name.casefold()).split()
    if words and words[0] in ("nvidia", "amd", "intel"):
        words = words[1:]
    return " ".join(words).removesuffix(" graphics")


def ask_nvidia(timeout: float) -> Found:
    """What `nvidia-smi` says."""
    fields = "--query-gpu=name,memory.total,memory.free"
    try:
        text = _run(["nvidia-smi", fields, "--format=csv,noheader,nounits"], timeout)
    except FileNotFoundError:
        return Found((), ())
    except Silent as error:
        return Found((), (f"{error}",))
    lines = [line for line in text.splitlines() if line.strip()]
    gpus = [gpu for line in lines if (gpu := _nvidia(line))]
    problems = [f"nvidia-smi names no GPU here: {_clean(line)}." for line in lines if not _nvidia(line)]
    return Found(tuple(gpus), tuple(problems[:1]))


def _nvidia(line: str) -> Gpu | None:
    name, *sizes = (part.strip() for part in line.rsplit(",", 2))
    known = [_count(size) is not None or ABSENT.fullmatch(size) for size in sizes]
    if not _clean(name) or len(known) != 2 or not all(known):
        return None
    total, free = (None if count is None else count * MIB for count in map(_count, sizes))
    return Gpu(_clean(name), "NVIDIA", total or None, free, "nvidia-smi")


def ask_amd(timeout: float) -> Found:
    """What `rocm-smi` says, or else the kernel."""
    problems: tuple[str, ...] = ()
    try:
        text = _run(["rocm-smi", "--showproductname", "--showmeminfo", "vram", "--json"], timeout)
        gpus = _rocm(text)
        if gpus:
            return Found(gpus, ())
        problems = (f"rocm-smi names no GPU: {_clean(text) or 'it says nothing'}.",)
    except FileNotFoundError:
        pass
    except Silent as error:
        problems = (f"{error}",)
    return Found(_amd_of_the_kernel(), problems)


def _rocm(text: str) -> tuple[Gpu, ...]:
    """The cards of its JSON, {"card0": {"Card Series": ..., "VRAM Total Memory (B)": ...}, ...}; warnings may stand
    before it, and the case of the keys differs with the version."""
    try:
        answer, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    except (ValueError, RecursionError):
        return ()
    gpus = []
    for entry in answer.values():
        about = {str(key).casefold(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
        if total := _count(about.get("vram total memory (b)")):
            used = _count(about.get("vram total used memory (b)"))
            names = (about.get(key) for key in ("card series", "device name", "card model"))
            name = next((clean for clean in map(_clean, names) if not NAMELESS.fullmatch(clean)), "")
            free = None if used is None else max(0, total - used)
            gpus.append(Gpu(name or "AMD graphics card", "AMD", total, free, "rocm-smi"))
    return tuple(gpus)


def _amd_of_the_kernel() -> tuple[Gpu, ...]:
    """What amdgpu, the kernel's driver, says; a GPU within a processor has only a small memory of its own."""
    gpus = []
    for device in sorted(path / "device" for path in DRM.glob("card*") if path.name.removeprefix("card").isdecimal()):
        if total := _count(_line(device / "mem_info_vram_total")):
            used = _count(_line(device / "mem_info_vram_used"))
            name = _clean(_line(device / "product_name")) or "AMD graphics card"
            free = None if used is None else max(0, total - used)
            gpus.append(Gpu(name, "AMD", total, free, f"{DRM}"))
    return tuple(gpus)


def ask_apple(timeout: float) -> Found:
    """What macOS says of its chip and the memory that CPU and GPU share."""
    if platform.system() != "Darwin":
        return Found((), ())
    try:
        text = _run(["sysctl", "-n", "hw.memsize", "machdep.cpu.brand_string"], timeout)
    except FileNotFoundError:
        return Found((), ("There is no sysctl to ask for the chip of this Mac.",))
    except Silent as error:
        return Found((), (f"{error}",))
    size, _, chip = text.partition("\n")
    if not _count(size) or not _clean(chip):
        return Found((), (f"sysctl does not name the chip of this Mac: {_clean(text) or 'it says nothing'}.",))
    own = _clean(chip).startswith("Apple")
    return Found((Gpu(_clean(chip), "Apple", _count(size), None, "sysctl"),) if own else (), ())


WAYS: dict[str, Callable[[float], Found]] = {"NVIDIA": ask_nvidia, "AMD": ask_amd, "Apple": ask_apple}


def _run(command: list[str], timeout: float) -> str:
    """What a program prints, at most `MOST_BYTES` of it. Raises FileNotFoundError where there is no such program, and
    Silent for one that takes longer, fails or cannot be started."""
    program = shutil.which(command[0])
    if program is None:
        raise FileNotFoundError(command[0])
    try:
        process = subprocess.Popen(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise Silent(f"{command[0]} could not be started: {error.strerror}.") from None
    assert process.stdout
    began = time.monotonic()
    timer = Timer(timeout, _stop, [process])
    timer.daemon = True
    timer.start()
    try:
        said = process.stdout.read(MOST_BYTES)
        if len(said) < MOST_BYTES:
            process.wait(max(0.0, timeout - time.monotonic() + began) + GRACE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        timer.cancel()
        _stop(process)
        process.stdout.close()
    if time.monotonic() - began >= timeout:
        raise Silent(f"{command[0]} did not answer within {timeout:g} s.")
    if len(said) == MOST_BYTES:
        raise Silent(f"{command[0]} says more than an answer takes.")
    text = said.decode(errors="replace")
    if process.returncode:
        reason = f": {_clean(text)}" if _clean(text) else ""
        raise Silent(f"{command[0]} ended with code {process.returncode}{reason}.")
    return text


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started; what the system holds on to is left behind."""
    if process.returncode is not None:
        return  # its number may be another's by now
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)


def _clean(text: object) -> str:
    """The first line of it that says something, in at most 100 printable characters, without a full stop."""
    lines = ("".join(filter(str.isprintable, line)).strip() for line in f"{text or ''}".splitlines())
    return next(filter(None, lines), "")[:100].strip().rstrip(".")


def _count(text: object) -> int | None:
    """A whole number of bytes or MiB, if it is one that memory may have."""
    digits = f"{text}".strip()
    fits = digits.isascii() and digits.isdecimal() and len(digits) <= 20
    return int(digits) if fits and int(digits) <= MOST_MEMORY else None


def _line(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None
