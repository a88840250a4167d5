"""What `scripts/ship_ethics.py` measured before, on data and on numbers of samples that no visitor waits for."""

import json
from typing import Any

from explorer.files import ASSETS, read_asset
from explorer.once import once

FOLDER = ASSETS / "ethics"


@once()
def figures(name: str) -> dict[str, Any]:
    """The figures of one subject: "memory", "bias", "provenance", "letters" or "video"."""
    return json.loads(read_asset(FOLDER / f"{name}.json"))
