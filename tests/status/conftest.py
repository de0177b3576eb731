"""A client of the app around a board in memory."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from app.clock import VirtualClock
from pantau.city import City
from status.api import create_app
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.client import Client, running
from tests.status.sample import NOW, load_city, sample_board


class Site(NamedTuple):
    """A running app and all that a test may turn."""

    client: Client
    board: BoardInMemory
    clock: VirtualClock
    health: HealthInMemory
    city: City


@pytest.fixture(scope="session")
def city() -> City:
    return load_city()


@pytest.fixture
def site(city: City) -> Iterator[Site]:
    yield from _run(city, exercise=False)


@pytest.fixture
def exercise(city: City) -> Iterator[Site]:
    yield from _run(city, exercise=True)


def _run(city: City, *, exercise: bool) -> Iterator[Site]:
    board, clock, health = sample_board(city), VirtualClock(NOW), HealthInMemory()
    app = create_app(board, city, clock, health, exercise=exercise)
    with running(app) as client:
        yield Site(client, board, clock, health, city)
