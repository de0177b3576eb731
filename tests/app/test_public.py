"""The public topics: alerts go out with every turn, stations at most for their share of the time."""

import json
import time
from collections.abc import Iterator

import pytest

from app import public
from app.health import Health
from app.public import PublicTopics
from pantau.errors import Unavailable
from tests.virtual_service import CITY, MIN, VirtualService, fresh_database

STATION = "awan-2"
STATUS, ALERT = f"pantau/v1/{CITY.id}/public/status/", f"pantau/v1/{CITY.id}/public/alert/"


class Broker:
    """Keeps what is published; can be away, and slow."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, object]]] = []
        self.away = False
        self.takes_s = 0.0

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self.away:
            raise Unavailable("mqtt-out", "not connected")
        assert retain
        time.sleep(self.takes_s)
        self.got.append((topic, json.loads(payload)))

    def new(self, prefix: str) -> list[dict[str, object]]:
        """What came since the last look below a topic; the rest is forgotten."""
        found, self.got = self.got, []
        return [payload for topic, payload in found if topic.startswith(prefix)]


@pytest.fixture
def service() -> VirtualService:
    made = VirtualService(fresh_database())
    for _ in range(3):
        read(made, 20)
    return made


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def topics(service: VirtualService, broker: Broker) -> Iterator[PublicTopics]:
    yield PublicTopics(service.engine, CITY, broker, service.clock, Health())
    service.engine.dispose()


def read(service: VirtualService, value: float) -> None:
    service.clock.set(service.clock.now() + 10 * MIN)
    service.read(STATION, value)


def rest(topics: PublicTopics) -> None:
    """Let the stations rest for a minute."""
    topics._stations_at = time.monotonic() + 60


def over_its_limit(service: VirtualService) -> float:
    ladder = CITY.ladder_at(STATION, service.clock.now())
    assert ladder is not None
    return max(limit for limit in ladder.limits if limit is not None) + 5


def test_an_alert_goes_out_while_stations_rest(
    service: VirtualService, topics: PublicTopics, broker: Broker
) -> None:
    topics.turn()
    assert [found["id"] for found in broker.new(STATUS)] == [STATION]
    rest(topics)
    for _ in range(2):  # the second one confirms the jump
        read(service, over_its_limit(service))
    assert topics.turn() > 0
    assert {found["state"] for found in broker.new(ALERT)} - {"normal"}
    assert topics.turn() == 0  # told once


def test_stations_do_not_go_out_while_they_rest_and_nothing_is_lost_by_it(
    service: VirtualService, topics: PublicTopics, broker: Broker
) -> None:
    topics.turn()
    broker.new(STATUS)
    rest(topics)
    for value in (21, 22):
        read(service, value)
        assert topics.turn() == 0
    topics._stations_at = 0.0
    topics.turn()
    assert [found["value"] for found in broker.new(STATUS)] == [22]


def test_they_rest_for_half_a_second_when_it_costs_little(
    service: VirtualService, topics: PublicTopics, broker: Broker
) -> None:
    topics.turn()
    ended = time.monotonic()
    assert len(broker.new(STATUS)) == 1
    while not broker.got:
        read(service, 21 + time.monotonic() % 1)
        topics.turn()
        assert time.monotonic() - ended < 3
    assert time.monotonic() - ended >= public._STATIONS_EVERY_S - 0.05


def test_they_rest_for_so_long_that_they_take_no_more_than_their_share(
    topics: PublicTopics, broker: Broker
) -> None:
    broker.takes_s = 0.1  # the station's and our health's topic
    began = time.monotonic()
    topics.turn()
    took = time.monotonic() - began
    assert took > 0.15
    assert topics._stations_at - began >= 0.9 * took / public._SHARE


def test_while_the_broker_is_away_nothing_moves_on_and_then_everything_arrives(
    service: VirtualService, topics: PublicTopics, broker: Broker
) -> None:
    topics.turn()
    broker.new(STATUS)
    broker.away = True
    topics._stations_at = 0.0
    for _ in range(2):
        read(service, over_its_limit(service))
    for _ in range(2):
        with pytest.raises(Unavailable):
            topics.turn()
    broker.away = False
    topics.turn()
    got = broker.got
    assert {payload["state"] for topic, payload in got if topic.startswith(ALERT)} - {"normal"}
    assert [payload["value"] for topic, payload in got if topic.startswith(STATUS)] == [
        over_its_limit(service)
    ]


def test_an_outage_that_only_alerts_met_publishes_every_station_again(
    service: VirtualService, topics: PublicTopics, broker: Broker
) -> None:
    """A broker that came back may have lost what was retained."""
    topics.turn()
    broker.new(STATUS)
    rest(topics)
    for _ in range(2):
        read(service, over_its_limit(service))
    broker.away = True
    with pytest.raises(Unavailable):
        topics.turn()
    broker.away = False
    topics._stations_at = 0.0
    topics.turn()
    assert len(broker.new(STATUS)) == 1
