"""Draw every figure of a lecture's scenes, at 1920 x 1080 in both themes, into one ZIP file; no browser is needed.

python scripts/lecture_figures.py 45 figures.zip
"""

import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamlit.testing.v1 import AppTest

from explorer.charts.slides.files import slug
from explorer.lessons.scenes import LISTS, Scene, scenes
from explorer.ui import gathering, work

PAGES = Path(__file__).parents[1] / "pages"


def pictures(several: Sequence[Scene]) -> Iterator[tuple[str, bytes]]:
    """The pictures of scenes and their names, in a folder for each scene. Raises RuntimeError for a page that fails."""
    for number, scene in enumerate(several, start=1):
        page = AppTest.from_file(PAGES / f"{scene.page}.py", default_timeout=300)
        page.query_params.update(scene.query)
        page.run()
        next(button for button in page.button if button.label == "Gather them").click().run()
        if page.exception or "gathering_kept" not in page.session_state:
            raise RuntimeError(f"the scene {scene.title!r} shows no figures: {page.exception}")
        with zipfile.ZipFile(io.BytesIO(gathering.draw(page.session_state["gathering_kept"]))) as archive:
            for name in archive.namelist():
                yield f"{number:02}-{slug(scene.title)}/{name}", archive.read(name)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in LISTS:
        sys.exit(f"{__doc__}\nLists: {', '.join(f'{name} ({about})' for name, about in LISTS.items())}")
    whole = io.BytesIO()
    try:
        with zipfile.ZipFile(whole, "w") as archive:
            for name, picture in pictures(scenes(sys.argv[1])):
                print(name)
                archive.writestr(name, picture)
    finally:
        work.manager().close()
    Path(sys.argv[2]).write_bytes(whole.getvalue())
