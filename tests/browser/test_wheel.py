"""The wheel is the whole app: installed away from the checkout, `diffusion-explorer` opens it from an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.serving import ROOT, answering, free_port, on_port

SETTINGS = ("runner.postScriptGC", "server.maxUploadSize", "theme.light.primaryColor", "theme.dark.primaryColor")
PRINT_SETTINGS = f"""
import sys
from streamlit import config
config._main_script_path = sys.argv[1]
print([config.get_option(name) for name in {SETTINGS!r}])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True, timeout=120)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel brings; what it needs is there already."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", folder, wheel],
        check=True,
        timeout=120,
    )
    return folder


def environment(installed: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(installed)}


def test_it_brings_nothing_beside_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"explorer"}
    for folder in ("assets", "pages", ".streamlit"):
        tracked = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True).stdout.split()
        assert {f"explorer/app/{name}" for name in tracked} <= set(names)


def test_the_settings_are_those_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    scripts = {"checkout": ROOT / "Home.py", "wheel": installed / "explorer" / "app" / "Home.py"}
    found = {
        name: subprocess.run(
            [sys.executable, "-c", PRINT_SETTINGS, script],
            cwd=tmp_path,
            env=environment(installed),
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for name, script in scripts.items()
    }
    assert found["wheel"] == found["checkout"]
    assert found["wheel"].startswith("[False, 20, '#00629a', ")


def test_the_command_opens_the_course_from_an_empty_folder(installed: Path, tmp_path: Path, browser_page: Page) -> None:
    port = free_port()
    command = [sys.executable, installed / "bin" / "diffusion-explorer", *on_port(port)]
    with answering(command, port, cwd=tmp_path, env=environment(installed)) as server:
        browser_page.goto(server.url)
        expect(browser_page.locator("h1")).to_have_text("Diffusion models, computed while you watch", timeout=60_000)
        player = browser_page.locator(".player[data-position]")
        player.wait_for(timeout=60_000)
        colour = player.evaluate("element => getComputedStyle(element).getPropertyValue('--st-primary-color')")
        assert colour == "#00629a"
        assert server.process.cwd() == str(tmp_path)
    assert not list(tmp_path.iterdir())
