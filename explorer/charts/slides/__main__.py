"""The process that draws the pictures of a page: figures come in as a message, and a ZIP file goes out.

Vega takes 75 MB, so it lives here, and only while it draws.
"""

import os
import sys

from explorer.charts.slides.files import figures_zip
from explorer.charts.slides.message import unpacked

if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(5)  # pages go first
    sys.stdout.buffer.write(figures_zip(*unpacked(sys.stdin.buffer.read())))
