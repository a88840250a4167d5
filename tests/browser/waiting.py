"""What a busy machine shows late is waited for, not slept for."""

from collections.abc import Callable

from playwright.sync_api import Page

MOVING = {"reduced_motion": "no-preference"}  # options of a context: films play by themselves
SETTLED = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  const busy = !app || app.dataset.testScriptState !== "notRunning" || !app.querySelector("[data-testid=stMain] h1")
    || app.querySelector("[data-stale=true], [data-testid=stSkeleton], [data-testid=stAppSkeleton]")
    || [...app.querySelectorAll("[data-testid=stBidiComponentIsolated]")]
      .map((host) => host.shadowRoot?.querySelector(".themed")?.dataset.theme)
      .some((theme) => theme && theme !== (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"))
    || document.getAnimations().some((one) => one instanceof CSSTransition);
  const now = performance.now();
  if (busy) window.quietSince = now;
  return now - (window.quietSince ??= now) > 250;  // a rerun that an answer of the browser causes comes later
}"""


def wait_until(page: Page, condition: Callable[[], object], seconds: float = 15) -> None:
    """Ask `condition` every 50 ms; fails when it is not true within `seconds`."""
    for _ in range(int(20 * seconds)):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"it did not come true within {seconds:g} s")


def settle(page: Page) -> None:
    """What a page was asked for is there, in the theme that is asked for, and no more is coming."""
    page.evaluate("() => delete window.quietSince")
    page.wait_for_function(SETTLED, timeout=120_000)
