"""The real peers themselves: each starts, serves, is killed, comes back with its data, and leaves nothing behind."""

import contextlib
import socket
import subprocess
import sys
import threading
import time

import httpx
import psycopg
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.peers import Influx, chromium, free_port, influxd, missing, mosquitto, postgres
from tests.peers.process import ROOT

pytestmark = pytest.mark.real

OK = 200
NO_CONTENT = 204


def client(port: int, name: str) -> Client:
    made = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
    made.connect("127.0.0.1", port)
    made.loop_start()
    return made


def leave(*clients: Client) -> None:
    for each in clients:
        each.disconnect()
        each.loop_stop()


def test_mosquitto_carries_a_message() -> None:
    with mosquitto() as broker:
        got: list[bytes] = []
        arrived = threading.Event()
        subscribed = threading.Event()
        reader = client(broker.port, "reader")
        reader.on_subscribe = lambda *_: subscribed.set()

        def keep(_client: Client, _userdata: object, message: MQTTMessage) -> None:
            got.append(bytes(message.payload))
            arrived.set()

        reader.on_message = keep
        reader.subscribe("a/b", qos=1)
        assert subscribed.wait(10)
        writer = client(broker.port, "writer")
        writer.publish("a/b", b"41", qos=1).wait_for_publish(10)
        assert arrived.wait(10)
        leave(reader, writer)
    assert got == [b"41"]


def test_mosquitto_keeps_its_queue_over_an_orderly_stop() -> None:
    with mosquitto(persistence=True) as broker:
        reader = client(broker.port, "reader")
        subscribed = threading.Event()
        reader.on_subscribe = lambda *_: subscribed.set()
        reader.subscribe("a", qos=1)
        assert subscribed.wait(10)
        leave(reader)
        writer = client(broker.port, "writer")
        writer.publish("a", b"kept", qos=1).wait_for_publish(10)
        leave(writer)
        broker.stop()
        broker.start()
        arrived = threading.Event()
        reader = Client(CallbackAPIVersion.VERSION2, client_id="reader", clean_session=False)
        reader.on_message = lambda *_: arrived.set()
        reader.connect(broker.host, broker.port)
        reader.loop_start()
        assert arrived.wait(10)
        leave(reader)


def write(influx: Influx, line: str) -> None:
    answer = httpx.post(
        f"{influx.url}/api/v2/write",
        params={"org": influx.org, "bucket": influx.bucket, "precision": "ms"},
        headers={"Authorization": f"Token {influx.token}"},
        content=line,
        trust_env=False,
    )
    assert answer.status_code == NO_CONTENT, answer.text


def test_influxd_keeps_points_over_a_kill() -> None:
    with influxd() as influx:
        write(influx, "water_level,station=depok value=212.5 1390000000000")
        influx.kill()
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{influx.url}/health", trust_env=False)
        influx.start()
        answer = httpx.post(
            f"{influx.url}/api/v2/query",
            params={"org": influx.org},
            headers={"Authorization": f"Token {influx.token}", "Content-Type": "application/vnd.flux"},
            content=f'from(bucket: "{influx.bucket}") |> range(start: 0)',
            trust_env=False,
        )
        assert answer.status_code == OK
        assert "212.5" in answer.text
        assert influx.new_bucket() != influx.new_bucket()


def test_postgres_keeps_commits_over_a_kill() -> None:
    with postgres() as server:
        url = server.new_database()
        assert url.startswith("postgresql+psycopg://")
        dsn = url.replace("+psycopg", "")
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE TABLE t (v integer)")
            connection.execute("INSERT INTO t VALUES (7)")
        server.kill()
        server.start()
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT v FROM t").fetchone() == (7,)


def test_chromium_renders_a_page() -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.set_content(
            "<h1>Siaga</h1><script>document.title = document.querySelector('h1').textContent</script>"
        )
        assert page.title() == "Siaga"


def test_a_server_dies_with_a_killed_test_run() -> None:
    script = (
        "from tests.peers import mosquitto\nimport os, signal\n"
        "with mosquitto() as broker:\n    print(broker.port, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = [sys.executable, "-c", script]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    deadline = time.monotonic() + 10
    while listening(int(done.stdout)):
        assert time.monotonic() < deadline, "the broker outlived the process that had started it"
        time.sleep(0.01)


def listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_missing_fails_in_ci_and_skips_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no such thing"):
        missing("no such thing")
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no such thing"):
        missing("no such thing")


def test_free_ports_differ() -> None:
    assert len({free_port() for _ in range(20)}) > 1
