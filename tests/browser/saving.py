"""What the buttons of a player or a film save."""

from playwright.sync_api import Download, Locator


def saved(root: Locator, kind: str, name: str, ending: str = "") -> Download:
    """The file that a click gives, of the name `name` and an ending, by default that of its kind."""
    with root.page.expect_download(timeout=60_000) as download:
        root.get_by_role("button", name=f"Save as {kind}").click()
    assert download.value.suggested_filename == f"{name}.{ending or kind.lower()}"
    return download.value
