"""Who comes back to a server that was restarted is told what it no longer has, and nobody else is."""

from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from explorer.lessons.trainings.plan import PRESETS
from explorer.lessons.trainings.record import Training
from explorer.ui import lost, made, trainings, work
from tests.pages.acting import press, said

Open = Callable[..., AppTest]
PAGE = "pages/for_teachers.py"
OTHER = "0123abcd"  # no process of this name


def notice(app: AppTest) -> str:
    return next((one.value for one in app.markdown if "server was restarted" in one.value), "")


def come_back(open_page: Open, monkeypatch: pytest.MonkeyPatch, cookie: str, visitor: str | None = None) -> AppTest:
    monkeypatch.setattr(lost, "_cookie", lambda: cookie)
    return open_page(PAGE, visitor)


def test_what_is_gone_is_told_until_it_was_read(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    app = come_back(open_page, monkeypatch, f"{OTHER}.2.1.3.4")
    assert "2 trained models, 1 training, what you had drawn or uploaded, 4 right answers" in notice(app)
    assert notice(app.run())
    assert not notice(press(app, "Dismiss"))
    assert not notice(app.run())


@pytest.mark.parametrize("cookie", ["", f"{OTHER}.0.0.0.0", "SERVER.2.1.3.4", f"{OTHER}.2.1", f"{OTHER}.-1.0.0.0"])
def test_who_lost_nothing_is_told_nothing(open_page: Open, monkeypatch: pytest.MonkeyPatch, cookie: str) -> None:
    assert not notice(come_back(open_page, monkeypatch, cookie.replace("SERVER", lost.SERVER)))


def test_what_is_there_again_is_not_told(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = "a" * 32
    made._store().put(visitor, "own_images", np.zeros(3))
    assert not notice(come_back(open_page, monkeypatch, f"{OTHER}.0.0.1.0", visitor))


def test_the_browser_remembers_how_much_there_is(open_page: Open) -> None:
    visitor = "b" * 32
    made._store().put(visitor, "own_images", np.zeros(3))
    app = open_page(PAGE, visitor)
    (sent,) = (one.proto for one in app.get("bidi_component") if one.proto.component_name == "explorer_visit")
    assert f'"{work.COOKIE}": "{visitor}"' in sent.json
    assert f'"{lost.COOKIE}": "{lost.SERVER}.0.0.1.0"' in sent.json


def test_who_was_away_for_too_long_reads_that_the_training_is_gone(open_page: Open) -> None:
    visitor = "c" * 32
    training = Training("run", "Run 1", next(iter(PRESETS.values())).plan, page="pages/training_lab.py", job="0" * 16)
    trainings._store().put(visitor, training.run, training)
    app = open_page("pages/training_lab.py", visitor)
    assert trainings.DROPPED in said(app)
    assert trainings.DROPPED in said(app.run())
    assert trainings._store().get(visitor, "run").job == ""
