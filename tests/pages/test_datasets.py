"""Choosing a data set on a page: digits at once, a download by a real worker, and a person's own images."""

import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from explorer.data.images import is_available
from explorer.data.mnist import files_of, folder_of
from explorer.dataset import ImageDataset
from explorer.jobs import JobManager, JobRefused
from explorer.ui import datasets, work

REAL = Path(__file__).parents[3] / "shared" / "data" / "mnist"
pytestmark = pytest.mark.timeout(600)


def page() -> None:
    """A page with nothing but the choice; what it got lies in the session."""
    import streamlit as st

    from explorer.ui.datasets import choose_dataset

    st.session_state["got"] = choose_dataset("lab")


class Internet:
    """A proxy in front of every host, so that no request leaves this machine.

    It refuses while `cut`, else sends the MNIST file of the name that is asked for: its first half, and the rest
    when `whole` is set.
    """

    def __init__(self) -> None:
        self.cut, self.whole = True, threading.Event()
        internet = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if internet.cut:
                    self.send_error(503)
                    return
                file = REAL / self.path.rpartition("/")[2]
                body = file.read_bytes() if file.exists() else bytes(1_648_877)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
                internet.whole.wait(60)
                self.wfile.write(body[len(body) // 2 :])

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    """What the workers of this module see, which keep their files in a folder of its own."""
    internet = Internet()

    def end_workers() -> None:
        work.manager().close()
        work.manager.clear()
        datasets._shared.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path_factory.mktemp("data")))
        for name in ("http_proxy", "https_proxy"):
            patch.setenv(name, f"http://127.0.0.1:{internet.server.server_port}")
            patch.delenv(name.upper(), raising=False)
        patch.delenv("no_proxy", raising=False)
        patch.delenv("NO_PROXY", raising=False)
        end_workers()  # those of other tests have another environment
        yield internet
        internet.whole.set()
        end_workers()
    internet.server.shutdown()
    internet.server.server_close()


def opened(data: str | None = None, visitor: str | None = None) -> AppTest:
    app = AppTest.from_function(page, default_timeout=60)
    if visitor:
        app.session_state["visitor"] = visitor
    if data:
        app.query_params["lab_data"] = data
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def download(app: AppTest) -> None:
    app.button(key="lab_download").click()
    run(app)


def got(app: AppTest) -> ImageDataset | None:
    return app.session_state["got"]


def rerun_until(app: AppTest, condition: Callable[[], object]) -> None:
    """Rerun as the fragment does, until something holds."""
    end = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)
        run(app)


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def png(level: int, side: int = 30) -> bytes:
    file = io.BytesIO()
    Image.new("L", (side, side), level).save(file, "PNG")
    return file.getvalue()


def zipped(count: int, *folders: str) -> tuple[str, bytes, str]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for folder, level in product(folders or [""], range(count)):
            archive.writestr(f"{folder}{level:03d}.png", png(level))
    return ("mine.zip", file.getvalue(), "application/zip")


def test_it_opens_with_the_digits_and_says_whose_they_are() -> None:
    app = opened()
    dataset = got(app)
    assert dataset is not None
    assert (dataset.name, len(dataset)) == ("digits-8", 1797)
    assert "CC BY 4.0" in app.caption[0].value
    assert labels(app) == []


def test_a_bad_address_means_the_default() -> None:
    app = opened("nonsense")
    assert app.selectbox(key="lab_data").value == "digits-8"
    assert got(app) is not None


def test_what_must_be_downloaded_is_offered_with_its_size_and_terms(internet: Internet) -> None:
    app = opened("Fashion-MNIST 28 x 28")
    assert got(app) is None
    assert labels(app) == ["Download Fashion-MNIST 28 x 28 (4.4 MB)"]
    assert "MIT licence" in app.caption[0].value
    assert not app.error
    assert datasets.find_dataset("fashion-28") is None


def test_no_network_is_a_sentence_that_stays_and_the_digits_are_a_click_away(internet: Internet) -> None:
    internet.cut = True
    app = opened("Fashion-MNIST 28 x 28")
    download(app)
    assert labels(app) == ["Cancel"]
    waiting = ("Next in the queue.", "Starting the worker.", "Looking for a server that has the files.")
    assert app.get("progress")[0].proto.text in waiting
    rerun_until(app, lambda: app.error)
    said = app.error[0].value
    assert said.startswith("Fashion-MNIST 28 x 28 could not be downloaded because no mirror sent it (")
    assert str(folder_of("fashion-28")) in said
    assert labels(app) == ["Try again (4.4 MB)"]
    run(app)
    assert app.error[0].value == said
    app.selectbox(key="lab_data").set_value("digits-8")
    assert got(run(app)) is not None
    assert not app.error


