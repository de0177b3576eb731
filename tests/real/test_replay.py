"""Replay and load against a real mosquitto: every row arrives once, with the right topic, payload and order."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from ingest.outbox import DiskOutbox
from pantau import cityfolder
from pantau.city import City
from pantau.errors import Unavailable
from simulators.fleet import Fleet
from simulators.flood_event import read_event
from simulators.load import LoadClient, Timed, numbered
from simulators.publish import MqttPublisher
from tests.peers import Broker, free_port, mosquitto

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
JAKARTA = ROOT / "cities" / "jakarta"


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto() as peer:
        yield peer


@pytest.fixture(scope="module")
def city() -> City:
    return cityfolder.load(JAKARTA)


class Listener:
    """Keeps every message of the city's topics, in the order of arrival."""

    def __init__(self, url: str, topic: str = "pantau/v1/#") -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, m: self.messages.append((m.topic, bytes(m.payload)))
        self._port = int(url.rsplit(":", 1)[1])

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *error: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 30
        while len(self.messages) < count and time.monotonic() < deadline:
            time.sleep(0.02)

    def wait_for_body(self, body: bytes) -> None:
        deadline = time.monotonic() + 30
        while all(payload != body for _, payload in self.messages) and time.monotonic() < deadline:
            time.sleep(0.02)

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(payload) for _, payload in self.messages]


