"""The fast receiver, and the publisher, with real brokers: passwords, TLS, long silences and cut lines."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from app.demo import broker as demo_broker_module
from app.demo.broker import demo_broker
from ingest.endpoint import Endpoint
from ingest.mqtt import PahoPublisher
from ingest.reader import MqttReceiver
from pantau.errors import Unavailable
from pantau.ports import Publisher
from tests.peers import Broker, free_port, missing, mosquitto
from tests.peers.receiving import clock, numbers, running, sending, subscribed, taken, until

pytestmark = pytest.mark.real

VERSIONS = pytest.mark.parametrize("version", ["3.1.1", "5"])


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto("sys_interval 1") as peer:
        yield peer


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A branch of its own for each test, so that they share one broker without meeting."""
    return f"test/{request.node.name}"


def receiver(url: str | Endpoint, topic: str, **more: int) -> MqttReceiver:
    return MqttReceiver(url, topic, [f"{topic}/#"], clock(), **more)  # type: ignore[arg-type]


@contextmanager
def publishing(url: str | Endpoint, name: str = "publisher") -> Iterator[PahoPublisher]:
    publisher = PahoPublisher(url, name, timeout_s=5.0)
    assert publisher.start(wait_s=10.0)
    try:
        yield publisher
    finally:
        publisher.stop()


@VERSIONS
def test_the_brokers_own_count_of_drops_is_known(broker: Broker, topic: str, version: str) -> None:
    with running(receiver(f"{broker.url}?version={version}", topic)) as it:
        until(lambda: not it.take(0.05) and it.stats.broker_dropped is not None)
        assert it.stats.received == 0


@VERSIONS
def test_a_commit_longer_than_the_keep_alive_costs_neither_connection_nor_message(
    broker: Broker, topic: str, version: str
) -> None:
    with running(receiver(f"{broker.url}?version={version}", topic, keepalive_s=1)) as it:
        subscribed(it)
        with sending(broker.url) as send:
            send(topic, *numbers(1000))
            first = taken(it, 1000)
            send(topic, *numbers(1000))
            time.sleep(4)  # mosquitto gives up after one and a half keep-alives
            it.ack(first)
            it.ack(taken(it, 1000))
            assert it.connected
            assert it.stats.connections == 1
            send(topic, b"x")
            assert taken(it, 1)[0].payload == b"x"


@VERSIONS
def test_acknowledging_just_before_the_end_is_enough(broker: Broker, topic: str, version: str) -> None:
    """Beyond the contract: paho may lose what it has just acknowledged."""
    url = f"{broker.url}?version={version}"
    with running(receiver(url, topic)) as it, sending(broker.url) as send:
        subscribed(it)
        send(topic, *numbers(900))
        it.ack(taken(it, 900))
    with running(receiver(url, topic)) as it:
        assert subscribed(it) == []
        assert it.take(0.3) == []


class Line:
    """A line to the broker that can be cut so that neither end hears of it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.cut = False
        self.url = f"mqtt://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                here, _ = self._server.accept()
                there = socket.create_connection(("127.0.0.1", self._port))
                self._open += [here, there]
                for ends in ((here, there), (there, here)):
                    threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self.cut and source in self._dead:
                    continue
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def fall_silent(self) -> None:
        """From now on nothing passes over the connections that there are; new ones work."""
        self._dead = list(self._open)
        self.cut = True

    def close(self) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        for one in (self._server, *self._open):
            one.close()


@VERSIONS
def test_a_line_that_falls_silent_is_noticed_and_nothing_is_lost(
    broker: Broker, topic: str, version: str
) -> None:
    line = Line(broker.port)
    try:
        with (
            running(receiver(f"{line.url}?version={version}", topic, keepalive_s=1)) as it,
            sending(broker.url) as send,
        ):
            subscribed(it)
            send(topic, b"before")
            it.ack(taken(it, 1))
            time.sleep(0.1)
            line.fall_silent()
            send(topic, b"into the void")
            began = time.monotonic()
            found = taken(it, 1)
            assert [message.payload for message in found] == [b"into the void"]
            assert time.monotonic() - began < 10
            assert it.stats.connections == 2
            it.ack(found)
            send(topic, b"after")
            assert [message.payload for message in taken(it, 1)] == [b"after"]
    finally:
        line.close()


@VERSIONS
def test_the_brokers_restart_is_survived_in_the_middle_of_a_burst(topic: str, version: str) -> None:
    with (
        mosquitto(persistence=True) as broker,
        running(receiver(f"{broker.url}?version={version}", topic)) as it,
    ):
        subscribed(it)
        with sending(broker.url) as send:
            send(topic, *numbers(5000))
        found = {message.payload for message in it.take(5, limit=300)}
        broker.stop()
        broker.start()
        deadline = time.monotonic() + 30
        while len(found) < 5000 and time.monotonic() < deadline:
            batch = it.take(0.2)
            it.ack(batch)
            found |= {message.payload for message in batch}
        assert found == set(numbers(5000))


def test_the_demos_own_broker_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It speaks 3.1.1 alone, and ends the connection of whoever asks for $SYS: the second one is not asked."""
    monkeypatch.setattr(demo_broker_module, "find_mosquitto", lambda: None)
    with demo_broker(tmp_path) as broker, running(receiver(broker.url, "demo")) as it:
        assert broker.name == "iotcore"
        until(lambda: not it.take(0.05) and it.subscribed and it.stats.connections == 2)
        with sending(broker.url) as send:
            send("demo/a", *numbers(500))
            found = taken(it, 500, ack=True)
            assert [message.payload for message in found] == numbers(500)
        assert it.stats.connections == 2


