"""What the service knows of its peers: an outage that lasts becomes an alert, and ends as one."""

import time

import pytest
from structlog.testing import capture_logs

from app.health import OUTAGE_S, PEER, Health
from pantau.event import Transition
from tests.virtual_service import T0, VirtualService, fresh_database


def past(health: Health, seconds: float) -> None:
    """Let real time pass: every outage began so much earlier."""
    health._away = {peer: (since - seconds, reason) for peer, (since, reason) in health._away.items()}


def told(health: Health) -> list[tuple[str, float, str]]:
    return [(score.station, score.score, score.reason) for score in health.scores(T0)]


def test_peers_and_what_is_degraded_are_told_in_words() -> None:
    health = Health()
    assert (health.ready, health.degraded, health.peers) == (False, [], {})
    health.up("mqtt", "subscribed")
    health.away("influxdb", "connection refused")
    assert health.degraded == ["influxdb"]
    assert health.peers == {"influxdb": "away: connection refused", "mqtt": "subscribed"}
    health.up("influxdb")
    assert health.degraded == []


@pytest.mark.parametrize(("seconds", "told_of"), [(OUTAGE_S - 1, 0), (OUTAGE_S + 0.1, 1)])
def test_only_an_outage_that_lasts_is_told(seconds: float, told_of: int) -> None:
    health = Health()
    health.away("influxdb", "connection refused")
    past(health, seconds)
    assert len(told(health)) == told_of


def test_an_outage_is_told_once_with_its_newest_reason_and_its_end_once() -> None:
    health = Health()
    health.away("influxdb", "connection refused")
    past(health, OUTAGE_S)
    health.away("influxdb", "timeout")
    assert told(health) == [("system:influxdb", 1.0, "timeout")]
    assert told(health) == []
    health.up("influxdb")
    assert told(health) == [("system:influxdb", 0.0, "answers again")]
    assert told(health) == []


def test_a_peer_that_comes_and_goes_starts_its_minute_anew() -> None:
    health = Health()
    health.away("mqtt", "x")
    past(health, OUTAGE_S - 1)
    health.up("mqtt")
    health.away("mqtt", "x")
    past(health, 2)
    assert told(health) == []


def test_the_clock_of_an_outage_is_the_monotonic_one() -> None:
    health = Health()
    before = time.monotonic()
    health.away("mqtt", "x")
    assert before <= health._away["mqtt"][0] <= time.monotonic()


def test_an_outage_is_an_alert_to_operators_and_its_end_closes_it() -> None:
    service, health = VirtualService(fresh_database()), Health()
    health.away("influxdb", "connection refused")
    past(health, OUTAGE_S)
    [raised] = service.process(scores=health.scores(T0))
    assert isinstance(raised, Transition)
    assert (raised.what, raised.scope, raised.hazard, raised.cause, raised.station) == (
        "raised", "system:influxdb", "system", "influxdb", "",
    )  # fmt: skip
    assert raised.why["reason"] == "connection refused"
    health.up("influxdb")
    service.clock.set(T0 + 1)
    [closed] = service.process(scores=health.scores(T0 + 1))
    assert isinstance(closed, Transition)
    assert (closed.what, closed.alert) == ("closed", raised.alert)


def test_an_outage_that_ended_while_we_were_down_is_ended_after_the_restart() -> None:
    health = Health()
    health.resume(["influxdb"])
    assert told(health) == []  # nobody has tried it yet
    health.up("influxdb")
    assert told(health) == [("system:influxdb", 0.0, "answers again")]


def test_an_outage_that_goes_on_over_a_restart_is_not_told_as_ended() -> None:
    health = Health()
    health.resume(["influxdb"])
    health.away("influxdb", "connection refused")
    past(health, OUTAGE_S)
    assert told(health) == []


def test_the_detector_of_outages_judges_no_reading_and_keeps_nothing() -> None:
    station, kind = object(), object()
    assert PEER.score([object()] * 3) == [None] * 3  # type: ignore[list-item]
    assert PEER.start(station, kind) is None  # type: ignore[arg-type]
    assert PEER.due(None) is None
    assert PEER.tick(None, station, "main", 0, 0) is None  # type: ignore[arg-type]
    assert PEER.dump(None) == b""
    assert PEER.load("1", b"", station, kind) is None  # type: ignore[arg-type]


def test_each_change_of_a_peer_is_logged_once() -> None:
    health = Health()
    with capture_logs() as lines:
        health.up("influxdb")
        for reason in ("refused", "still refused"):
            health.away("influxdb", reason)
        for _ in range(2):
            health.up("influxdb")
    assert [(line["event"], line["peer"], line.get("reason")) for line in lines] == [
        ("peer away", "influxdb", "refused"),
        ("peer back", "influxdb", None),
    ]
