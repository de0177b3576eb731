"""The load generator against a real mosquitto: it keeps a pace evenly and cheaply, and says when it sent what."""

import time
from collections.abc import Iterator

import pytest

from simulators.load import LoadClient, Timed, encode_publish
from tests.peers import Broker, mosquitto

pytestmark = pytest.mark.real

RATE = 5000


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with mosquitto() as peer:
        yield peer


def paced(begin: int, seconds: int, every: int) -> Iterator[Timed]:
    """``RATE`` messages a second from ``begin`` (ms) on; one in ``every`` is marked with the ms it is due."""
    for number in range(RATE * seconds):
        due = begin + number * 1000 // RATE
        yield Timed(due, encode_publish(b"load", b"x", number), "" if number % every else str(due))


def test_a_pace_of_5000_a_second_is_kept_evenly_and_costs_little(broker: Broker) -> None:
    begin, spent = time.time_ns() // 1_000_000 + 200, time.process_time()
    with LoadClient(broker.url) as client:
        client.run(paced(begin, 2, every=50), lambda: time.time_ns() // 1_000_000)
    spent = time.process_time() - spent
    late = sorted(at / 1e6 - int(due) for due, at in client.sent_at.items())
    assert client.acknowledged == 2 * RATE
    assert len(late) == 2 * RATE // 50
    assert late[0] >= 0
    # Generous: the machine has others to serve. Alone it is within 1 ms, and a twentieth of a core.
    assert late[len(late) // 2] < 10
    assert spent < 1.0


def test_a_mark_is_noted_right_before_its_message_goes_out(broker: Broker) -> None:
    with LoadClient(broker.url) as client:
        before = time.time_ns()
        client.run(
            [Timed(0, encode_publish(b"load", b"x", 0)), Timed(0, encode_publish(b"load", b"x", 1), "b")]
        )
        assert list(client.sent_at) == ["b"]
        assert before < client.sent_at["b"] < time.time_ns()
