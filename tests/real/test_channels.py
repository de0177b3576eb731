"""Alerts against real peers: notices through mosquitto, the outbox on PostgreSQL, a sender killed with SIGKILL."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import Engine

from alerts.channel import Channel, Sent
from alerts.channels.mqtt import CHANNEL as MQTT
from alerts.publish import public_alerts
from alerts.sender import Sender
from alerts.store import alerts as alert_store
from alerts.store import commands, contacts, outbox, service, tokens
from alerts.store.outbox import Item
from alerts.store.tables import metadata
from app.clock import RealClock
from app.database import open_engine
from ingest.mqtt import PahoPublisher
from pantau.registry import find
from tests.alerts import outbox_checks
from tests.alerts.receivers import a_notice, contact, http_receiver, wait_until
from tests.alerts.town import TOWN, Life, key_of
from tests.peers import Postgres, mosquitto, postgres
from tests.peers.process import ROOT

pytestmark = pytest.mark.real

CHANNELS: dict[str, Channel] = find("alerts.channels", "CHANNEL", Channel, "name")
TOPIC = "pantau/v1/contoh/notices/posko"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as peer:
        yield peer


@pytest.fixture
def database(server: Postgres) -> Iterator[Engine]:
    engine = open_engine(server.new_database())
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    "check", outbox_checks.CHECKS, ids=lambda check: check.__name__.removeprefix("check_")
)
def test_the_outbox_keeps_its_promises_on_postgresql(
    check: Callable[[Engine], None], database: Engine
) -> None:
    check(database)


def test_alerts_are_kept_and_found_on_postgresql(database: Engine) -> None:
    life = Life(database)
    life.says(0, 2, why={"limits": [80, None], "note": "melompat"})
    life.says(3, value=220.5)
    life.does("acknowledge")
    other = Life(database, key_of("laut"))
    other.pos = 10
    other.says(1)
    with database.connect() as conn:
        assert alert_store.alert(conn, life.changes[-1].record.id) == life.changes[-1].record
        steps = alert_store.timeline(conn, life.changes[-1].record.id)
        assert [step.what for step in steps] == ["raised", "confirmed", "raised", "acknowledged"]
        page, cursor = alert_store.listing(conn, area="99.01.01.1001", limit=1)
        rest, end = alert_store.listing(conn, area="99.01.01.1001", limit=1, cursor=cursor)
        assert {page[0].station, rest[0].station} == {"hulu", "laut"}
        assert end is None
        assert [record.station for record in alert_store.changed_since(conn, 10)] == ["laut"]
        assert len(public_alerts(conn, TOWN, 0)) == 13


def test_commands_tokens_and_contacts_are_kept_on_postgresql(database: Engine) -> None:
    with database.begin() as conn:
        asked = commands.ask(conn, "close", {"alert": "a1"}, "Sari", 1)
        assert commands.waiting(conn) == [(asked, "close", {"alert": "a1"}, "Sari")]
        commands.answer(conn, asked, ok=True, text="closed", applied_at=2)
        assert commands.answered(conn, asked) == (True, "closed")
        token = tokens.add(conn, "Sari", "operator", 1)
        assert tokens.operator_of(conn, token) == ("Sari", "operator")
        number = contacts.add(conn, "posko", "webhook", "https://x.example", 1, secret="s")
        assert contacts.behind(conn, "posko", "webhook") == [number]
        service.take_out(conn, "hulu", since=1, by="Sari", note="rusak", pos=1)
        assert service.under_repair(conn) == {"hulu": "rusak"}


def test_a_notice_reaches_a_subscriber_through_mosquitto_and_waits_while_it_is_away() -> None:
    with mosquitto() as broker:
        got: list[MQTTMessage] = []
        subscribed = threading.Event()
        reader = Client(CallbackAPIVersion.VERSION2, client_id="desk", clean_session=False)
        reader.on_message = lambda _client, _data, message: got.append(message)

        def subscribe(*_: object) -> None:
            reader.subscribe("pantau/v1/contoh/notices/#", qos=1)

        reader.on_connect = subscribe
        reader.on_subscribe = lambda *_: subscribed.set()
        reader.reconnect_delay_set(1, 1)
        reader.connect(broker.host, broker.port)
        reader.loop_start()
        assert subscribed.wait(10)
        publisher = PahoPublisher(broker.url, "alerts-test")
        assert publisher.start(10)
        try:
            assert MQTT.send(a_notice(), contact(TOPIC), publisher, 5.0).sent is Sent.DELIVERED
            wait_until(lambda: len(got) == 1)
            assert (got[0].topic, got[0].retain, json.loads(got[0].payload)["notice_id"]) == (
                TOPIC,
                False,
                "notice-1",
            )
            broker.kill()
            assert MQTT.send(a_notice(id="notice-2"), contact(TOPIC), publisher, 5.0).sent is Sent.RETRY
            subscribed.clear()
            broker.start()
            assert subscribed.wait(20)
            wait_until(
                lambda: (
                    MQTT.send(a_notice(id="notice-2"), contact(TOPIC), publisher, 5.0).sent is Sent.DELIVERED
                )
            )
            wait_until(lambda: "notice-2" in {json.loads(message.payload)["notice_id"] for message in got})
        finally:
            publisher.stop()
            reader.disconnect()
            reader.loop_stop()


VICTIM = """
import sys, threading
from alerts.channel import Channel
from alerts.sender import Sender
from app.clock import RealClock
from app.database import open_engine
from pantau.registry import find
from tests.alerts.town import TOWN
channels = find("alerts.channels", "CHANNEL", Channel, "name")
print("ready", flush=True)
Sender(open_engine(sys.argv[1]), TOWN, channels, None, RealClock(), worker="victim").loop(threading.Event())
"""


def test_a_sender_killed_while_it_hands_over_loses_nothing(tmp_path: Path) -> None:
    """SIGKILL while the receiver has the request: the next sender sends it again, under the same Notice-Id."""
    url = f"sqlite:///{tmp_path / 'kill.db'}"
    engine = open_engine(url)
    metadata.create_all(engine)
    with http_receiver() as receiver:
        receiver.script, receiver.hang_s = ["hang"] * 2, 5.0
        with engine.begin() as conn:
            for role in ("posko", "camat"):
                contacts.add(conn, role, "webhook", receiver.url, 1, secret="s3cret")
        put_two(engine)
        victim = subprocess.Popen(
            [sys.executable, "-c", VICTIM, url], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            wait_until(lambda: len(receiver.requests) == 2, 30)
        finally:
            victim.send_signal(signal.SIGKILL)
            victim.communicate()
        later = RealClock().now() + 120_000
        heir = Sender(engine, TOWN, CHANNELS, None, RealClock(), worker="heir", real_ms=lambda: later)
        heir.run_once()
        later += 10_000
        heir.run_once()
        with engine.connect() as conn:
            assert outbox.waiting(conn) == 0
            assert outbox.undelivered(conn) == []
        ids = [request.headers["notice-id"] for request in receiver.requests]
    engine.dispose()
    assert sorted(ids) == ["n-camat", "n-camat", "n-posko", "n-posko"]


def put_two(engine: Engine) -> None:
    rows = []
    for role in ("posko", "camat"):
        body = msgspec.json.encode(a_notice(id=f"n-{role}", role=role)).decode()
        rows.append(Item(id=f"n-{role}", alert=f"x-{role}", n=1, role=role, channel="webhook", severity=1, body=body,
                         made_at=1))  # fmt: skip
    with engine.begin() as conn:
        outbox.put(conn, rows)
