"""What happened, one JSON object a line, and never of whom: no names, no addresses, nothing that anybody typed.

So of an error it tells the kind and the places in the code, and not the text, which may quote what a visitor gave.
"""

import io
import json
import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

FORMAT = "%(json)s"  # of a `logging.Formatter`, once `begin` was called
log = logging.getLogger("explorer")


def tell(what: str, **about: str | float | None) -> None:
    """Something happened: `about` holds numbers and names that stand in the code."""
    log.info(what, *([about] if about else []))


def begin() -> None:
    """From now on everything that this process logs, warns of or prints is such lines, on stderr; call it once."""
    logging.setLogRecordFactory(_Record)
    logging.captureWarnings(True)
    logging.basicConfig(level=logging.WARNING)
    others = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    for handler in [handler for one in (logging.root, *others) for handler in one.handlers]:
        handler.setFormatter(logging.Formatter(FORMAT))
    log.setLevel(logging.INFO)
    sys.stdout = sys.stderr = _Lines(sys.stderr)
    sys.excepthook = lambda kind, error, _: log.critical("The process ends in an error.", exc_info=error)
    threading.excepthook = lambda seen: log.error("A thread ended in an error.", exc_info=seen.exc_value)


class _Record(logging.LogRecord):
    """A record whose whole line is its attribute `json`; what else a formatter would append is in it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        about = self.args if isinstance(self.args, dict) else {}
        error = self.exc_info[1] if self.exc_info else None
        if error is not None:
            places = traceback.extract_tb(error.__traceback__)
            about = {
                **about,
                "error": type(error).__name__,
                "at": [f"{place.filename}:{place.lineno} {place.name}" for place in places],
            }
        self.exc_info = None
        self.json = _line(self.levelname, self.name, self.getMessage(), self.created, about)


class _Lines(io.TextIOBase):
    """A stream on which what is printed becomes lines of the log; those that are such pass."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._unfinished, self._writes = stream, "", threading.Lock()

    def write(self, text: str) -> int:
        with self._writes:
            *lines, self._unfinished = (self._unfinished + text).split("\n")
            for line in filter(str.strip, lines):
                made = line.startswith('{"time": ')
                self._stream.write(
                    (line if made else _line("INFO", "print", line, datetime.now(UTC).timestamp())) + "\n"
                )
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()


def _line(level: str, name: str, message: str, seconds: float, about: dict[str, Any] | None = None) -> str:
    when = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": when, "level": level.lower(), "logger": name, "message": message, **(about or {})})
