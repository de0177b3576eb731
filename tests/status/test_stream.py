"""GET /api/v1/stream on a real server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from app.clock import VirtualClock
from pantau.city import City
from status.api import create_app
from status.routes import stream as route
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.sample import DEPOK, KATULAMPA, MIN, NOW, alert, latest, sample_board
from tests.status.server import serving

Event = tuple[str, int, dict[str, Any]]


@pytest.fixture
def board(city: City) -> BoardInMemory:
    return sample_board(city)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def address(city: City, board: BoardInMemory, clock: VirtualClock) -> Iterator[str]:
    with serving(create_app(board, city, clock, HealthInMemory(), exercise=False)) as url:
        httpx.get(f"{url}/api/v1/stations")
        yield url


@contextmanager
def listening(address: str, **headers: str) -> Iterator[Iterator[Event]]:
    """Events of a stream that is connected when the context begins."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with httpx.stream("GET", f"{address}/api/v1/stream", headers=named, timeout=10) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["access-control-allow-origin"] == "*"
        assert "content-encoding" not in response.headers
        lines = response.iter_lines()
        assert next(lines).startswith(": change")
        yield _events(lines)


def _events(lines: Iterator[str]) -> Iterator[Event]:
    event: dict[str, str] = {}
    for line in lines:
        name, _, text = line.partition(": ")
        if name:
            event[name] = text
        elif "data" in event:
            yield event["event"], int(event["id"]), json.loads(event["data"])
            event = {}


def test_a_new_value_is_told_with_its_change_number(address: str, board: BoardInMemory) -> None:
    with listening(address) as events:
        board.put(latest(KATULAMPA, 165, age_min=0, severity=2))
        event, id, properties = next(events)  # noqa: A001
        assert (event, id) == ("station", board.pos)
        assert (properties["id"], properties["value"], properties["siaga"]) == (KATULAMPA, 165, 2)


def test_an_alert_is_told_when_it_opens_and_when_it_closes(address: str, board: BoardInMemory) -> None:
    with listening(address) as events:
        board.put(alert("new", KATULAMPA, 3))
        assert next(events)[2]["id"] == "new"
        board.put(alert("new", KATULAMPA, 0, closed_at=NOW))
        event, _, form = next(events)
        assert (event, form["closed_at"]) == ("alert", "2014-01-29T15:30:00.000Z")


def test_a_value_that_becomes_stale_is_told_although_nothing_was_received(
    address: str, clock: VirtualClock
) -> None:
    with listening(address) as events:
        clock.set(NOW + 26 * MIN)
        event, _, properties = next(events)
        assert (event, properties["state"], properties["severity"]) == ("station", "stale", None)


def test_who_comes_back_misses_nothing(address: str, board: BoardInMemory) -> None:
    with listening(address) as events:
        board.put(latest(KATULAMPA, 165, age_min=0))
        _, seen, _ = next(events)
    with listening(address) as events:  # another one, so that the change below is in the log before we ask
        board.put(latest(DEPOK, 385, age_min=0))
        assert next(events)[2]["id"] == DEPOK
    with listening(address, Last_Event_ID=str(seen)) as events:
        assert [next(events)[2]["id"], next(events)[2]["id"]] == [KATULAMPA, DEPOK]


@pytest.mark.parametrize("last", ["0", "99999", "junk", "9" * 40])
def test_who_was_away_for_too_long_gets_every_station_and_open_alert(
    address: str, board: BoardInMemory, city: City, last: str
) -> None:
    with listening(address, Last_Event_ID=last) as events:
        found = [next(events) for _ in range(len(city.stations) + len(board.open_alerts()))]
    assert {properties["id"] for event, _, properties in found if event == "station"} == set(city.stations)
    assert {form["id"] for event, _, form in found if event == "alert"} == {a.id for a in board.open_alerts()}


def test_the_number_of_streams_is_bounded(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "CLIENTS", 1)
    with listening(address):
        refused = httpx.get(f"{address}/api/v1/stream")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "30"
        assert "poll" in refused.json()["detail"]


def test_a_quiet_stream_says_that_it_is_alive(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "HEARTBEAT_S", 0.2)
    with httpx.stream("GET", f"{address}/api/v1/stream", timeout=10) as response:
        assert ": still here" in response.iter_lines()
