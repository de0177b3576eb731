"""Sends what lies in the outbox: leases notices, hands them to their channels, writes down what became of them.

A round is four short steps, each with a transaction of its own and none while a receiver is being waited for: find the
contacts behind a role, settle what a dead worker left, lease, and settle when the attempts are over. Every channel has
threads of its own, so a slow one holds up nobody else.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from alerts.channel import Address, Channel, Notice, Outcome, Sent
from alerts.directory import find_contacts
from alerts.loopback import is_loopback
from alerts.metrics import NOTICES, OLDEST, WAITING
from alerts.store import contacts, outbox
from alerts.store.outbox import Item, Settled
from pantau.city import City
from pantau.faultpoint import Point, reached
from pantau.ports import Clock, Publisher

__all__ = ["Sender"]

_THREADS = 2
"""A channel's: while one waits for a slow receiver the other goes on."""
_BATCH = 10
_LEASE_MS = 60_000
_IDLE_S = 0.5
_AWAY_S = 2.0
_REVOKED = Outcome(Sent.NEVER, "the contact was revoked")
_EXERCISE = Outcome(Sent.NEVER, "exercise")
_log = structlog.get_logger("alerts.sender")


def _real_ms() -> int:
    return time.time_ns() // 1_000_000


class Sender:
    """Delivers notices at least once.

    Args:
        channels: by name, as ``pantau.registry.find`` returns them.
        publisher: for channels that use our broker.
        clock: the service's; in an exercise only addresses on this machine are reached.
        broker_url: of the publisher's broker, to know in an exercise whether it is on this machine.
        worker: name of this process among others that send from the same database.
        real_ms: real time, for leases and retries.
        timeout_s: patience with one receiver.
    """

    def __init__(  # noqa: PLR0913 - everything it meets, put in by app
        self,
        engine: Engine,
        city: City,
        channels: Mapping[str, Channel],
        publisher: Publisher | None,
        clock: Clock,
        *,
        broker_url: str = "",
        worker: str = "sender",
        real_ms: Callable[[], int] = _real_ms,
        timeout_s: float = 8.0,
    ) -> None:
        self._engine, self._city, self._channels = engine, city, channels
        self._repeatable = engine.execution_options(repeatable=True)
        self._publisher, self._clock, self._broker_url = publisher, clock, broker_url
        self._worker, self._real_ms, self._timeout_s = worker, real_ms, timeout_s
        self._removing = frozenset(name for name, channel in channels.items() if channel.removes_duplicates)
        self._bells = {name: [threading.Event() for _ in range(_THREADS)] for name in channels}

    def run_once(self) -> int:
        """One round over every channel, in this thread; returns how many notices were handed over."""
        self.measure()
        return sum(self._round(name, self._worker) for name in self._channels)

    def wake(self, channels: Iterable[str] | None = None) -> None:
        """Say that there are new notices (for some channels), so that nobody waits for the next look."""
        for name in self._bells if channels is None else channels:
            for bell in self._bells.get(name, ())[
                :1
            ]:  # it wakes the next one when there is more than it can take
                bell.set()

    def loop(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set; an attempt that is under way is finished first."""
        threads = [
            threading.Thread(target=self._work, args=(stop, name, number), name=f"sender-{name}-{number}")
            for name in self._bells
            for number in range(_THREADS)
        ]
        for thread in threads:
            thread.start()
        while not stop.wait(1.0):
            try:
                self.measure()
            except DBAPIError as error:
                _log.warning("outbox not measured", error=type(error).__name__)
        for bells in self._bells.values():
            for bell in bells:
                bell.set()
        for thread in threads:
            thread.join()

    def measure(self) -> None:
        """Bring the outbox's gauges up to date; fail notices of channels that this installation does not have."""
        with self._engine.connect().execution_options(reading=True) as conn:
            WAITING.set(outbox.waiting(conn))
            oldest = outbox.oldest(conn)
            strange = outbox.of_other_channels(conn, self._channels)
        OLDEST.set(0 if oldest is None else max(0, self._clock.now() - oldest) / 1000)
        if strange:
            with self._engine.begin() as conn:
                for item in strange:
                    outbox.fail(conn, item, f"no channel {item.channel}")
                    NOTICES.labels(item.channel, "no_channel").inc()

    def _work(self, stop: threading.Event, channel: str, number: int) -> None:
        bells, worker = self._bells[channel], f"{self._worker}:{channel}:{number}"
        bell, others = bells[number], bells[number + 1 :]
        while not stop.is_set():
            bell.clear()
            try:
                pause = 0.0 if self._round(channel, worker, others) else _IDLE_S
            except DBAPIError as error:
                _log.warning("outbox not reached", channel=channel, error=type(error).__name__)
                pause = _AWAY_S
            bell.wait(pause)

    def _round(self, channel: str, worker: str, others: Sequence[threading.Event] = ()) -> int:
        now = self._real_ms()
        with self._engine.connect().execution_options(reading=True) as conn:
            if not outbox.is_due(conn, channel, now):
                return 0
        # Without removal of duplicates a lease must mean "handed over", or a crash would leave others unsure too.
        most = _BATCH if channel in self._removing else 1
        with self._writer(channel).begin() as conn:
            for item in find_contacts(conn, self._city, channel):
                NOTICES.labels(channel, "no_contact").inc()
                _log.warning(
                    "notice failed", id=item.id, role=item.role, channel=channel, reason="no_contact"
                )
            outbox.expire(conn, now, self._removing, channel)
            items = outbox.lease(conn, worker, now, most, _LEASE_MS, channel)
            where = contacts.addresses(conn, [item.contact for item in items if item.contact is not None])
        if not items:
            return 0
        reached(Point.LEASED)
        if len(items) == most:
            for bell in others[:1]:
                bell.set()
        handed = [(item, self._hand_over(item, where.get(item.contact or 0))) for item in items]
        self._settle(handed, worker)
        return sum(outcome is not None for _, outcome in handed)

    def _writer(self, channel: str) -> Engine:
        """Where a notice may come twice a lease need not outlast a power cut, so it does not wait for the disk."""
        return self._repeatable if channel in self._removing else self._engine

    def _hand_over(self, item: Item, address: Address | None) -> Outcome | None:
        """One attempt; None when the lease is too old to begin it."""
        if (item.lease_until or 0) - self._real_ms() < self._timeout_s * 2000:
            return None
        outcome = _REVOKED if address is None else self._attempt(self._channels[item.channel], item, address)
        reached(Point.HANDED_OVER)
        return outcome

    def _settle(self, handed: Sequence[tuple[Item, Outcome | None]], worker: str) -> None:
        """Write down what became of a round's attempts, all at once."""
        done: list[Settled] = []
        with self._writer(handed[0][0].channel).begin() as conn:
            for item, outcome in handed:
                if outcome is None:
                    outbox.give_back(conn, item, worker)
                    continue
                removes = item.channel in self._removing
                done.append(Settled(item, outcome, self._real_ms(), self._clock.now(), removes))
            states = outbox.settle(conn, worker, done)
        reached(Point.SETTLED)
        for one, state in zip(done, states, strict=True):
            item, outcome = one.item, one.outcome
            NOTICES.labels(item.channel, outcome.sent.value).inc()
            if state in {"sent", "unknown", "failed"}:
                _log.info(f"notice {state}", id=item.id, alert=item.alert, n=item.n, role=item.role,
                          channel=item.channel, attempts=item.attempts, detail=outcome.detail)  # fmt: skip

    def _attempt(self, channel: Channel, item: Item, address: Address) -> Outcome:
        notice = msgspec.structs.replace(msgspec.json.decode(item.body, type=Notice), id=item.id)
        if notice.exercise or self._clock.exercise:
            target = self._broker_url if channel.uses_broker else address.address
            if not is_loopback(target):
                return _EXERCISE
        try:
            return channel.send(notice, address, self._publisher, self._timeout_s)
        except Exception as error:  # noqa: BLE001 - a channel's bug must not end the thread that serves its other receivers
            _log.error("channel raised", channel=channel.name, error=type(error).__name__)
            return Outcome(Sent.UNKNOWN, f"the channel raised {type(error).__name__}")
