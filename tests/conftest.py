"""Fixtures of tests in several folders."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser

from tests.peers.browser import chromium

# Run in a script's background the tests would ignore Ctrl-C, and so would every process they start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No property asserts a time: on a busy machine Hypothesis' own limit of 0.2 s an example failed what is right.
settings.register_profile("pantau", deadline=None)
settings.load_profile("pantau")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all pages of a module."""
    with chromium() as found:
        yield found
