"""Write assets/SHA256SUMS: the checksums of the files that pages read, after a script or a person has changed one.

    python scripts/sum_assets.py
    cd assets && sha256sum --check SHA256SUMS

Weights have theirs in their model cards. The code of components, pictures of the frame, and the catalogue that whoever
runs a server may edit, which is checked row by row, have none.
"""

from hashlib import sha256
from pathlib import Path

from explorer.files import ASSETS, SUMS

READ = {".json", ".csv", ".toml", ".gz", ".png", ".flac"}
EDITED = {"hardware/cards.toml", "hardware/builds.toml", "hardware/sources.toml"}
CODE = {"components", "images"}


def summed() -> list[Path]:
    """The files of the list, in its order."""
    found = sorted(path for path in ASSETS.rglob("*") if path.suffix in READ)
    return [
        path for path in found if path.parent.name not in CODE and path.relative_to(ASSETS).as_posix() not in EDITED
    ]


def lines() -> str:
    """The list as it should be."""
    return "".join(
        f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(ASSETS).as_posix()}\n" for path in summed()
    )


if __name__ == "__main__":
    (ASSETS / SUMS).write_text(lines())
