"""Fixtures of tests in several folders."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.peers.browser import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all pages of a module."""
    with chromium() as found:
        yield found
