"""The whole service as a process, with a real broker, a real InfluxDB, and kills in the middle of the work."""

import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from alerts.store import contacts
from app.database import open_engine, unit_of_work
from simulators.publish import MqttPublisher
from tests.peers import Broker, Influx, Pantau, free_port, influxd, mosquitto, service

pytestmark = pytest.mark.real

START = datetime(2026, 1, 1, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
# So long after the first reading that the last is not in the future, and not so long that a jump that has not met its
# successor yet is reminded of (after a cadence and a half, 225 s), whenever a restart happens to hear it.
CLOCK = f"{(START + timedelta(minutes=3, seconds=10)).isoformat()},1"


@pytest.fixture
def broker() -> Iterator[Broker]:
    with mosquitto() as running:
        yield running


@pytest.fixture(scope="module")
def influx() -> Iterator[Influx]:
    with influxd() as running:
        yield running


def eventually(claim: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def message(city: str, station: str, value: float, at: int, kind: str = "water_level") -> tuple[str, bytes]:
    return f"pantau/v1/{city}/{kind}/{station}", json.dumps({"observed_at": at, "value": value}).encode()


def publish(broker: Broker, messages: list[tuple[str, bytes]]) -> None:
    with MqttPublisher(broker.url) as publisher:
        for topic, payload in messages:
            publisher.send(topic, payload)
        publisher.flush(30)


def rows(database: Path, query: str) -> list[Any]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(query).fetchall()


def count(database: Path, table: str) -> int:
    return int(rows(database, f"SELECT count(*) FROM {table}")[0][0])


def test_a_reading_becomes_an_alert_a_public_topic_and_a_signed_notice(broker: Broker) -> None:
    received: list[dict[str, Any]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    with service(broker.url, PANTAU_CLOCK=CLOCK) as pantau:
        engine = open_engine(f"sqlite:///{pantau.database}")
        with unit_of_work(engine) as connection:
            for role in pantau_roles():
                contacts.add(
                    connection, role, "webhook", f"http://127.0.0.1:{server.server_port}/", 0, secret="s"
                )
        engine.dispose()
        now = START_MS
        publish(
            broker,
            [
                message("contoh", "awan-1", value, now + index)
                for index, value in enumerate((60, 61, 900.5, 500, 500))
            ],
        )
        publish(
            broker, [message("contoh", "nowhere", 1, now), ("pantau/v1/contoh/water_level/awan-1", b"\xff{")]
        )
        eventually(lambda: len(pantau.get("/api/v1/alerts")["alerts"]) > 0)
        eventually(lambda: any(notice["station"] == "awan-1" for notice in received))
        [alert] = [one for one in pantau.get("/api/v1/alerts")["alerts"] if one["cause"] == "level"]
        assert alert["confirmed"]
        timeline = pantau.get(f"/api/v1/alerts/{alert['id']}")["timeline"]
        assert [entry["what"] for entry in timeline][:2] == ["raised", "confirmed"]
        eventually(lambda: count(pantau.database, "readings") == 5)
        assert "unknown_station" in {code for (code,) in rows(pantau.database, "SELECT code FROM refused")}
        assert all("EXERCISE" in notice["title"] for notice in received)
    server.shutdown()
    server.server_close()


def pantau_roles() -> list[str]:
    text = (Path(__file__).parents[2] / "cities" / "contoh" / "recipients.csv").read_text(encoding="utf-8")
    return [line.split(",")[0] for line in text.splitlines() if line and not line.startswith(("#", "role"))]


def load(number: int) -> list[tuple[str, bytes]]:
    """Readings of several stations with crossings, spikes, duplicates and a conflict, in a fixed order."""
    rng = random.Random(7)
    messages: list[tuple[str, bytes]] = []
    stations = ("awan-1", "awan-2", "awan-3", "batu-1", "batu-2", "harbour")
    for index in range(number):
        for station in stations:
            at = START_MS + index * 1000
            value = 100 + 90 * ((index // 12) % 4) + rng.choice((0, 1, 2))
            if rng.random() < 0.03:
                value += 400
            messages.append(message("contoh", station, value, at))
            if rng.random() < 0.05:
                messages.append(messages[-1])
            if rng.random() < 0.02:
                messages.append(message("contoh", station, value + 3, at))
    return messages


TABLES = {
    "readings": "SELECT station, sensor, kind, observed_at, value, flag, reason FROM readings ORDER BY 1, 2, 3, 4",
    "transitions": "SELECT alert, n, at, what, severity, confirmed, state, value, why FROM transitions ORDER BY 1, 2",
    "alerts": "SELECT id, hazard, cause, scope, state, severity, worst, raised_at, n FROM alerts ORDER BY 1",
    "outbox": "SELECT id, alert, n, role, channel FROM outbox ORDER BY 1",
    "conflicts": "SELECT station, observed_at, former, value FROM conflicts ORDER BY 1, 2, 3, 4",
}


def outcome(pantau: Pantau, messages: list[tuple[str, bytes]]) -> dict[str, list[Any]]:
    expected = len({(topic, json.loads(payload)["observed_at"]) for topic, payload in messages})
    eventually(lambda: count(pantau.database, "readings") == expected, 60)
    eventually(lambda: behind(pantau.database) == 0, 30)
    return {table: rows(pantau.database, query) for table, query in TABLES.items()}


def behind(database: Path) -> int:
    newest = rows(database, "SELECT coalesce(max(pos), 0) FROM journal")[0][0]
    stored = rows(database, "SELECT coalesce(max(pos), 0) FROM cursors WHERE name = 'store'")[0][0]
    return max(0, int(newest) - int(stored))


def test_killed_in_the_middle_again_and_again_it_ends_like_an_undisturbed_run() -> None:
    messages = load(300)
    with mosquitto() as broker, service(broker.url, PANTAU_CLOCK=CLOCK) as calm:
        publish(broker, messages)
        undisturbed = outcome(calm, messages)
    assert len(undisturbed["transitions"]) > 40
    assert len(undisturbed["conflicts"]) > 5
    with mosquitto() as broker, service(broker.url, PANTAU_CLOCK=CLOCK) as killed:
        rng = random.Random(11)
        thirds = len(messages) // 4
        for part in range(4):
            publish(broker, messages[part * thirds : (part + 1) * thirds if part < 3 else None])
            if part < 3:
                time.sleep(rng.uniform(0.0, 0.2))
                killed.kill()
                killed.start()
        disturbed = outcome(killed, messages)
    for table, expected in undisturbed.items():
        assert set(expected) ^ set(disturbed[table]) == set(), table
        assert disturbed[table] == expected


def test_without_a_broker_it_waits_and_says_so_and_then_works() -> None:
    port = free_port()
    with service(f"mqtt://127.0.0.1:{port}", wait_ready=False, PANTAU_CLOCK=CLOCK) as pantau:
        answer = pantau.http.get("/readyz")
        assert answer.status_code == 503
        with mosquitto(port=port) as broker:
            eventually(lambda: pantau.http.get("/readyz").status_code == 200, 40)
            publish(broker, [message("contoh", "awan-1", 10, START_MS)])
            eventually(lambda: count(pantau.database, "readings") == 1)


def test_influxdb_away_costs_delay_but_no_reading(broker: Broker, influx: Influx) -> None:
    bucket = influx.new_bucket()
    now = round(time.time() * 1000)
    with service(
        broker.url, PANTAU_INFLUX_URL=influx.url, PANTAU_INFLUX_TOKEN=influx.token,
        PANTAU_INFLUX_ORG=influx.org, PANTAU_INFLUX_BUCKET=bucket,
    ) as pantau:  # fmt: skip
        query = f"/api/v1/stations/awan-1/readings?start={iso(now - 60_000)}&end={iso(now + 60_000)}"
        publish(broker, [message("contoh", "awan-1", 10, now - 1000 + index) for index in range(100)])
        eventually(lambda: len(pantau.get(query)["readings"]) == 100)
        influx.kill()
        publish(broker, [message("contoh", "awan-1", 11, now + index) for index in range(100)])
        eventually(lambda: "influxdb" in pantau.get("/readyz")["degraded"])
        eventually(lambda: pantau.get("/api/v1/stations/awan-1")["properties"]["value"] == 11)
        influx.start()
        eventually(lambda: len(pantau.get(query)["readings"]) == 200, 40)


def test_influxdb_absent_at_start_is_waited_for(broker: Broker, influx: Influx) -> None:
    bucket = influx.new_bucket()
    influx.kill()
    now = round(time.time() * 1000)
    try:
        with service(
            broker.url, PANTAU_INFLUX_URL=influx.url, PANTAU_INFLUX_TOKEN=influx.token,
            PANTAU_INFLUX_ORG=influx.org, PANTAU_INFLUX_BUCKET=bucket,
        ) as pantau:  # fmt: skip
            publish(broker, [message("contoh", "awan-1", 10, now)])
            eventually(lambda: "influxdb" in pantau.get("/readyz")["degraded"])
            history = pantau.http.get("/api/v1/stations/awan-1/readings")
            assert history.status_code == 503
            influx.start()
            eventually(lambda: len(pantau.get("/api/v1/stations/awan-1/readings")["readings"]) == 1, 40)
    finally:
        if not influx.ready():
            influx.start()


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat().replace("+00:00", "Z")


def test_wrong_settings_are_all_told_at_once(tmp_path: Path) -> None:
    import subprocess

    from tests.peers import pantau

    run = subprocess.run(
        ["env", "PANTAU_CITY=/nowhere", "PANTAU_MQTT_URL=http://x", "PANTAU_HTTP=8000", "PANTAU_INFLUX_URL=x",
         *pantau("run")], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    for name in ("PANTAU_CITY", "PANTAU_MQTT_URL", "PANTAU_HTTP", "PANTAU_INFLUX_TOKEN"):
        assert name in run.stderr
