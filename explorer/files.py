"""The app's own files: beside the package in a checkout, within it where a wheel was installed; read whole or not at
all.

`assets/SHA256SUMS` has the checksums of what pages read, as `sha256sum` writes and checks them, but for weights, whose
checksums stand in their model cards; `scripts/sum_assets.py` writes it.
"""

from hashlib import sha256
from pathlib import Path

from explorer.once import once

_PACKAGE = Path(__file__).parent
ROOT = next(place for place in (_PACKAGE / "app", _PACKAGE.parent) if (place / "assets").is_dir())
ASSETS = ROOT / "assets"
SUMS = "SHA256SUMS"


class AssetError(Exception):
    """A file of the app is missing, cut short or changed; the text is a sentence for the page that needs it."""


@once()
def checksums() -> dict[str, str]:
    """SHA-256 in hexadecimals by path below `assets`; none where the list itself is missing."""
    try:
        lines = (ASSETS / SUMS).read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines) if len(digest) == 64}


def has_asset(path: Path) -> bool:
    """Whether a file came with the app, even where it is missing now."""
    return path.is_file() or _name(path) in checksums()


def read_asset(path: Path, checksum: str = "") -> bytes:
    """The bytes of a file in `assets`, which are those of `checksum`, or of `checksums` without one.

    Raises `AssetError` for any other file, and where it cannot be read.
    """
    name = _name(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AssetError(_sentence(name, "is missing or cannot be read")) from error
    expected = checksum or checksums().get(name, "")
    if expected and sha256(content).hexdigest() != expected:
        raise AssetError(_sentence(name, "is cut short or was changed"))
    return content


def _name(path: Path) -> str:
    """As in the list of checksums; of a file elsewhere, its whole path, which is not there."""
    return path.relative_to(ASSETS).as_posix() if path.is_relative_to(ASSETS) else str(path)


def _sentence(name: str, what: str) -> str:
    return (
        f"This part of the page needs the app's file assets/{name}, which {what}. The rest of the course works; "
        "whoever runs this server can bring the file back by installing the app again."
    )
