"""What a busy machine shows late is waited for, not slept for."""

from collections.abc import Callable

from playwright.sync_api import Page

MOVING = {"reduced_motion": "no-preference"}  # options of a context: films play by themselves


def wait_until(page: Page, condition: Callable[[], object], seconds: float = 15) -> None:
    """Ask `condition` every 50 ms; fails when it is not true within `seconds`."""
    for _ in range(int(20 * seconds)):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it did not come true within {seconds:g} s")
