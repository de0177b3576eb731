"""Operators' commands over HTTP against the running service: what they ask for is applied and answered."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from alerts.store import tokens
from app.database import open_engine, unit_of_work
from simulators.publish import MqttPublisher
from tests.peers import Broker, Pantau, mosquitto, service

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto() as running:
        yield running


@pytest.fixture(scope="module")
def pantau(broker: Broker) -> Iterator[Pantau]:
    with service(broker.url) as running:
        engine = open_engine(f"sqlite:///{running.database}")
        with unit_of_work(engine) as connection:
            token = tokens.add(connection, "sari", "operator", 0)
        engine.dispose()
        running.http.headers["Authorization"] = f"Bearer {token}"
        yield running


def publish(broker: Broker, values: list[float], station: str = "awan-1") -> int:
    """Readings of this moment, one millisecond apart; returns the last instant."""
    at = round(time.time() * 1000)
    with MqttPublisher(broker.url) as publisher:
        for value in values:
            at += 1
            payload = json.dumps({"observed_at": at, "value": value}).encode()
            publisher.send(f"pantau/v1/contoh/water_level/{station}", payload)
        publisher.flush(10)
    return at


def the_alert(pantau: Pantau, station: str = "awan-1", state: str = "active") -> dict[str, object]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = [
            alert
            for alert in pantau.get(f"/api/v1/alerts?state={state}")["alerts"]
            if alert["station"] == station and alert["cause"] == "level"
        ]
        if found:
            return dict(found[0])
        time.sleep(0.1)
    pytest.fail("no alert")


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def test_an_alert_is_acknowledged_shelved_and_closed(broker: Broker, pantau: Pantau) -> None:
    publish(broker, [60, 61, 400, 401])
    alert = the_alert(pantau)
    path = f"/api/v1/alerts/{alert['id']}"
    answer = pantau.http.post(f"{path}/acknowledge", json={"note": "seen"})
    assert answer.status_code == 200, answer.text
    assert pantau.http.post(f"{path}/acknowledge", json={}).status_code == 409
    until = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    assert pantau.http.post(f"{path}/shelve", json={"until": until}).status_code == 200
    assert pantau.http.post(f"{path}/unshelve", json={}).status_code == 200
    assert pantau.http.post(f"{path}/close", json={"note": "sensor known to be wrong"}).status_code == 200
    timeline = pantau.get(path)["timeline"]
    assert [(entry["what"], entry["name"], entry["note"]) for entry in timeline[-4:]] == [
        ("acknowledged", "sari", "seen"),
        ("shelved", "sari", None),
        ("unshelved", "sari", None),
        ("closed", "sari", "sensor known to be wrong"),
    ]


def test_a_reading_by_phone_is_judged_and_can_be_marked_wrong(broker: Broker, pantau: Pantau) -> None:
    at = publish(broker, [20, 21], "awan-2") + 10
    entry = {"station": "awan-2", "value": 900, "observed_at": iso(at), "confirm": True}
    answer = pantau.http.post("/api/v1/readings", json=entry)
    assert answer.status_code == 200, answer.text
    alert = the_alert(pantau, "awan-2")
    assert alert["confirmed"]
    wrong = {"station": "awan-2", "observed_at": iso(at), "note": "meant 90"}
    deadline = time.monotonic() + 10
    while (answer := pantau.http.post("/api/v1/readings/mark-wrong", json=wrong)).status_code == 404:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    assert answer.status_code == 200, answer.text
    timeline = pantau.get(f"/api/v1/alerts/{alert['id']}")["timeline"]
    assert timeline[-1]["what"] == "withdrawn"


def test_a_station_is_taken_out_of_service_and_put_back(pantau: Pantau) -> None:
    path = "/api/v1/stations/awan-3/service"
    assert pantau.http.post(path, json={"in_service": False, "note": "new sensor"}).status_code == 200
    state = pantau.get("/api/v1/stations/awan-3")["properties"]["state"]
    deadline = time.monotonic() + 5
    while state != "out_of_service" and time.monotonic() < deadline:
        time.sleep(0.1)
        state = pantau.get("/api/v1/stations/awan-3")["properties"]["state"]
    assert state == "out_of_service"
    assert pantau.http.post(path, json={"in_service": True}).status_code == 200


def test_a_slip_of_the_keyboard_is_told_to_operators_only(broker: Broker, pantau: Pantau) -> None:
    publish(broker, [20, 21], "batu-1")
    assert pantau.http.post("/api/v1/readings", json={"station": "batu-1", "value": True}).status_code == 422
    answer = pantau.http.post("/api/v1/readings", json={"station": "batu-1", "value": 990})
    assert answer.status_code == 200, answer.text
    assert "jump" in answer.json()["text"]
    assert answer.json()["observed_at"]
    assert not the_alert(pantau, "batu-1")["confirmed"]


def test_without_a_token_nobody_commands(pantau: Pantau) -> None:
    answer = pantau.http.post("/api/v1/readings", json={}, headers={"Authorization": "Bearer pantau_wrong"})
    assert answer.status_code == 401
