"""The queue between broker and pipeline: batches out, memory bounded."""

import threading
import time

from ingest.format import Message
from ingest.inbox import Inbox


def message(size: int = 1, qos: int = 1) -> Message:
    return Message("t", b"x" * size, 0, qos=qos)


def test_nothing_arrived_is_an_empty_batch_after_the_timeout() -> None:
    began = time.monotonic()
    assert Inbox(10, 1000).take(0.05, 0.02, 10) == []
    assert time.monotonic() - began >= 0.05


def test_what_waits_comes_in_order_up_to_the_limit() -> None:
    inbox = Inbox(100, 1000)
    sent = [message(n) for n in range(5)]
    for one in sent:
        inbox.put(one)
    assert inbox.take(1, 0, 3) == sent[:3]
    assert inbox.take(1, 0, 3) == sent[3:]


def test_what_follows_closely_is_gathered_into_one_batch() -> None:
    inbox = Inbox(100, 1000)

    def trickle() -> None:
        for _ in range(20):
            inbox.put(message())
            time.sleep(0.005)

    thread = threading.Thread(target=trickle)
    thread.start()
    batch = inbox.take(1, 2.0, 100)  # slices of half a second: the stream never pauses for so long
    thread.join()
    assert len(batch) == 20


def test_a_pause_ends_the_batch_before_the_settling_time() -> None:
    inbox = Inbox(100, 1000)
    inbox.put(message())
    began = time.monotonic()
    assert len(inbox.take(1, 4.0, 100)) == 1
    assert time.monotonic() - began < 3.0


def test_a_full_inbox_drops_qos_0_and_counts_it() -> None:
    inbox = Inbox(2, 1000)
    for _ in range(5):
        inbox.put(message(qos=0))
    assert (len(inbox), inbox.overflowed) == (2, 3)


def test_a_full_inbox_lets_qos_1_wait_until_there_is_room() -> None:
    inbox = Inbox(2, 1000)

    def bring() -> None:
        for n in range(4):
            inbox.put(message(n))

    thread = threading.Thread(target=bring)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert len(inbox) == 2
    got = inbox.take(1, 0, 2)
    thread.join(5)
    assert not thread.is_alive()
    assert [len(one.payload) for one in got + inbox.take(1, 0, 9)] == [0, 1, 2, 3]


def test_bytes_are_bounded_too_but_one_large_message_passes() -> None:
    inbox = Inbox(100, 10)
    inbox.put(message(50, qos=0))
    inbox.put(message(1, qos=0))
    assert (len(inbox), inbox.overflowed) == (1, 1)
    assert len(inbox.take(1, 0, 9)) == 1
    inbox.put(message(1, qos=0))
    assert len(inbox) == 1


def test_closing_wakes_everybody() -> None:
    inbox = Inbox(1, 1000)
    inbox.put(message())
    bringer = threading.Thread(target=lambda: inbox.put(message()))
    bringer.start()
    inbox.close()
    bringer.join(5)
    assert not bringer.is_alive()
