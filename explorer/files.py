"""Where the app's own files lie: beside the package in a checkout, within it where a wheel was installed."""

from pathlib import Path

_PACKAGE = Path(__file__).parent
ROOT = next(place for place in (_PACKAGE / "app", _PACKAGE.parent) if (place / "assets").is_dir())
ASSETS = ROOT / "assets"
