"""One binary buffer for a component: a JSON header, then the arrays it names.

Streamlit passes raw bytes to a component only as the whole of `data`, so the header
travels inside. Layout: uint32 length of the header, the header (UTF-8 JSON, padded with
spaces so that the arrays start at a multiple of 4), then each array, little-endian,
padded to a multiple of 4. `assets/components/buffer.js` reads it.
"""

import json
from typing import Any

import numpy as np

_DTYPES = {"float32": "f4", "int32": "i4", "int16": "i2", "uint8": "u1"}


def pack(meta: dict[str, Any], **arrays: np.ndarray) -> bytes:
    """Pack JSON-serialisable `meta` and float32, int32, int16 or uint8 arrays of any shape.

    Raises `KeyError` for another dtype.
    """
    table: dict[str, Any] = {}
    blocks = []
    offset = 0
    for name, array in arrays.items():
        block = np.ascontiguousarray(array).tobytes()
        table[name] = {"dtype": _DTYPES[array.dtype.name], "shape": array.shape, "offset": offset}
        block += b"\0" * (-len(block) % 4)
        blocks.append(block)
        offset += len(block)
    header = json.dumps({"meta": meta, "arrays": table}).encode()
    header += b" " * (-len(header) % 4)
    return b"".join([len(header).to_bytes(4, "little"), header, *blocks])
