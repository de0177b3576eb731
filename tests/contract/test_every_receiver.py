"""What every receiver does with a real mosquitto: the fast one in both versions of MQTT, and plain paho beside it."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.endpoint import Endpoint
from ingest.format import Message
from ingest.reader import MqttReceiver
from ingest.receiver import Receiver
from tests.peers import Broker, free_port, mosquitto
from tests.peers.paho_receiver import PahoReceiver
from tests.peers.receiving import NOW, clock, numbers, running, sending, subscribed, taken, until
from tests.peers.secured import plugin

pytestmark = pytest.mark.real

Make = Callable[..., Receiver]


def fast(version: str) -> Make:
    def make(url: str, client_id: str, *filters: str, former: tuple[str, ...] = ()) -> Receiver:
        return MqttReceiver(f"{url}?version={version}", client_id, filters, clock(), former=former)

    return make


def paho(url: str, client_id: str, *filters: str, former: tuple[str, ...] = ()) -> Receiver:
    return PahoReceiver(Endpoint.of(url), client_id, filters, clock(), former=former)


@pytest.fixture(params=[fast("3.1.1"), fast("5"), paho], ids=["fast-3.1.1", "fast-5", "paho"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto() as peer:
        yield peer


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> str:
    """A branch of its own for each test, so that they share one broker without meeting."""
    return f"test/{request.node.name}"


@pytest.fixture
def receiver(make: Make, broker: Broker, topic: str) -> Iterator[Receiver]:
    with running(make(broker.url, topic, f"{topic}/#")) as made:
        subscribed(made)
        yield made


def test_a_message_arrives_with_all_that_decoding_needs(
    receiver: Receiver, broker: Broker, topic: str
) -> None:
    with sending(broker.url) as send:
        send(f"{topic}/a b/é", b"\x00\xff")
    (message,) = taken(receiver, 1)
    assert (message.topic, message.payload) == (f"{topic}/a b/é", b"\x00\xff")
    assert (message.qos, message.retain, message.received_at) == (1, False, NOW)
    assert receiver.connected
    stats = receiver.stats
    assert (stats.received, stats.waiting, stats.connections, stats.problem) == (1, 0, 1, "")
    assert stats.last_message_at == NOW


@pytest.mark.parametrize("size", [0, 1, 60, 70, 200, 16_300, 16_400, 1_000_000, 2_097_000])
def test_payloads_of_any_size_arrive_whole(receiver: Receiver, broker: Broker, topic: str, size: int) -> None:
    payload = bytes(n % 251 for n in range(size))
    with sending(broker.url) as send:
        send(topic, b"before", payload, b"after")
    assert [message.payload for message in taken(receiver, 3)] == [b"before", payload, b"after"]


def test_a_burst_arrives_once_and_in_order(receiver: Receiver, broker: Broker, topic: str) -> None:
    with sending(broker.url) as send:
        send(topic, *numbers(10_000))
    assert [message.payload for message in taken(receiver, 10_000, ack=True)] == numbers(10_000)
    assert receiver.take(0.1) == []
    assert receiver.stats.received == 10_000


def test_qos_0_comes_too_and_wants_no_acknowledgement(receiver: Receiver, broker: Broker, topic: str) -> None:
    with sending(broker.url) as send:
        send(topic, b"light", qos=0)
        send(topic, b"promised")
        send(topic, b"light again", qos=0)
    messages = taken(receiver, 3)
    assert [(m.payload, m.qos) for m in messages] == [(b"light", 0), (b"promised", 1), (b"light again", 0)]
    receiver.ack(messages)
    assert receiver.take(0.1) == []


def test_what_is_not_acknowledged_comes_again_and_what_is_does_not(
    make: Make, broker: Broker, topic: str
) -> None:
    with running(make(broker.url, topic, topic)) as receiver:
        subscribed(receiver)
        with sending(broker.url) as send:
            send(topic, *numbers(10))
            messages = taken(receiver, 10)
            receiver.ack(messages[:4])
            send(topic, b"last")
        taken(receiver, 1)
    with running(make(broker.url, topic, topic)) as receiver:
        again = taken(receiver, 7)
        assert [message.payload for message in again] == [b"4", b"5", b"6", b"7", b"8", b"9", b"last"]
        receiver.ack(again)
    with running(make(broker.url, topic, topic)) as receiver:
        assert subscribed(receiver) == []
        assert receiver.take(0.3) == []


def test_order_of_acknowledging_does_not_matter(make: Make, broker: Broker, topic: str) -> None:
    with running(make(broker.url, topic, topic)) as receiver:
        subscribed(receiver)
        with sending(broker.url) as send:
            send(topic, *numbers(6))
        messages = taken(receiver, 6)
        receiver.ack([])
        receiver.ack(messages[4:])
        receiver.ack(messages[:2])
    with running(make(broker.url, topic, topic)) as receiver:
        assert [message.payload for message in taken(receiver, 2)] == [b"2", b"3"]


def test_what_is_sent_while_we_are_away_waits(make: Make, broker: Broker, topic: str) -> None:
    with running(make(broker.url, topic, topic)) as receiver:
        subscribed(receiver)
    with sending(broker.url) as send:
        send(topic, *numbers(3000))
    with running(make(broker.url, topic, topic)) as receiver:
        found = taken(receiver, 3000, ack=True)
        assert [message.payload for message in found] == numbers(3000)


def test_no_more_than_the_limit_is_taken_and_the_rest_stays_in_order(
    receiver: Receiver, broker: Broker, topic: str
) -> None:
    with sending(broker.url) as send:
        send(topic, *numbers(500))
    found: list[Message] = []
    while len(found) < 500:
        batch = receiver.take(2, limit=64)
        assert 0 < len(batch) <= 64
        found += batch
    assert [message.payload for message in found] == numbers(500)


def test_a_retained_message_says_that_it_is(make: Make, broker: Broker, topic: str) -> None:
    with sending(broker.url) as send:
        send(topic, b"old", retain=True)
        with running(make(broker.url, topic, topic)) as receiver:
            (old,) = [*subscribed(receiver), *receiver.take(0.5)] or taken(receiver, 1)
            assert old.retain
            send(topic, b"new", retain=True)
            (new,) = taken(receiver, 1)
            assert not new.retain


def test_nothing_arrived_is_an_empty_batch_after_the_timeout(receiver: Receiver) -> None:
    receiver.take(0.2)
    began = time.monotonic()
    assert receiver.take(0.1) == []
    assert 0.09 <= time.monotonic() - began < 2


def test_filters_of_an_earlier_run_are_given_up(make: Make, broker: Broker, topic: str) -> None:
    old, kept, new = (f"{topic}/{name}" for name in ("old", "kept", "new"))
    with running(make(broker.url, topic, old, kept)) as receiver:
        subscribed(receiver)
    with (
        running(make(broker.url, topic, kept, new, former=(old, kept))) as receiver,
        sending(broker.url) as send,
    ):
        subscribed(receiver)
        for name in (old, kept, new):
            send(name, b"x")
        assert [message.topic for message in taken(receiver, 2)] == [kept, new]
        assert receiver.take(0.2) == []


def test_it_waits_for_a_broker_that_comes_later(make: Make, topic: str) -> None:
    port = free_port()
    with running(make(f"mqtt://127.0.0.1:{port}", topic, topic)) as receiver:
        assert receiver.take(0.1) == []
        until(lambda: receiver.stats.problem.startswith("no answer"))
        assert not receiver.connected
        with mosquitto(port=port) as broker, sending(broker.url) as send:
            subscribed(receiver)
            send(topic, b"x")
            assert taken(receiver, 1)[0].payload == b"x"


def test_it_comes_back_after_the_broker_died_and_drops_stale_acknowledgements(make: Make, topic: str) -> None:
    with (
        mosquitto("autosave_interval 1", "autosave_on_changes true", persistence=True) as broker,
        running(make(broker.url, topic, topic)) as receiver,
    ):
        subscribed(receiver)
        with sending(broker.url) as send:
            send(topic, *numbers(5))
        stale = taken(receiver, 5)
        broker.stop()  # in order, so that its file is whole
        until(lambda: not receiver.take(0.01) and not receiver.subscribed)
        receiver.ack(stale)
        broker.start()
        again = subscribed(receiver)
        receiver.ack(stale)
        again = again or taken(receiver, 5)
        assert [message.payload for message in again] == numbers(5)
        assert receiver.stats.connections == 2
        receiver.ack(stale)
        receiver.stop()
        with running(make(broker.url, topic, topic)) as next_run:
            # Nobody acknowledged them on the connection they came over.
            assert len([*subscribed(next_run), *next_run.take(1)]) == 5


def test_a_denied_subscription_is_named(make: Make, topic: str, tmp_path: Path) -> None:
    rules = {
        "defaultACLAccess": {"publishClientSend": True, "publishClientReceive": True, "unsubscribe": True},
        "roles": [{"rolename": "all", "acls": [{"acltype": "subscribePattern", "topic": "open/#", "allow": True}]}],
        "groups": [{"groupname": "all", "roles": [{"rolename": "all"}]}],
        "anonymousGroup": "all",
    }  # fmt: skip
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(rules), encoding="utf-8")
    with (
        mosquitto(f"plugin {plugin()}", f"plugin_opt_config_file {file}") as broker,
        running(make(broker.url, topic, "open/a", "closed/a", "closed/b")) as receiver,
    ):
        until(lambda: not receiver.take(0.05) and receiver.stats.refused_filters)
        assert receiver.stats.refused_filters == ("closed/a", "closed/b")
        assert receiver.connected
        assert not receiver.subscribed
        with sending(broker.url) as send:
            send("open/a", b"x")
        assert [message.payload for message in taken(receiver, 1)] == [b"x"]
