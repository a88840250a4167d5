import string
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.settings import PREFIX, SettingError, Settings, read

ROOT = Path(__file__).parents[2]


def test_without_a_variable_the_defaults_hold():
    assert read({"PATH": "/bin", "DIFFUSION": "1"}) == Settings()
    assert read({PREFIX + one.name.upper(): "" for one in fields(Settings)}) == Settings()


def test_what_is_set_is_read():
    chosen = read({f"{PREFIX}DATA": "~/data", f"{PREFIX}WORKERS": "3", f"{PREFIX}JOB_SECONDS": "60"})
    assert chosen == Settings(data=Path("~/data").expanduser(), workers=3, job_seconds=60)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "٣", "²", "9" * 5000, " 1", "1e3"])
def test_what_is_no_count_is_a_sentence(text):
    with pytest.raises(SettingError, match=r"DIFFUSION_EXPLORER_WORKERS=.*: a whole number from 1 on is needed\."):
        read({f"{PREFIX}WORKERS": text})


@pytest.mark.parametrize(
    ("text", "address"),
    {"9100": ("127.0.0.1", 9100), "0.0.0.0:9100": ("0.0.0.0", 9100), "[::]:80": ("::", 80)}.items(),
)
def test_figures_are_for_this_machine_alone_unless_a_host_is_given(text, address):
    assert read({f"{PREFIX}METRICS": text}).metrics == address


@pytest.mark.parametrize("text", ["host", "host:", "0", "65536", "9100:", "٣", "-1"])
def test_what_is_no_port_is_a_sentence(text):
    with pytest.raises(SettingError, match=r"DIFFUSION_EXPLORER_METRICS=.*: PORT or HOST:PORT is needed\."):
        read({f"{PREFIX}METRICS": text})


def test_logs_are_text_or_json():
    assert read({f"{PREFIX}LOGS": "json"}).logs == "json"
    with pytest.raises(SettingError, match=r"DIFFUSION_EXPLORER_LOGS='JSON': one of text, json is needed\."):
        read({f"{PREFIX}LOGS": "JSON"})


def test_a_misspelt_variable_is_a_sentence_that_names_those_there_are():
    with pytest.raises(SettingError, match="DIFFUSION_EXPLORER_WORKRES is not a setting; .*DIFFUSION_EXPLORER_WORKERS"):
        read({f"{PREFIX}WORKRES": "2"})


@given(st.sampled_from(fields(Settings)), st.text(string.printable, max_size=30))
def test_any_text_is_a_setting_or_a_sentence(field, text):
    try:
        assert isinstance(read({PREFIX + field.name.upper(): text}), Settings)
    except SettingError as error:
        assert str(error).startswith(PREFIX)


def test_a_server_with_a_setting_that_cannot_be_does_not_start(tmp_path):
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "Home.py"), "--server.headless=true"]
    ended = subprocess.run(
        command,
        env={"PATH": "", f"{PREFIX}WORKERS": "none", "HOME": str(tmp_path)},
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert ended.returncode
    assert "DIFFUSION_EXPLORER_WORKERS='none': a whole number from 1 on is needed." in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
