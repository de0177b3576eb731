"""Debian's Chromium, driven by Playwright."""

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Browser, sync_playwright

from tests.peers.process import program

# Without these a browser calls home at every start; on a machine without a way out that costs seconds and log lines.
# --no-sandbox: the tests may run as root, and see only pages of our own.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Runs Chromium without a window, in a new, empty profile. Not inside a running asyncio loop."""
    binary = program("chromium", "tools/apt-peers installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
