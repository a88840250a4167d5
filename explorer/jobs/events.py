"""Events, and the bytes that carry them between the server and its workers.

Layout of a message: uint32 length of the header, uint32 length of the body (both little-endian),
the header (UTF-8 JSON), then each array's values, little-endian, padded to a multiple of 8. Nothing
is pickled: what arrives is JSON and numbers.
"""

import json
import math
import struct
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

MAX_MESSAGE_BYTES = 64 * 2**20
BEGIN = "job:begin"  # the kind of a worker's first message about a job
# The kind of a worker's last message about a job. Data: "error", a sentence or None; "gone", true where the worker is.
END = "job:end"

TOO_MUCH = 75  # exit code of a worker whose job took more memory than it may

_PREFIX = struct.Struct("<II")
_DTYPES = {
    "float16": "<f2",
    "float32": "<f4",
    "float64": "<f8",
    "int64": "<i8",
    "int32": "<i4",
    "int16": "<i2",
    "uint8": "u1",
}


class JobError(Exception):
    """Raise it in a task: its text is a sentence for the person who started the job."""


class MessageError(ValueError):
    """A message that is cut short, too large or not a message."""


@dataclass(frozen=True)
class Event:
    """What a task says: a kind, JSON-serialisable `data` and arrays by name.

    `number` counts the events of one kind from 1 on; the worker sets it. It may skip, because
    only the newest event of a kind is delivered.
    """

    kind: str
    data: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    number: int = 0


def encode(event: Event) -> bytes:
    """The message that carries `event`; arrays are float16, 32 or 64, int16, 32 or 64, or uint8.

    Raises `TypeError` for another dtype or data that JSON cannot hold, `MessageError` above 64 MiB.
    """
    table, blocks = [], []
    for name, array in event.arrays.items():
        if array.dtype.name not in _DTYPES:
            raise TypeError(f"array {name!r} is {array.dtype.name}; allowed are {', '.join(_DTYPES)}")
        table.append([name, array.dtype.name, array.shape])
        block = array.astype(_DTYPES[array.dtype.name], copy=False).tobytes()
        blocks.append(block + b"\0" * (-len(block) % 8))
    header = json.dumps([event.kind, event.number, event.data, table]).encode()
    body_size = sum(map(len, blocks))
    if len(header) + body_size > MAX_MESSAGE_BYTES:
        raise MessageError(f"a message holds at most {MAX_MESSAGE_BYTES // 2**20} MiB")
    return b"".join([_PREFIX.pack(len(header), body_size), header, *blocks])


def read(stream: IO[bytes]) -> Event | None:
    """The next event of a blocking stream; None at its end. The arrays are writable.

    Raises `MessageError` when the stream ends inside a message or does not hold one.
    """
    parts = _receive(stream)
    try:
        return parts and _decode(*parts)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise MessageError(f"not a message: {error}") from error


def read_unopened(stream: IO[bytes]) -> tuple[str, bytes] | None:
    """Kind and bytes of the next message, as `read` but with what is in it left alone."""
    if parts := _receive(stream):
        return json.loads(parts[0])[0], b"".join([_PREFIX.pack(*map(len, parts)), *parts])
    return None


def _receive(stream: IO[bytes]) -> tuple[bytes, bytearray] | None:
    """Header and body of the next message; None at the end."""
    prefix = stream.read(_PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < _PREFIX.size:
        raise MessageError("the stream ended inside a message")
    header_size, body_size = _PREFIX.unpack(prefix)
    if header_size + body_size > MAX_MESSAGE_BYTES:
        raise MessageError(f"a message of {header_size + body_size} bytes is too large")
    header, body = stream.read(header_size), bytearray(body_size)
    if len(header) < header_size or stream.readinto(body) < body_size:  # type: ignore[attr-defined]
        raise MessageError("the stream ended inside a message")
    return header, body


def _decode(header: bytes, body: bytearray) -> Event:
    kind, number, data, table = json.loads(header)
    if not (isinstance(kind, str) and isinstance(number, int) and isinstance(data, dict)):
        raise TypeError("a kind, a number and data were expected")
    arrays, offset = {}, 0
    for name, dtype, shape in table:
        if not all(isinstance(size, int) and size >= 0 for size in shape):
            raise ValueError(f"the shape {shape} is impossible")
        values = np.frombuffer(body, _DTYPES[dtype], math.prod(shape), offset)
        arrays[name] = values.reshape(shape)
        offset += values.nbytes + -values.nbytes % 8
    if offset != len(body):
        raise ValueError("the arrays do not fill the body")
    return Event(kind, data, arrays, number)