def test_publishing_without_a_broker_says_so_at_once() -> None:
    publisher: Publisher = PahoPublisher(f"mqtt://127.0.0.1:{free_port()}", "p")
    with pytest.raises(Unavailable):
        publisher.publish("a", b"x")


def test_publishing_to_a_wildcard_is_a_mistake(broker: Broker) -> None:
    with publishing(broker.url) as publisher, pytest.raises(ValueError, match="wildcard"):
        publisher.publish("a/#", b"x")


def test_publishing_goes_on_after_the_broker_came_back(topic: str) -> None:
    with mosquitto() as broker, publishing(broker.url) as publisher:
        broker.kill()
        until(lambda: not publisher.connected)
        with pytest.raises(Unavailable):
            publisher.publish(topic, b"x")
        broker.start()
        until(lambda: publisher.connected)
        publisher.publish(topic, b"x")


@VERSIONS
def test_a_password_opens_the_door_and_a_wrong_one_is_told(tmp_path: Path, topic: str, version: str) -> None:
    made = shutil.which("mosquitto_passwd") or missing(
        "mosquitto_passwd is not installed; tools/apt-peers installs it"
    )
    passwords = tmp_path / "passwords"
    subprocess.run([made, "-b", "-c", passwords, "ani", "p@ss:/"], check=True)
    passwords.chmod(0o644)
    with mosquitto("allow_anonymous false", f"password_file {passwords}") as broker:
        where = Endpoint.of(broker.url)
        right = Endpoint(where.host, where.port, user="ani", password="p@ss:/", version=version)
        with (
            running(receiver(right, topic)) as it,
            publishing(broker.url.replace("://", "://ani:p%40ss%3A%2F@")) as publisher,
        ):
            subscribed(it)
            publisher.publish(topic, b"x")
            taken(it, 1)
        for user, password in ((None, None), ("ani", "other")):
            wrong = Endpoint(where.host, where.port, user=user, password=password, version=version)
            with running(receiver(wrong, topic)) as it:
                until(lambda it=it: "refused us: not authorized" in it.stats.problem)  # type: ignore[misc]
                assert not it.connected
                assert it.stats.connections == 0


def certificate(folder: Path, name: str, authority: str | None, *more: str) -> str:
    """Make ``name.pem`` and ``name.key``, signed by that authority, or by itself."""
    openssl = shutil.which("openssl") or missing("openssl is not installed")
    signed = ["-CA", f"{authority}.pem", "-CAkey", f"{authority}.key"] if authority else []
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    files = ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
    subprocess.run([*command, *files, *signed, *more], check=True, capture_output=True, cwd=folder)
    (folder / f"{name}.key").chmod(0o644)
    return str(folder / name)


# paho leaves the socket of a failed handshake to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@VERSIONS
def test_it_speaks_tls_with_an_authority_and_a_certificate_of_ones_own(
    tmp_path: Path, topic: str, version: str
) -> None:
    ca = certificate(tmp_path, "ca", None)
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
    server = certificate(tmp_path, "server", "ca", *leaf, "-addext", "subjectAltName=IP:127.0.0.1")
    mine = certificate(tmp_path, "mine", "ca", *leaf)
    secured = (
        f"listener {{port}} 127.0.0.1\ncertfile {server}.pem\nkeyfile {server}.key\ncafile {ca}.pem\n"
        "require_certificate true\nallow_anonymous true\nmax_inflight_messages 1000\n"
    )
    with mosquitto(config=secured) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}?version={version}"
        known = f"{url}&ca_file={ca}.pem"
        shown = f"{known}&cert_file={mine}.pem&key_file={mine}.key"
        with running(receiver(shown, topic, keepalive_s=1)) as it, publishing(shown) as publisher:
            subscribed(it)
            publisher.publish(topic, bytes(1_000_000))
            assert taken(it, 1)[0].payload == bytes(1_000_000)
            for payload in numbers(500):
                publisher.publish(topic, payload)
            time.sleep(2)
            found = taken(it, 500)
            assert [message.payload for message in found] == list(numbers(500))
            it.ack(found)
            assert it.stats.connections == 1
        for lacking in (url, known):
            with running(receiver(lacking, topic)) as it:
                until(lambda it=it: not it.take(0.02) and it.stats.problem != "not yet connected")  # type: ignore[misc]
                assert not it.connected
