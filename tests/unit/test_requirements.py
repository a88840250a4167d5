"""Which build of PyTorch `requirements.txt` brings, from a stand-in of PyPI and one of PyTorch's own index.

As on the real ones, both have torch in one version, the second with the label +cpu; and the second also has old
versions of other packages, which must not be taken.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import tomllib
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PYTORCH = "https://download.pytorch.org/whl/cpu"
BUILT = {"torch": "2.14.1", "torchvision": "0.29.1"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def add_wheel(index: Path, name: str, version: str) -> None:
    """An empty package, on a page of links as a "simple" index has for each name."""
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    record = "".join(f"{path},sha256={digests[path]},{len(text)}\n" for path, text in files.items())
    wheel = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(path, text)
    links = (f'<a href="{one.name.replace("+", "%2B")}">{one.name}</a><br>' for one in sorted(folder.glob("*.whl")))
    (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>")


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of both: PyPI's is its /pypi, PyTorch's its /cpu."""
    folder = tmp_path_factory.mktemp("indexes")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    for requirement in map(Requirement, needed):
        least = next((one.version for one in requirement.specifier if one.operator == ">="), "1.0")
        add_wheel(folder / "pypi", requirement.name, BUILT.get(requirement.name, least))
    for name, version in BUILT.items():
        add_wheel(folder / "cpu", name, f"{version}+cpu")
    for name, too_old in {"numpy": "1.26.3", "pillow": "10.2.0"}.items():
        add_wheel(folder / "cpu", name, too_old)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture
def there(indexes: str, tmp_path: Path) -> Path:
    """`requirements.txt`, with the address of PyTorch's index replaced by that of its stand-in."""
    text = (ROOT / "requirements.txt").read_text()
    assert PYTORCH in text
    path = tmp_path / "requirements.txt"
    path.write_text(text.replace(PYTORCH, f"{indexes}/cpu").replace("--editable .", f"--editable {ROOT}"))
    return path


def alone(**more: str) -> dict[str, str]:
    """The environment without what this machine says of indexes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "NO_PROXY": "127.0.0.1", **more}


def test_pip_takes_the_cpu_build(indexes, there):
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command += ["--no-build-isolation", "--no-cache-dir", "--index-url", f"{indexes}/pypi", "--requirement", str(there)]
    ran = subprocess.run(command, env=alone(), capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    chosen = {one["metadata"]["name"]: one["metadata"]["version"] for one in json.loads(ran.stdout)["install"]}
    assert {name: chosen[name] for name in BUILT} == {name: f"{version}+cpu" for name, version in BUILT.items()}
    assert chosen["numpy"] == "2"


def test_uv_takes_the_cpu_build(indexes, there, tmp_path):
    command = [sys.executable, "-m", "uv", "pip", "compile", "--python", sys.executable, "--no-build-isolation"]
    command += ["--no-config", "--no-header", "--no-annotate", "--default-index", f"{indexes}/pypi", str(there)]
    ran = subprocess.run(
        command, env=alone(UV_CACHE_DIR=str(tmp_path / "cache")), capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    chosen = ran.stdout.splitlines()
    assert {f"{name}=={version}+cpu" for name, version in BUILT.items()} <= set(chosen)
    assert "numpy==2" in chosen
