"""Helpers for whoever tests receivers: one that runs, a client that sends, and patience."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from app.clock import VirtualClock
from ingest.endpoint import Endpoint
from ingest.format import Message
from ingest.receiver import Receiver

NOW = 1_767_322_800_000
R = TypeVar("R", bound=Receiver)


def until(condition: Callable[[], object], timeout_s: float = 20.0) -> None:
    """Wait for it, or fail."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def subscribed(receiver: Receiver, timeout_s: float = 20.0) -> list[Message]:
    """Take until the broker has the subscriptions; what came meanwhile."""
    found: list[Message] = []
    deadline = time.monotonic() + timeout_s
    while not receiver.subscribed:
        assert time.monotonic() < deadline, f"not subscribed in time: {receiver.stats}"
        found += receiver.take(0.02)
    return found


def taken(receiver: Receiver, number: int, *, ack: bool = False, timeout_s: float = 20.0) -> list[Message]:
    """So many messages, or fail."""
    found: list[Message] = []
    deadline = time.monotonic() + timeout_s
    while len(found) < number and time.monotonic() < deadline:
        batch = receiver.take(0.5)
        if ack:
            receiver.ack(batch)
        found += batch
    assert len(found) == number
    return found


@contextmanager
def running(receiver: R) -> Iterator[R]:
    """A receiver between start and stop."""
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


@contextmanager
def sending(endpoint: Endpoint | str, name: str = "sender") -> Iterator[Callable[..., None]]:
    """``send(topic, *payloads, qos=1, retain=False)``; returns when the broker has them all."""
    where = endpoint if isinstance(endpoint, Endpoint) else Endpoint.of(endpoint)
    client = Client(CallbackAPIVersion.VERSION2, name)
    client.max_inflight_messages_set(1000)
    client.username_pw_set(where.user, where.password)
    client.connect(where.host, where.port)
    client.loop_start()

    def send(topic: str, *payloads: bytes, qos: int = 1, retain: bool = False) -> None:
        sent = [client.publish(topic, payload, qos, retain) for payload in payloads]
        for one in sent:
            one.wait_for_publish(20)

    try:
        yield send
    finally:
        client.disconnect()
        client.loop_stop()


def clock() -> VirtualClock:
    """One that stands at ``NOW``."""
    return VirtualClock(NOW)


def numbers(count: int) -> Sequence[bytes]:
    """Payloads that tell their order."""
    return [b"%d" % n for n in range(count)]
