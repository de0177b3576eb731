"""The short form of ``make test-faults``: a few ways to die, with a real broker; and that its own witnesses see."""

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections import Counter

import pytest

from pantau.faultpoint import Point, listen, reached
from simulators.publish import MqttPublisher
from tests.faults import load
from tests.faults.campaign import plan
from tests.faults.child import SAID
from tests.faults.outcome import Outcome, Row, differences
from tests.faults.pair import HALF_ACKED, RANDOM, Kill, kills, pair
from tests.faults.town import STREAM
from tests.faults.wire import Wire
from tests.peers import mosquitto
from tests.peers.process import ROOT

PACKAGES = ("app", "alerts", "ingest", "models")


@pytest.mark.real
@pytest.mark.timeout(240)
def test_killed_in_several_ways_it_ends_like_an_undisturbed_run() -> None:
    ways = [
        Kill(Point.BEFORE_COMMIT.value, Point.BEFORE_COMMIT, 4),
        Kill(RANDOM, after_s=2.2),
        Kill(HALF_ACKED),
        Kill(Point.COMMITTED.value, Point.COMMITTED, 7),
        Kill(Point.HANDED_OVER.value, Point.HANDED_OVER, 5),
    ]
    result = pair("short", kills(ways), short=True)
    assert result.found == {table: [] for table in result.found}
    assert {died.name for died in result.died} == {way.name for way in ways}
    assert all(died.in_flight for died in result.died)
    assert result.counts["redelivered"] > 0
    assert result.counts["redelivered out of order"] == 0
    for table in ("transitions", "notices", "conflicts", "refused", "commands"):
        assert result.counts[table] > 0, table


def test_nobody_listens_unless_a_test_does() -> None:
    heard: list[Point] = []
    reached(Point.COMMITTED)
    listen(heard.append)
    try:
        reached(Point.RECEIVED)
    finally:
        listen(None)
    reached(Point.ACKNOWLEDGED)
    assert heard == [Point.RECEIVED]


@pytest.mark.parametrize("point", Point)
def test_every_point_lies_on_the_way_of_a_reading_once(point: Point) -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    calls = re.compile(rf"reached\(Point\.{point.name}\)")
    found = {
        str(file.relative_to(ROOT)): len(calls.findall(file.read_text(encoding="utf-8"))) for file in files
    }
    assert sum(found.values()) == 1, {name: number for name, number in found.items() if number}


def test_the_service_itself_knows_no_way_to_be_killed() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert not [file for file in files if "faultpoint import listen" in file.read_text(encoding="utf-8")]


def test_a_child_dies_at_the_hit_that_was_asked_for() -> None:
    program = (
        "from pantau.faultpoint import Point, listen, reached\n"
        "from tests.faults.child import killer\n"
        "listen(killer(Point.COMMITTED, 2))\n"
        "for number in (1, 2, 3):\n"
        "    reached(Point.RECEIVED); print(number, flush=True); reached(Point.COMMITTED)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert run.returncode == -9
    assert run.stdout == "1\n2\n"
    assert SAID in run.stderr


def test_the_campaign_hits_every_point_five_times_and_kills_a_hundred() -> None:
    counted = Counter(kill.name for part in plan(5, 1) for kill in part)
    assert all(counted[point.value] >= 5 for point in Point)
    assert counted[HALF_ACKED] >= 5
    assert counted[RANDOM] >= 20
    assert counted.total() >= 100


def test_the_load_is_the_same_bytes_for_the_same_seed_and_holds_every_kind_of_trouble() -> None:
    first, again = load.stream(3), load.stream(3)
    messages = [next(first) for _ in range(load.VARIED)]
    assert messages == [next(again) for _ in messages]
    repeated = Counter(messages)
    assert max(repeated.values()) > 1
    assert any(b"\xff" in payload for _, payload in messages)
    assert any(topic.endswith("/nowhere") for topic, _ in messages)
    assert any(b"99999" in payload for _, payload in messages)
    assert _two_values_for_an_instant(messages)


def _two_values_for_an_instant(messages: list[load.Message]) -> list[tuple[str, int]]:
    """Gauges and instants that were sent with more than one number."""
    values: dict[tuple[str, int], set[float]] = {}
    for topic, payload in messages:
        with contextlib.suppress(ValueError):
            body = json.loads(payload)
            if (
                topic.rpartition("/")[2] in STREAM
                and isinstance(body, dict)
                and not isinstance(body["value"], str)
            ):
                values.setdefault((topic, body["observed_at"]), set()).add(body["value"])
    return [key for key, found in values.items() if len(found) > 1]


def test_a_lost_and_a_doubled_row_are_differences() -> None:
    row: Row = (("station", "awan-1"), ("value", 1.0))
    calm: Outcome = {"readings": Counter([row])}
    hit: Outcome = {"readings": Counter([row, row])}
    assert differences(calm, hit)["readings"] == ["too many {'station': 'awan-1', 'value': 1.0}"]
    assert differences(hit, calm)["readings"] == ["missing {'station': 'awan-1', 'value': 1.0}"]


@pytest.mark.real
def test_the_wire_counts_what_is_not_acknowledged_and_sees_the_order_in_which_it_comes_again() -> None:
    with mosquitto() as broker:
        wire = Wire(broker.port, "reader")
        wire.start()
        first = _subscribed(wire.port)
        with MqttPublisher(broker.url) as publisher:
            for number in range(3):
                publisher.send("t", b"%d" % number)
            publisher.flush(10)
        assert _payloads(first, 3) == [b"0", b"1", b"2"]
        assert wire.in_flight == 3
        first.sendall(bytes((0x40, 2, 0, 1)))  # PUBACK of the first
        first.close()
        second = _subscribed(wire.port)
        assert _payloads(second, 2) == [b"1", b"2"]
        assert (wire.in_flight, wire.acknowledged, wire.redelivered, wire.disordered) == (2, 1, 2, 0)
        second.close()
        wire.stop()


def _subscribed(port: int) -> socket.socket:
    """A persistent session spoken by hand: CONNECT as ``reader``, SUBSCRIBE to ``t`` at QoS 1."""
    link = socket.create_connection(("127.0.0.1", port), timeout=10)
    link.sendall(b"\x10\x12\x00\x04MQTT\x04\x00\x00\x3c\x00\x06reader")
    assert link.recv(4)[0] == 0x20
    link.sendall(b"\x82\x06\x00\x01\x00\x01t\x01")
    return link


def _payloads(link: socket.socket, number: int) -> list[bytes]:
    """Payloads of one byte of the next PUBLISH packets of topic ``t``."""
    found: list[bytes] = []
    buffer = b""
    while len(found) < number:
        buffer += link.recv(1024)
        while len(buffer) >= 2 and len(buffer) >= 2 + buffer[1]:
            packet, buffer = buffer[: 2 + buffer[1]], buffer[2 + buffer[1] :]
            if packet[0] >> 4 == 3:
                found.append(packet[-1:])
    return found
