"""The download, from a server on this machine: what arrives, what is refused, and what is left behind."""

import gzip
import hashlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from explorer.data.images import DATASETS, is_available, load_dataset
from explorer.data.mnist import files_of, folder_of
from explorer.jobs import JobError
from explorer.lessons.download import CHUNK_BYTES, download
from tests.unit.data.test_mnist import idx, part_of

IMAGES, LABELS = files_of("t10k")
pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def content() -> dict[str, bytes]:
    """The files of a small data set, several chunks long, by name."""
    images, labels = part_of(300)
    return {IMAGES: gzip.compress(idx(images)), LABELS: gzip.compress(idx(labels))}


class Mirror:
    """A server of `files` at `url`; of a file whose name is in `cut` only half comes."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.cut, self.asked = dict(files), set[str](), list[str]()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                mirror.asked.append(name)
                if name not in mirror.files:
                    self.send_error(404)
                    return
                body = mirror.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if name in mirror.cut else body)

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/files/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def mirror(content: dict[str, bytes]) -> Iterator[Mirror]:
    mirror = Mirror(content)
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, mirror: Mirror, content: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the files go; torchvision names the local mirror and the checksums of the small data set."""
    from torchvision.datasets import FashionMNIST

    monkeypatch.setenv("DIFFUSION_EXPLORER_DATA", str(tmp_path / "data"))
    checksums = [(name, hashlib.md5(body).hexdigest()) for name, body in content.items()]
    monkeypatch.setattr(FashionMNIST, "mirrors", [mirror.url])
    monkeypatch.setattr(FashionMNIST, "resources", [("train-images-idx3-ubyte.gz", "0"), *checksums])
    return folder_of("fashion-28")


@pytest.fixture
def other_mirrors(monkeypatch: pytest.MonkeyPatch, mirror: Mirror) -> Callable[..., None]:
    """`other_mirrors(url, ...)` come before the one that works."""
    from torchvision.datasets import FashionMNIST

    return lambda *urls: monkeypatch.setattr(FashionMNIST, "mirrors", [*urls, mirror.url])


def fetched(stop: Callable[[], bool] = lambda: False) -> list[dict[str, float]]:
    events = list(download({"dataset": "fashion-28"}, {}, stop))
    assert {event.kind for event in events} == {"progress"}
    return [event.data for event in events]


def failure() -> str:
    with pytest.raises(JobError) as error:
        fetched()
    said = str(error.value)
    assert said.endswith(".")
    assert ". " not in said  # one sentence
    return said


def nothing_in(folder: Path) -> bool:
    return not folder.exists() or not any(folder.iterdir())


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_download_tells_how_it_goes_and_leaves_exactly_the_files(folder: Path, content: dict[str, bytes]) -> None:
    assert not is_available("fashion-28")
    told = fetched()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content
    assert is_available("fashion-28")
    dataset = load_dataset("fashion-28")
    np.testing.assert_allclose(dataset.images[:, 0].numpy(), part_of(300)[0] / 127.5 - 1, atol=1e-6)

    sizes = [progress["bytes"] for progress in told]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (0, sum(map(len, content.values())))
    assert len(sizes) > 3
    total = DATASETS["fashion-28"].download_bytes
    assert told[0]["remaining"] is None
    for progress in told[1:]:
        assert progress["total"] == total
        assert progress["share"] == pytest.approx(progress["bytes"] / total)
        assert progress["remaining"] == pytest.approx(progress["seconds"] * (total / progress["bytes"] - 1))


def test_the_next_mirror_helps_when_one_has_not_the_file_cuts_it_or_sends_another(
    other_mirrors: Callable[..., None], content: dict[str, bytes], folder: Path
) -> None:
    empty, cutting, lying = Mirror({}), Mirror(content), Mirror(dict.fromkeys(content, b"<html>sign in</html>"))
    cutting.cut = set(content)
    other_mirrors(f"http://127.0.0.1:{closed_port()}/", empty.url, cutting.url, lying.url)
    fetched()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content
    for mirror in (empty, cutting, lying):
        assert mirror.asked == [IMAGES, LABELS]
        mirror.server.shutdown()
        mirror.server.server_close()


def test_no_network_is_a_sentence_with_what_to_do(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    from torchvision.datasets import FashionMNIST

    monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{closed_port()}/"] * 2)
    said = failure()
    assert said.startswith("Fashion-MNIST 28 x 28 could not be downloaded because no mirror sent it (")
    assert "connect this machine to the internet" in said
    assert f"put {IMAGES} and {LABELS} into {folder}" in said
    assert "8 x 8 digits" in said
    assert nothing_in(folder)


def test_a_server_that_has_nothing_is_named_so(mirror: Mirror, folder: Path) -> None:
    mirror.files.clear()
    assert "no mirror sent it (Not Found)" in failure()
    assert nothing_in(folder)


@pytest.mark.parametrize("which", [IMAGES, LABELS])
def test_a_file_that_is_another_or_cut_is_not_kept(which: str, mirror: Mirror, folder: Path) -> None:
    mirror.cut = {which}
    said = failure()
    assert "what came is not the file" in said or "no mirror sent it" in said
    assert nothing_in(folder)
    mirror.cut, mirror.files[which] = set(), b"<html>Sign in to this network.</html>"
    assert "what came is not the file that its authors published" in failure()
    assert nothing_in(folder)


def test_an_endless_answer_is_cut_off(mirror: Mirror, folder: Path) -> None:
    limit = DATASETS["fashion-28"].download_bytes
    mirror.files[IMAGES] = bytes(4 * limit)
    told: list[float] = []
    with pytest.raises(JobError, match="what came is not the file"):
        for event in download({"dataset": "fashion-28"}, {}, lambda: False):
            told.append(event.data["bytes"])
            assert event.data["share"] <= 1
    assert limit < told[-1] <= limit + CHUNK_BYTES
    assert nothing_in(folder)


def test_what_was_there_stays_when_a_new_download_fails(
    folder: Path, mirror: Mirror, content: dict[str, bytes]
) -> None:
    fetched()
    mirror.files[LABELS] = b"junk"
    failure()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == content


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_stopped_download_ends_at_the_next_chunk_and_leaves_nothing(chunks: int, folder: Path) -> None:
    answers = iter([False] * (chunks - 1) + [True])
    told = fetched(stop=lambda: next(answers))
    assert [progress["bytes"] for progress in told] == [CHUNK_BYTES * n for n in range(chunks + 1)]
    assert nothing_in(folder)


def test_a_dropped_download_leaves_nothing(folder: Path) -> None:
    events = download({"dataset": "fashion-28"}, {}, lambda: False)
    assert [next(events).data["bytes"], next(events).data["bytes"]] == [0, CHUNK_BYTES]
    assert not nothing_in(folder)
    assert not is_available("fashion-28")
    events.close()  # type: ignore[attr-defined]
    assert nothing_in(folder)


def test_what_a_killed_download_left_goes_with_the_next(folder: Path) -> None:
    others = folder / "download-others"
    abandoned = folder / "download-abandoned"
    for left in (others, abandoned):
        left.mkdir(parents=True)
        (left / "part").write_bytes(b"1")
    os.utime(abandoned, (0, 0))
    fetched()
    assert others.exists()  # somebody's who is still at it
    assert not abandoned.exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(folder: Path) -> None:
    folder.parents[1].mkdir()
    folder.parent.write_text("a file stands where the folder should be")
    said = failure()
    assert said.startswith(f"The folder {folder} cannot be written (")
    assert "DIFFUSION_EXPLORER_DATA" in said


def test_without_torchvision_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert "`pip install torchvision`" in failure()
