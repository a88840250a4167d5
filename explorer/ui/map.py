"""The course as one picture: its modules on one way, and what this visitor has done of each."""

from collections.abc import Mapping

from explorer.lessons.path import MODULES
from explorer.ui import path
from explorer.ui.components import component

_map = component("map", "mount", "theme")


def show_map(stations: Mapping[str, tuple[str, str]]) -> None:
    """Stations in their order: the page's name in the address ("" for the first page) with its title and icon."""
    done = path.progress().pages
    _map(
        key="home_map",
        data={
            "stations": [
                {
                    "page": page,
                    "title": title.replace("-", "\N{NON-BREAKING HYPHEN}"),
                    "icon": icon.removeprefix(":material/").removesuffix(":"),
                    "opened": page in done or not page,
                    "right": len(done.get(page, ())),
                    "total": MODULES[page][1] if page else 0,
                }
                for page, (title, icon) in stations.items()
            ]
        },
    )
