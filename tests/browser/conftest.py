"""Fixtures of the browser tests: a served app and a page that must end without errors."""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from tests.browser.serving import ROOT, Server, launch_chromium, serving

ARTIFACTS = ROOT / "test-artifacts"
FAILED = pytest.StashKey[bool]()
SERVERS = pytest.StashKey[dict[tuple[str, ...], Server]]()
expect.set_options(timeout=20_000)  # milliseconds: a busy machine is slow, not wrong


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SERVERS] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture(scope="module")
def serve(pytestconfig: pytest.Config) -> Iterator[Callable[..., str]]:
    """`serve(script, *args)` is the URL of that app, started once a module: `serve("Home.py")`."""
    servers = pytestconfig.stash[SERVERS]
    with ExitStack() as stack:

        def url(script: str, *args: str) -> str:
            key = (script, *args)
            if key not in servers:
                servers[key] = stack.enter_context(serving(script, *args))
            return servers[key].url

        yield url
        servers.clear()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium, started once; the tests are skipped, with the reason, where there is none."""
    with sync_playwright() as playwright:
        try:
            chromium = launch_chromium(playwright)
        except LookupError as error:
            pytest.skip(str(error))
        yield chromium
        chromium.close()


@pytest.fixture
def browser_page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of its own context, 1280 x 800, whose films stand still, since a film that plays takes a core; other
    options of the context by indirect parameters: `@pytest.mark.parametrize("browser_page", [MOVING], indirect=True)`.
    The test fails when the page threw an error that nothing caught, or the server printed a
    traceback. A failed test leaves test-artifacts/NAME.png.
    """
    servers = request.config.stash[SERVERS]
    printed = {key: len(server.log.read_text(errors="replace")) for key, server in servers.items()}
    options = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"} | getattr(request, "param", {})
    context = browser.new_context(**options)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    page = context.new_page()
    yield page
    errors += filter(None, (server.errors(printed.get(key, 0)) for key, server in servers.items()))
    if errors or request.node.stash.get(FAILED, True):
        name = re.sub(r"[^-\w]+", "_", request.node.name)
        with suppress(Error):
            page.screenshot(path=ARTIFACTS / f"{name}.png")
    context.close()
    assert not errors, "\n\n".join(errors)
