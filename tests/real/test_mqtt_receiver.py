"""Receiver and publisher against a real mosquitto: what is not acknowledged comes again, what is does not."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.clock import VirtualClock
from ingest.endpoint import Endpoint
from ingest.format import Message
from ingest.mqtt import PahoPublisher, PahoReceiver, Receiver
from pantau.errors import ConfigError, Unavailable
from pantau.ports import Publisher
from tests.peers import Broker, free_port, missing, mosquitto

pytestmark = pytest.mark.real

NOW = 1_767_322_800_000


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto("sys_interval 1") as peer:
        yield peer


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A branch of its own for each test, so that they share one broker without meeting."""
    return f"test/{request.node.name}"


def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def receiving(
    url: str | Endpoint, topic: str, *filters: str, former: tuple[str, ...] = (), wait: bool = True
) -> Iterator[PahoReceiver]:
    receiver = PahoReceiver(
        url, f"me-{topic}"[-60:], filters or (f"{topic}/#",), VirtualClock(NOW), former=former
    )
    receiver.start()
    if wait:
        until(lambda: receiver.subscribed)
    try:
        yield receiver
    finally:
        receiver.stop()


@contextmanager
def publishing(url: str | Endpoint, name: str = "publisher") -> Iterator[PahoPublisher]:
    publisher = PahoPublisher(url, name, timeout_s=5.0)
    assert publisher.start(wait_s=10.0)
    try:
        yield publisher
    finally:
        publisher.stop()


def taken(receiver: Receiver, number: int) -> list[Message]:
    found: list[Message] = []
    deadline = time.monotonic() + 20
    while len(found) < number and time.monotonic() < deadline:
        found += receiver.take(0.5)
    assert len(found) == number
    return found


def test_a_message_arrives_with_all_that_decoding_needs(broker: Broker, topic: str) -> None:
    with receiving(broker.url, topic) as receiver, publishing(broker.url) as publisher:
        publisher.publish(f"{topic}/a b/é", b"\x00\xff")
        (message,) = taken(receiver, 1)
        assert (message.topic, message.payload, message.qos, message.retain) == (
            f"{topic}/a b/é",
            b"\x00\xff",
            1,
            False,
        )
        assert message.received_at == NOW
        assert receiver.connected
        stats = receiver.stats
        assert (stats.received, stats.waiting, stats.connections, stats.problem) == (1, 0, 1, "")
        assert stats.last_message_at == NOW


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(broker: Broker, topic: str) -> None:
    with receiving(broker.url, topic) as receiver, publishing(broker.url) as publisher:
        for n in range(10):
            publisher.publish(topic, b"%d" % n)
        messages = taken(receiver, 10)
        receiver.ack(messages[:4])
        publisher.publish(topic, b"last")
        taken(receiver, 1)  # the acknowledgements have reached the broker before this one was handed over
    with receiving(broker.url, topic) as receiver:
        again = taken(receiver, 7)
        assert [message.payload for message in again] == [b"4", b"5", b"6", b"7", b"8", b"9", b"last"]
        receiver.ack(again)
        time.sleep(0.2)
    with receiving(broker.url, topic) as receiver:
        assert receiver.take(0.5) == []


def test_what_is_sent_while_we_are_away_waits(broker: Broker, topic: str) -> None:
    with receiving(broker.url, topic):
        pass
    with publishing(broker.url) as publisher:
        for n in range(3000):
            publisher.publish(topic, b"%d" % n)
    with receiving(broker.url, topic) as receiver:
        found: list[Message] = []
        while len(found) < 3000:
            batch = receiver.take(5)
            assert batch
            receiver.ack(batch)
            found += batch
        assert [message.payload for message in found] == [b"%d" % n for n in range(3000)]


def test_a_retained_message_says_that_it_is(broker: Broker, topic: str) -> None:
    with publishing(broker.url) as publisher:
        publisher.publish(topic, b"old", retain=True)
    with receiving(broker.url, topic) as receiver:
        (message,) = taken(receiver, 1)
        assert message.retain


def test_it_waits_for_a_broker_that_comes_later(topic: str) -> None:
    port = free_port()
    with receiving(f"mqtt://127.0.0.1:{port}", topic, wait=False) as receiver:
        assert receiver.take(0.1) == []
        until(lambda: receiver.stats.problem == "no answer")
        assert not receiver.connected
        with mosquitto(port=port) as broker:
            until(lambda: receiver.subscribed)
            with publishing(broker.url) as publisher:
                publisher.publish(topic, b"x")
            assert taken(receiver, 1)[0].payload == b"x"


