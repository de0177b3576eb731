"""Fixtures of the alerts tests."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.alerts.town import fresh_engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An empty database in memory."""
    made = fresh_engine()
    yield made
    made.dispose()
