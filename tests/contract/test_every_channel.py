"""What every channel keeps to, ours and other packages': found by themselves, tried against receivers on this machine.

A further channel adds the way to reach a receiver of its own to ``REACHES``; without one the checks that need it
fail and say so. ``tests/real/test_channels.py`` sends through a real broker.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.channel import Channel, Outcome, Sent
from pantau.errors import Unavailable
from pantau.ports import Publisher
from pantau.registry import find
from tests.alerts.receivers import Receiver, a_notice, contact, http_receiver

CHANNELS: dict[str, Channel] = find("alerts.channels", "CHANNEL", Channel, "name")
TOPIC = "pantau/v1/contoh/notices/posko"


class LocalBroker:
    """Stands in for our broker's client: keeps what it is given, or is away."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.away = False

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        if self.away:
            raise Unavailable("mqtt", "the broker is away", retry_after_s=3.0)
        self.messages.append((topic, payload, retain))


class Reach:
    """One channel with a receiver that works, and ways to make it fail."""

    def __init__(
        self, channel: Channel, address: str, receiver: Receiver | None, broker: LocalBroker
    ) -> None:
        self.channel, self.address, self.receiver, self.broker = channel, address, receiver, broker

    def send(self, address: str | None = None, timeout_s: float = 5.0, **fields: object) -> Outcome:
        to = contact(self.address if address is None else address)
        return self.channel.send(a_notice(**fields), to, self.broker, timeout_s)

    def received(self) -> int:
        return len(self.receiver.requests) if self.receiver else len(self.broker.messages)

    def fail_once(self) -> None:
        if self.receiver:
            self.receiver.script.append(500)
        self.broker.away = self.receiver is None

    def recover(self) -> None:
        self.broker.away = False


@contextmanager
def _by_http(name: str, scheme: str) -> Iterator[Reach]:
    with http_receiver() as receiver:
        yield Reach(CHANNELS[name], receiver.url.replace("http", scheme, 1), receiver, LocalBroker())


@contextmanager
def _by_broker() -> Iterator[Reach]:
    yield Reach(CHANNELS["mqtt"], TOPIC, None, LocalBroker())


REACHES = {
    "webhook": lambda: _by_http("webhook", "http"),
    "apprise": lambda: _by_http("apprise", "json"),
    "mqtt": _by_broker,
}


@pytest.fixture(params=sorted(CHANNELS))
def reach(request: pytest.FixtureRequest) -> Iterator[Reach]:
    if request.param not in REACHES:
        pytest.fail(f"the channel {request.param} has no receiver here: add one to REACHES")
    with REACHES[request.param]() as ready:
        yield ready


def test_a_working_receiver_gets_the_notice(reach: Reach) -> None:
    assert reach.send().sent is Sent.DELIVERED
    assert reach.received() == 1


def test_a_failing_receiver_is_tried_again_and_then_gets_it(reach: Reach) -> None:
    reach.fail_once()
    assert reach.send().sent is Sent.RETRY
    reach.recover()
    assert reach.send().sent is Sent.DELIVERED


def test_an_address_that_cannot_work_is_never_tried_again(reach: Reach) -> None:
    for address in ("", "nonsense", "://", "http://", "a b", "pantau/v1/#", "\0"):
        assert reach.channel.problem(address, "contoh"), address
        assert reach.send(address).sent is Sent.NEVER
    assert reach.received() == 0


def test_a_working_address_has_no_problem(reach: Reach) -> None:
    assert reach.channel.problem(reach.address, "contoh") == ""


def test_nothing_secret_stands_in_an_outcome(reach: Reach) -> None:
    reach.fail_once()
    outcomes = [
        reach.send(),
        reach.send(reach.address.replace("127.0.0.1", "hunter2.invalid").replace("+", "")),
    ]
    for outcome in outcomes:
        assert "s3cret" not in outcome.detail
        assert "hunter2" not in outcome.detail


def test_the_whole_alphabet_arrives(reach: Reach) -> None:
    assert reach.send(title="Δ 水位 🌊", text="ü\n\t\"'<&>\u2028", short="x").sent is Sent.DELIVERED


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(address=st.text(max_size=60))
def test_no_address_makes_a_channel_raise(reach: Reach, address: str) -> None:
    """Only the ones that the channel itself says cannot work: the others might reach somebody."""
    if reach.channel.problem(address, "contoh"):
        assert reach.send(address).sent is Sent.NEVER


def test_the_contract_names_what_the_sender_needs(reach: Reach) -> None:
    assert isinstance(reach.channel.removes_duplicates, bool)
    assert isinstance(reach.channel.uses_broker, bool)
    assert isinstance(reach.channel.signs, bool)
    assert reach.channel.name in CHANNELS


@pytest.mark.parametrize("name", ["webhook", "apprise"])
@pytest.mark.parametrize(("trouble", "webhook"), [("hang", Sent.UNKNOWN), ("cut", Sent.UNKNOWN)])
def test_an_answer_that_never_comes_is_unknown(name: str, trouble: str, webhook: Sent) -> None:
    with REACHES[name]() as ready:
        assert ready.receiver
        ready.receiver.script.append(trouble)
        began = time.monotonic()
        sent = ready.send(timeout_s=0.5).sent
        assert time.monotonic() - began < 2.5
        # Apprise only says "no": quick means refused, slow means that nobody knows.
        assert sent is (Sent.RETRY if (name, trouble) == ("apprise", "cut") else webhook)


def nobody_listens(scheme: str) -> str:
    with http_receiver() as receiver:
        return receiver.url.replace("http", scheme, 1)


@pytest.mark.parametrize(("name", "scheme"), [("webhook", "http"), ("apprise", "json")])
def test_where_nobody_listens_is_tried_again(name: str, scheme: str) -> None:
    assert CHANNELS[name].send(a_notice(), contact(nobody_listens(scheme)), None, 2.0).sent is Sent.RETRY


def test_without_a_broker_in_this_process_mqtt_waits() -> None:
    none: Publisher | None = None
    assert CHANNELS["mqtt"].send(a_notice(), contact(TOPIC), none, 1.0).sent is Sent.RETRY