def test_it_comes_back_after_the_broker_was_killed_and_drops_stale_acknowledgements(topic: str) -> None:
    with (
        mosquitto("autosave_interval 1", "autosave_on_changes true", persistence=True) as broker,
        receiving(broker.url, topic) as receiver,
    ):
        with publishing(broker.url) as publisher:
            for n in range(5):
                publisher.publish(topic, b"%d" % n)
        stale = taken(receiver, 5)
        broker.stop()  # in order, so that its file is whole
        until(lambda: not receiver.subscribed)
        receiver.ack(stale)
        broker.start()
        until(lambda: receiver.subscribed)
        receiver.ack(stale)
        assert [message.payload for message in taken(receiver, 5)] == [b"0", b"1", b"2", b"3", b"4"]
        assert receiver.stats.connections == 2
        receiver.ack(stale)
        receiver.stop()
        with receiving(
            broker.url, topic
        ) as next_run:  # nobody acknowledged them on the connection they came over
            assert len(taken(next_run, 5)) == 5


def test_filters_of_an_earlier_run_are_given_up(broker: Broker, topic: str) -> None:
    with receiving(broker.url, topic, f"{topic}/old", f"{topic}/kept"):
        pass
    with (
        receiving(
            broker.url, topic, f"{topic}/kept", f"{topic}/new", former=(f"{topic}/old", f"{topic}/kept")
        ) as receiver,
        publishing(broker.url) as publisher,
    ):
        for name in ("old", "kept", "new"):
            publisher.publish(f"{topic}/{name}", b"x")
        assert [message.topic for message in taken(receiver, 2)] == [f"{topic}/kept", f"{topic}/new"]
        assert receiver.take(0.2) == []


def test_the_brokers_own_count_of_drops_is_known(broker: Broker, topic: str) -> None:
    with receiving(broker.url, topic) as receiver:
        until(lambda: receiver.stats.broker_dropped is not None)
        assert receiver.stats.received == 0


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


def test_an_empty_client_id_is_a_mistake() -> None:
    with pytest.raises(ConfigError):
        PahoReceiver("mqtt://b", "", ["a"], VirtualClock(NOW))


def test_a_password_opens_the_door_and_a_wrong_one_is_told(tmp_path: Path, topic: str) -> None:
    made = shutil.which("mosquitto_passwd") or missing(
        "mosquitto_passwd is not installed; tools/apt-peers installs it"
    )
    passwords = tmp_path / "passwords"
    subprocess.run([made, "-b", "-c", passwords, "ani", "p@ss:/"], check=True)
    passwords.chmod(0o644)
    with mosquitto("allow_anonymous false", f"password_file {passwords}") as broker:
        where = Endpoint.of(broker.url)
        right = Endpoint(where.host, where.port, user="ani", password="p@ss:/")
        with (
            receiving(right, topic) as receiver,
            publishing(broker.url.replace("://", "://ani:p%40ss%3A%2F@")) as publisher,
        ):
            publisher.publish(topic, b"x")
            taken(receiver, 1)
        with receiving(broker.url, topic, wait=False) as receiver:
            until(lambda: "refused us" in receiver.stats.problem)
            assert not receiver.connected
            assert receiver.stats.connections == 0


# paho leaves the socket of a failed handshake to the garbage collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_it_speaks_tls_with_an_authority_of_ones_own(tmp_path: Path, topic: str) -> None:
    openssl = shutil.which("openssl") or missing("openssl is not installed")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *files, *subject]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o644)
    secured = f"listener {{port}} 127.0.0.1\ncertfile {cert}\nkeyfile {key}\nallow_anonymous true\n"
    with mosquitto(config=secured) as broker:
        url = f"mqtts://127.0.0.1:{broker.port}"
        with (
            receiving(f"{url}?ca_file={cert}", topic) as receiver,
            publishing(f"{url}?ca_file={cert}") as publisher,
        ):
            publisher.publish(topic, b"x")
            taken(receiver, 1)
        with receiving(url, topic, wait=False) as receiver:
            until(lambda: receiver.stats.problem != "not yet connected")
            assert not receiver.connected
