"""An edge node and the whole service over a real broker: asked for its births, it is understood, through kills too.

The node's messages are recorded ones that pysparkplug wrote (tools/sparkplug_cases.py), or a long stream by alias.
"""

import contextlib
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from ingest.protobuf import bytes_field, fields, varint_field
from tests.peers import Broker, Pantau, mosquitto, service

pytestmark = pytest.mark.real

RECORDED = Path(__file__).parents[1] / "ingest" / "sparkplug_b"
CLOCK = "2026-01-02T03:04:10+00:00,1"
"""Five seconds after the recorded birth."""
BORN = 1_767_323_045_000
GROUP = "spBv1.0/Gauges"


class EdgeNode:
    """Publishes recorded messages at QoS 0 and hears commands, as the standard wants it."""

    def __init__(self, broker: Broker) -> None:
        self.commands: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._up: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._client = Client(CallbackAPIVersion.VERSION2, "gw-1")
        self._client.max_queued_messages_set(0)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_found: self._up.put(item=True)
        self._client.connect(broker.host, broker.port)
        self._client.subscribe(f"{GROUP}/NCMD/gw-1", 1)
        self._client.loop_start()
        assert self._up.get(timeout=10)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self.commands.put(bytes(message.payload))

    def send(self, kind: str, name: str) -> None:
        (path,) = RECORDED.glob(f"[0-9][0-9]-{name}.bin")
        device = "/post-7" if kind.startswith("D") else ""
        self._client.publish(f"{GROUP}/{kind}/gw-1{device}", path.read_bytes()).wait_for_publish(10)

    def stream(self, number: int) -> None:
        """Births, and then so many levels by alias, at QoS 1: what the broker keeps while nobody listens."""
        name = bytes_field(1, b"Level") + varint_field(4, 3)
        self._tell("NBIRTH/gw-1", 0, 0, b"")
        self._tell("DBIRTH/gw-1/post-7", 1, 1, name)
        for n in range(2, number + 2):
            self._tell("DDATA/gw-1/post-7", n % 256, n, b"")
            time.sleep(0.0005)

    def _tell(self, topic: str, seq: int, n: int, name: bytes) -> None:
        level = bytes_field(2, name + varint_field(2, 7) + varint_field(10, 50 + n // 100 % 5 * 40))
        payload = varint_field(1, BORN + n) + (level if "gw-1/" in topic else b"") + varint_field(3, seq)
        self._client.publish(f"{GROUP}/{topic}", payload, qos=1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mosquitto() as running:
        yield running


def eventually(claim: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def stored(database: Path) -> list[float]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        query = "SELECT value FROM readings WHERE station = 'batu-1' ORDER BY observed_at"
        return [value for (value,) in connection.execute(query)]


def refused(database: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [code for (code,) in connection.execute("SELECT code FROM refused")]


def test_a_node_that_talks_before_its_birth_is_asked_and_then_understood(broker: Broker) -> None:
    with service(broker.url, PANTAU_CLOCK=CLOCK) as pantau:
        node = EdgeNode(broker)
        try:
            node.send("DDATA", "ddata")
            request = {field.number: field for field in fields(node.commands.get(timeout=20), 10)}
            metric = {field.number: field for field in fields(request[2].data, 10)}
            assert (metric[1].data, metric[14].whole) == (b"Node Control/Rebirth", 1)
            eventually(lambda: refused(pantau.database) == ["unknown_alias"])
            assert stored(pantau.database) == []
            node.send("NBIRTH", "nbirth")
            node.send("DBIRTH", "dbirth")
            node.send("DDATA", "ddata")
            node.send("DDATA", "ddata-next")
            eventually(lambda: stored(pantau.database) == [-45.0, -44.0, -43.0])
            assert node.commands.empty()
        finally:
            node.close()


TABLES = {
    "readings": "SELECT station, sensor, observed_at, value, flag, reason FROM readings ORDER BY 1, 2, 3",
    "transitions": "SELECT alert, n, at, what, severity, state, value FROM transitions ORDER BY 1, 2",
    "refused": "SELECT code, reason FROM refused",
    "formats": "SELECT name, body FROM format_states ORDER BY 1",
}


def outcome(pantau: Pantau, node: EdgeNode, number: int, kills: int) -> dict[str, list[tuple[object, ...]]]:
    """What a stream gives while the service is killed so often; nobody may be asked for anything."""
    rng = random.Random(5)
    sender = threading.Thread(target=node.stream, args=(number,))
    sender.start()
    for _ in range(kills):
        time.sleep(rng.uniform(0.2, 0.8))
        pantau.kill()
        pantau.start()
    sender.join()
    eventually(lambda: len(stored(pantau.database)) == number + 1, 60)
    assert node.commands.empty()
    with contextlib.closing(sqlite3.connect(f"file:{pantau.database}?mode=ro", uri=True)) as connection:
        return {table: connection.execute(query).fetchall() for table, query in TABLES.items()}


def test_killed_again_and_again_in_a_stream_by_alias_it_asks_nobody_and_loses_nothing() -> None:
    number, found = 6_000, []
    for kills in (0, 4):
        with mosquitto() as broker, service(broker.url, PANTAU_CLOCK=CLOCK) as pantau:
            node = EdgeNode(broker)
            try:
                found.append(outcome(pantau, node, number, kills))
            finally:
                node.close()
    undisturbed, killed = found
    assert undisturbed["refused"] == []
    assert undisturbed["transitions"]
    assert len(undisturbed["formats"]) == 4
    for table, expected in undisturbed.items():
        assert killed[table] == expected, table
