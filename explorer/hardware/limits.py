"""What the system lets this process have: cores and memory, those of its container included."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores that this process may use: its affinity mask and, in a container, the CPU quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _groups("cpu"):
        with contextlib.suppress(OSError, ValueError):
            if (group / "cpu.max").exists():
                quota, period = map(int, (group / "cpu.max").read_text().split())
            else:
                quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
            if quota > 0:
                cores = min(cores, max(1, round(quota / period)))
    return cores


def allowed_memory() -> int | None:
    """Bytes that this process may have: what is installed, or less in a container; None where nothing tells."""
    try:
        installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    return min([installed, *(limit for limit, _ in _memory_of_groups())])


def free_memory() -> int | None:
    """Bytes that this process and others could still take before memory runs out; None where nothing tells.

    What files hold in memory and nobody used lately counts as free.
    """
    free = [limit - used for limit, used in _memory_of_groups()]
    with contextlib.suppress(OSError, KeyError):
        free.append(_numbers(PROC / "meminfo")["MemAvailable:"] * 1024)
    return max(0, min(free)) if free else None


def own_memory(pid: int | str = "self") -> int | None:
    """Bytes of a process that are its own and no file's; None where nothing tells."""
    try:
        about = _numbers(PROC / str(pid) / "status")
        return (about["RssAnon:"] + about["RssShmem:"]) * 1024
    except (OSError, KeyError):
        return None


def _memory_of_groups() -> Iterator[tuple[int, int]]:
    """Limit and use, in bytes, of each control group with a limit that this process is in."""
    for group in _groups("memory"):
        names = ("memory.max", "memory.current", "inactive_file")
        if not (group / names[0]).exists():
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        with contextlib.suppress(OSError, ValueError, KeyError):
            limit, used = (int((group / name).read_text()) for name in names[:2])  # "max" is no number
            if limit > 0:
                yield limit, used - _numbers(group / "memory.stat")[names[2]]


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, of either version, from its own to the root's."""
    try:
        lines = (PROC / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for number, controllers, path in (line.split(":", 2) for line in lines):
        if number == "0" or controller in controllers.split(","):
            mount = CGROUPS if number == "0" else CGROUPS / controller
            group = mount / path.lstrip("/")
            while group.is_relative_to(mount):
                yield group
                group = group.parent


def _numbers(file: Path) -> dict[str, int]:
    """The lines of a file that are a name and a number, perhaps with a unit."""
    lines = (line.split() for line in file.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}
