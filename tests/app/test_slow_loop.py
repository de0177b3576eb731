"""The slow lane's thread: it saves its states now and then for as long as it runs, so the journal can be cut."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from app import journal, service
from app.health import Health
from app.service import FastLane, give_a_head_start, slow_loop
from ingest.format import Message
from ingest.receiver import ReceiverStats
from tests.virtual_service import MIN, T0, VirtualService, fresh_database, reading

STATION = "awan-1"


class NothingComes:
    """A receiver without messages."""

    connected = subscribed = True
    stats = ReceiverStats()

    def start(self) -> None: ...

    def take(self, timeout_s: float, settle_s: float = 0.02, limit: int = 5_000) -> list[Message]:
        del timeout_s, settle_s, limit
        return []

    def ack(self, messages: Sequence[Message]) -> None: ...

    def stop(self) -> None: ...


def saved_upto(virtual: VirtualService) -> int:
    with virtual.engine.connect() as connection:
        return journal.cursor(connection, "slow_snapshot")


def test_after_a_quiet_time_it_saves_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its cursor would stand still, the journal grow to its limit, and nothing more be taken."""
    monkeypatch.setattr(service, "_SLOW_SAVE_EVERY_S", 0.1)
    monkeypatch.setattr(service, "_SLOW_IDLE_S", 0.02)
    virtual = VirtualService(fresh_database(tmp_path / "pantau.db"))
    stop = threading.Event()
    lane = FastLane(virtual.pipeline, NothingComes(), Health(), stop)
    thread = threading.Thread(target=slow_loop, args=(virtual.slow, lane, stop))
    thread.start()
    try:
        for minute in range(3):
            time.sleep(0.4)  # longer than from one save to the next, with nothing to do
            virtual.clock.set(T0 + minute * MIN)
            virtual.process(reading(STATION, 20, T0 + minute * MIN))
            until(lambda pos=minute + 1: commit(virtual, lane) and saved_upto(virtual) >= pos)
    finally:
        stop.set()
        thread.join(5)


def commit(virtual: VirtualService, lane: FastLane) -> bool:
    """What the fast lane does with what the slow one offers."""
    virtual.pipeline.process(lane._inputs())
    return True


def until(claim: object, within_s: float = 3.0) -> None:
    assert callable(claim)
    deadline = time.monotonic() + within_s
    while not claim():
        assert time.monotonic() < deadline, "it did not save in time"
        time.sleep(0.01)


def test_who_reads_much_lets_the_fast_lane_listen_and_take_what_waited_first() -> None:
    health, stop, order = Health(), threading.Event(), []

    def follower() -> None:
        give_a_head_start(health, stop)
        order.append("follower")

    thread = threading.Thread(target=follower)
    thread.start()
    for step in ("ready", "caught_up"):
        thread.join(0.1)
        order.append(step)
        setattr(health, step, True)
    thread.join(5)
    assert order == ["ready", "caught_up", "follower"]


def test_nobody_waits_for_ever_for_a_fast_lane_that_never_catches_up() -> None:
    health = Health()
    health.ready = True
    began = time.monotonic()
    give_a_head_start(health, threading.Event())
    assert time.monotonic() - began < 5


def test_nobody_waits_for_readiness_when_the_service_stops() -> None:
    stop = threading.Event()
    stop.set()
    give_a_head_start(Health(), stop)
