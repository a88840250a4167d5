"""What an operator may set: environment variables, `DIFFUSION_EXPLORER_` and the name of a field of `Settings`."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PREFIX = "DIFFUSION_EXPLORER_"
LOGS = ("text", "json")


class SettingError(ValueError):
    """A variable that says what cannot be; the text is a sentence for the operator."""


def _listening(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError("PORT or HOST:PORT is needed")
    return host.strip("[]") or "127.0.0.1", int(port)


def _logs(text: str) -> str:
    if text not in LOGS:
        raise ValueError(f"one of {', '.join(LOGS)} is needed")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise ValueError("a whole number from 1 on is needed")
    return int(text)


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("there is no user of that name") from error


def _how(read: Callable[[str], Any], about: str, otherwise: str) -> dict[str, Any]:
    """How a variable's text is read; what it sets and what holds without it, as docs/operating.md says."""
    return {"read": read, "about": about, "otherwise": otherwise}


def _address(text: str) -> str:
    if text.startswith("ray://"):
        raise ValueError(
            "ray:// is for notebooks; the address of the head is needed, as `ray start` takes it: HOST:PORT"
        )
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise ValueError("the address of the head is needed, as `ray start` takes it: HOST:PORT")
    if not hasattr(socket, "send_fds"):
        raise ValueError("this system cannot hand sockets to another process; a cluster needs Linux or macOS")
    return text


def _gpus(text: str) -> float:
    share = float(text) if text.isascii() and text.replace(".", "", 1).isdigit() else 0.0
    if not (0 < share <= 1 or (share < 1e3 and share.is_integer() and share > 0)):
        raise ValueError("a share between 0 and 1 is needed, such as 0.25, or a whole number")
    return share


@dataclass(frozen=True)
class Settings:
    """Every setting of a server; `read` takes them from the environment."""

    data: Path | None = field(
        default=None,
        metadata=_how(_folder, "folder of downloaded data sets", "`diffusion-explorer` in the user's cache folder"),
    )
    workers: int | None = field(
        default=None, metadata=_how(_count, "jobs that run at once", "as the cores and the memory allow")
    )
    job_memory: int | None = field(
        default=None, metadata=_how(_count, "MiB of memory that a job may take", "an equal share of what is there")
    )
    job_seconds: int = field(default=600, metadata=_how(_count, "seconds that a job may run", "600"))
    cluster: str | None = field(
        default=None,
        metadata=_how(_address, "HOST:PORT of the head of a Ray cluster that jobs run on", "they run on this machine"),
    )
    cluster_gpus: float | None = field(
        default=None,
        metadata=_how(_gpus, "GPUs, or a share of one, that a training of images asks for on the cluster", "none"),
    )
    logs: str = field(
        default="text",
        metadata=_how(
            _logs,
            "`json` for logs of one object a line, without personal data; or `text`, as Streamlit writes",
            "`text`",
        ),
    )
    metrics: tuple[str, int] | None = field(
        default=None,
        metadata=_how(
            _listening, "port of figures for Prometheus, for this machine alone, or `HOST:PORT` for others", "none"
        ),
    )

    @property
    def job_bytes(self) -> int | None:
        """`job_memory` in bytes."""
        return self.job_memory and self.job_memory * 2**20


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `environment`; an empty variable counts as none.

    Raises `SettingError` for a variable with the prefix that is none of them, or whose text cannot be read.
    """
    known = {PREFIX + one.name.upper(): one for one in fields(Settings)}
    values = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or not text:
            continue
        if name not in known:
            raise SettingError(f"{name} is not a setting; there are {', '.join(known)}.")
        try:
            values[known[name].name] = known[name].metadata["read"](text)
        except ValueError as error:
            raise SettingError(f"{name}={text!r}: {error}.") from error
    return Settings(**values)
