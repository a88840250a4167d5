"""`diffusion-explorer`, or `python -m explorer`: opens the app, from whatever folder, with its own settings.

What stands behind it goes to `streamlit run`, for example `diffusion-explorer --server.port 8600`.
"""

import runpy
import sys

from explorer.files import ROOT


def main() -> None:
    """Serve the app until it is interrupted."""
    sys.argv = ["streamlit", "run", str(ROOT / "Home.py"), *sys.argv[1:]]
    runpy.run_module("streamlit", run_name="__main__")


if __name__ == "__main__":
    main()
