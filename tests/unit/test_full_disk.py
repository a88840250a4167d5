"""On a disk that is full nothing is left cut short, and what was there stays."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DISK = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]  # a small disk that this process alone sees
MOUNT = 'mount -t tmpfs -o size=256k tmpfs "$1" && shift && exec "$@"'
SAVE = """
import sys
from pathlib import Path
import explorer as ex

path = Path(sys.argv[1]) / "model.safetensors"
ex.save(ex.make_denoiser_2d(seed=0), path)
before = path.read_bytes()
large = ex.make_denoiser_2d(seed=0, width=512, depth=4)
try:
    ex.save(large, path)
except OSError as error:
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes() == before
    print(error.strerror)
"""
DOWNLOAD = """
import os, sys
from torchvision.datasets import FashionMNIST
from explorer.data.mnist import files_of, folder_of
from explorer.jobs import JobError
from explorer.lessons.download import download
from tests.unit.lessons.test_download import Mirror

os.environ["DIFFUSION_EXPLORER_DATA"] = sys.argv[1]
files = {name: os.urandom(2**19) for name in files_of("t10k")}
FashionMNIST.mirrors, FashionMNIST.resources = [Mirror(files).url], [(name, "0") for name in files]
try:
    list(download({"dataset": "fashion-28"}, {}, lambda: False))
except JobError as error:
    assert not [*folder_of("fashion-28").iterdir()]
    print(error)
"""


def on_a_small_disk(folder: Path, script: str) -> str | None:
    """What a script printed that was given a disk of 256 KiB; None where this system lets nobody mount one."""
    command = [*DISK, MOUNT, "sh", str(folder)]
    try:
        able = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    except OSError:
        able = False
    if not able:
        return None
    command += [sys.executable, "-c", script, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def told(folder: Path, script: str) -> str:
    said = on_a_small_disk(folder, script)
    if said is None:
        pytest.skip("this system lets nobody mount a small disk in a namespace of their own")
    return said


def test_a_model_that_does_not_fit_leaves_the_one_before(tmp_path: Path) -> None:
    assert told(tmp_path, SAVE) == "No space left on device"


def test_a_download_that_does_not_fit_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    said = told(tmp_path, DOWNLOAD)
    assert said.startswith(f"The folder {tmp_path}")
    assert "cannot be written (No space left on device): make room there" in said
