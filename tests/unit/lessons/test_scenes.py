"""The scenes of a lecture."""

import pytest

from explorer.lessons.path import MODULES
from explorer.lessons.scenes import LISTS, SCENES, scenes


@pytest.mark.parametrize("which", LISTS)
def test_a_list_takes_as_long_as_it_says(which: str) -> None:
    several = scenes(which)
    assert sum(scene.minutes for scene in several) <= int(which)
    assert all(scene.page in MODULES and scene.say and scene.title for scene in several)


def test_the_long_one_shows_every_page_and_the_short_one_is_part_of_it() -> None:
    assert {scene.page for scene in scenes("45")} == set(MODULES)
    assert set(map(id, scenes("15"))) <= set(map(id, SCENES))