@pytest.mark.skipif(not REAL.is_dir(), reason=f"MNIST's test files are not in {REAL}")
def test_a_download_shows_how_far_it_is_and_gives_the_data(internet: Internet) -> None:
    internet.cut = False
    app = opened("MNIST 28 x 28")
    download(app)
    rerun_until(app, lambda: app.get("progress")[0].proto.text.startswith("0.8 of 1.7 MB, about"))
    assert 45 <= app.get("progress")[0].proto.value <= 50
    internet.whole.set()
    rerun_until(app, lambda: got(app) is not None)
    internet.whole.clear()
    dataset = got(app)
    assert dataset is not None
    assert (dataset.name, len(dataset), dataset.shape) == ("mnist-28", 10_000, (1, 28, 28))
    assert labels(app) == []
    assert not app.error
    assert datasets.find_dataset("mnist-28") is got(opened("MNIST 28 x 28")) is dataset


def test_a_cancelled_download_leaves_nothing_but_the_button(internet: Internet) -> None:
    internet.cut = False
    app = opened("Fashion-MNIST 28 x 28")
    download(app)
    rerun_until(app, lambda: "MB" in app.get("progress")[0].proto.text)
    app.button(key="lab_cancel_download").click()
    run(app)
    rerun_until(app, lambda: labels(app) == ["Download Fashion-MNIST 28 x 28 (4.4 MB)"])
    assert not app.error
    assert got(app) is None
    assert not is_available("fashion-28")


def test_damaged_files_are_told_and_can_be_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    folder = folder_of("fashion-28")
    folder.mkdir(parents=True)
    for name in files_of("t10k"):
        (folder / name).write_bytes(b"junk, and more of it")
    app = opened("Fashion-MNIST 28 x 28")
    assert got(app) is None
    assert app.error[0].value == ("t10k-images-idx3-ubyte.gz is not an IDX file of bytes. Download the files again.")
    assert labels(app) == ["Download Fashion-MNIST 28 x 28 (4.4 MB)"]


def test_a_job_that_is_refused_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "You already have 2 jobs running or waiting: stop one, or wait for it."

    def refuse(*args: object, **options: object) -> None:
        raise JobRefused(sentence)

    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path))
    monkeypatch.setattr(JobManager, "submit", refuse)
    app = opened("Fashion-MNIST 28 x 28")
    download(app)
    assert [warning.value for warning in app.warning] == [sentence]
    assert labels(app) == ["Download Fashion-MNIST 28 x 28 (4.4 MB)"]


def test_own_images_are_read_and_stay_when_another_set_is_looked_at() -> None:
    app = opened("Your own images")
    assert got(app) is None
    assert "10 to 5,000 images" in app.caption[0].value
    app.file_uploader(key="lab_own").set_value([zipped(12)])
    run(app)
    dataset = got(app)
    assert dataset is not None
    assert (dataset.name, dataset.shape) == ("own", (1, 28, 28))
    np.testing.assert_allclose(dataset.images[:, 0, 0, 0].numpy(), np.arange(12) / 127.5 - 1, atol=1e-5)
    assert app.caption[0].value.startswith("12 images, made grey")

    app.selectbox(key="lab_data").set_value("digits-8")
    assert len(got(run(app)) or []) == 1797
    app.selectbox(key="lab_data").set_value("own")
    assert len(got(run(app)) or []) == 12
    assert got(opened("Your own images")) is None  # another visitor
    assert len(got(opened("Your own images", app.session_state["visitor"])) or []) == 12  # after a reload


def test_names_of_folders_are_text_and_not_markdown() -> None:
    app = opened("Your own images")
    folders = ["![x](http:__y) *cat*", "$5 :smile:"]
    app.file_uploader(key="lab_own").set_value([zipped(6, *(f"{folder}/" for folder in folders))])
    run(app)
    dataset = got(app)
    assert dataset is not None
    assert dataset.classes == tuple(folders)
    escaped = r"\!\[x\]\(http:~\_\_y\) \*cat\*, \$5 :~smile:~.".replace("~", "\N{WORD JOINER}")
    assert app.caption[0].value.endswith(f"Their folders are their classes: {escaped}")


def test_a_bad_upload_is_a_sentence_and_what_was_there_stays() -> None:
    app = opened("Your own images")
    app.file_uploader(key="lab_own").set_value([zipped(3)])
    run(app)
    assert app.error[0].value.startswith("These are 3 images; choose at least 10")
    assert got(app) is None
    app.file_uploader(key="lab_own").set_value([zipped(12)])
    run(app)
    assert not app.error
    app.file_uploader(key="lab_own").set_value([("mine.zip", b"no zip", "application/zip")])
    run(app)
    assert app.error[0].value.startswith("This file is not a zip")
    assert app.caption[0].value.startswith("The images from before are still here: 12 images")
    assert len(got(app) or []) == 12
    run(app)
    assert app.error
    app.file_uploader(key="lab_own").set_value([])
    run(app)
    assert not app.error
    assert len(got(app) or []) == 12


def test_images_may_come_one_by_one_and_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.data import own_images

    calls: list[int] = []
    read = own_images.read_files
    monkeypatch.setattr(own_images, "read_files", lambda files, **options: (calls.append(1), read(files, **options))[1])
    app = opened("Your own images")
    app.file_uploader(key="lab_own").set_value([(f"{n}.png", png(n), "image/png") for n in range(11)])
    run(app)
    assert len(got(app) or []) == 11
    run(app)
    assert calls == [1]