def pantau(broker: Broker, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; from app.cli import main; sys.argv[0] = 'pantau'; main()"
    env = {name: value for name, value in os.environ.items() if not name.startswith("PANTAU_")}
    env |= {
        "PANTAU_MQTT_URL": broker.url,
        "PANTAU_CITY": str(JAKARTA),
        "PANTAU_DATA": str(broker.home),
    } | more
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip


def test_a_flood_replayed_at_high_speed_arrives_row_by_row(broker: Broker, city: City) -> None:
    event = read_event(JAKARTA, city, "2014-01-29", start="22:00")
    with Listener(broker.url) as listener:
        done = pantau(broker, "replay", "2014-01-29", "--start", "22:00", "--speed", "20000", "--json")
        assert done.returncode == 0, done.stderr
        listener.wait_for(len(event.rows))
    summary = json.loads(done.stdout)
    assert summary["messages"] == summary["rows"] == len(event.rows) == len(listener.messages)
    assert [topic for topic, _ in listener.messages] == [
        f"pantau/v1/jakarta/water_level/{row.station}" for row in event.rows
    ]
    assert [(body["observed_at"], body["value"], body["unit"]) for body in listener.bodies()] == [
        (row.at, row.value, "cm") for row in event.rows
    ]


def test_a_replay_runs_on_the_shared_clock_at_its_speed(broker: Broker, tmp_path: Path) -> None:
    lines = [f"2026-01-02T03:{minute:02}:00Z,Katulampa,{minute},cm" for minute in range(0, 50, 10)]
    (tmp_path / "r.csv").write_text("time,station,value,unit\n" + "\n".join(lines), encoding="utf-8")
    # The recording is 40 minutes long: 2 s at 1200 times, beginning 2 s after the command may be up.
    anchor = round(time.time() * 1000) + 2_000
    clock = f"2026-01-02T03:00:00Z,1200,{anchor}"
    with Listener(broker.url) as listener:
        done = pantau(broker, "replay", str(tmp_path / "r.csv"), PANTAU_CLOCK=clock)
        assert done.returncode == 0, done.stderr
        took_ms = time.time() * 1000 - anchor
        listener.wait_for(5)
    assert took_ms >= 2_000
    assert [body["value"] for body in listener.bodies()] == [0, 10, 20, 30, 40]


def test_as_if_now_the_readings_bear_the_time_of_today(broker: Broker, tmp_path: Path) -> None:
    text = "time,station,value,unit\n2014-01-01T00:00:00Z,Depok,1,cm\n2014-01-01T00:00:01Z,Depok,2,cm\n"
    (tmp_path / "r.csv").write_text(text, encoding="utf-8")
    before = time.time() * 1000
    with Listener(broker.url) as listener:
        assert pantau(broker, "replay", str(tmp_path / "r.csv"), "--as-if-now").returncode == 0
        listener.wait_for(2)
    first, second = (body["observed_at"] for body in listener.bodies())
    assert before < first < time.time() * 1000
    assert second - first == 1000


def test_faults_are_sent_and_their_truth_is_written(broker: Broker, tmp_path: Path) -> None:
    with Listener(broker.url) as listener:
        done = pantau(
            broker, "replay", "2014-01-29", "--start", "22:00", "--speed", "50000", "--json",
            "--faults", "drop:p=0.1,duplicate:p=0.1,garbage:station=Depok;at=02:10", "--truth", str(tmp_path / "t"),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        listener.wait_for(summary["messages"])
    truth = [json.loads(line) for line in (tmp_path / "t").read_text(encoding="utf-8").splitlines()]
    counts = summary["injected"]
    assert len(truth) == sum(counts.values())
    assert len(listener.messages) == summary["rows"] - counts["drop"] + counts["duplicate"]
    assert counts["garbage"] in {0, 1}


def test_scenarios_can_be_mixed(broker: Broker) -> None:
    with Listener(broker.url) as listener:
        done = pantau(
            broker, "simulate", "quiet", "crowd", "--start", "2026-01-02T03:00:00Z", "--hours", "0.5",
            "--speed", "20000", "--json",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        listener.wait_for(json.loads(done.stdout)["messages"])
    kinds = {topic.split("/")[3] for topic, _ in listener.messages}
    assert kinds == {"water_level", "crowd_count"}


def test_a_fleet_sends_what_it_says(broker: Broker) -> None:
    with Listener(broker.url) as listener:
        done = pantau(broker, "simulate", "--devices", "40", "--rate", "2000", "--minutes", "0.05", "--json")
        assert done.returncode == 0, done.stderr
        summary = json.loads(done.stdout)
        listener.wait_for(summary["messages"])
    assert summary["readings"] == 6000
    assert len(listener.messages) == summary["messages"] == summary["readings"] + summary["doubles"]


def test_the_load_generator_is_fast_enough_and_loses_nothing(broker: Broker, city: City) -> None:
    fleet = Fleet(city, count=200, each=100, step_ms=1000, start=0)
    packets = list(numbered((m.at, m.topic, m.payload) for m in fleet.messages()))
    with Listener(broker.url) as listener:
        with LoadClient(broker.url) as client:
            before = time.process_time()
            client.run(packets)
            spent = time.process_time() - before
        listener.wait_for(len(packets))
    assert client.acknowledged == len(packets) == len(listener.messages)
    # The listener's own thread is in this figure too; the generator alone needs about 5 us.
    assert spent / len(packets) < 150e-6


def test_the_load_generator_keeps_to_the_clock(broker: Broker) -> None:
    began = time.monotonic()
    packets = (
        Timed(at, packet.packet) for at, packet in enumerate(numbered((0, b"x", b"") for _ in range(300)))
    )
    with LoadClient(broker.url) as client:
        client.run(packets, lambda: int((time.monotonic() - began) * 1000))
    assert 0.29 < time.monotonic() - began < 3


def test_messages_wait_in_memory_while_the_broker_restarts() -> None:
    with mosquitto() as broker, MqttPublisher(broker.url, in_flight=10) as publisher:
        publisher.wait_connected(10)
        publisher.publish("before", b"")
        broker.kill()

        def send() -> None:
            for n in range(50):
                publisher.send("t", b"%d" % n)

        sender = threading.Thread(target=send)
        sender.start()
        time.sleep(0.3)
        assert publisher.waiting <= 10
        broker.start()
        with Listener(broker.url, "t") as listener:
            sender.join(30)
            publisher.flush(30)
            publisher.publish("t", b"end")
            listener.wait_for_body(b"end")
        # Those that wait at the restart may reach the broker before the listener does.
        assert {body for _, body in listener.messages} >= {b"%d" % n for n in range(10, 50)}


def test_a_disk_outbox_brings_messages_to_a_broker_that_comes_later(tmp_path: Path) -> None:
    url = f"mqtt://127.0.0.1:{(port := free_port())}"
    with MqttPublisher(url, outbox=DiskOutbox(tmp_path / "o.db")) as publisher:
        for n in range(1000):
            publisher.send("late", b"%d" % n)
        with pytest.raises(Unavailable, match="1000 messages kept in the outbox"):
            publisher.flush(0.1)
    with mosquitto(port=port) as broker, Listener(broker.url, "late") as listener:
        with MqttPublisher(url, outbox=DiskOutbox(tmp_path / "o.db")) as publisher:
            publisher.flush(30)
        listener.wait_for(1000)
        assert [body for _, body in listener.messages] == [b"%d" % n for n in range(1000)]


def test_an_absent_broker_is_told() -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    with MqttPublisher(url) as publisher, pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        publisher.wait_connected(0.2)
    with pytest.raises(Unavailable), LoadClient(url):
        pass
