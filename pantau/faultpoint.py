"""Named instants between two steps: a test may end the process there, to see that nothing is lost and nothing doubled.

In production nobody listens and a point costs one call that finds nobody, once a batch or a notice, never once a
reading. There is no setting for it: only a program that imports this module and calls ``listen`` can be killed here
(``tests/faults/child.py``). Steps in one transaction have points of their own, since a kill between two statements must
leave neither.
"""

from collections.abc import Callable
from enum import StrEnum

__all__ = ["Point", "listen", "reached"]


class Point(StrEnum):
    """Where a process may be killed, in the order of a reading's life."""

    RECEIVED = "received"
    DECODED = "decoded"
    STEPPED = "stepped"
    # inside the one transaction
    JOURNALED = "journaled"
    REFUSED_WRITTEN = "refused written"
    LATEST_WRITTEN = "latest written"
    TRANSITIONS_WRITTEN = "transitions written"
    OUTBOX_WRITTEN = "outbox written"
    ANSWERS_WRITTEN = "answers written"
    SNAPSHOT_WRITTEN = "snapshot written"
    BEFORE_COMMIT = "before commit"
    # after it
    COMMITTED = "committed"
    SNAPSHOT_COMMITTED = "snapshot committed"
    BEFORE_ACK = "before ack"
    ACKNOWLEDGED = "acknowledged"
    # the slow lane
    SLOW_READ = "slow lane: read"
    SLOW_JUDGED = "slow lane: judged"
    SLOW_OFFERED = "slow lane: offered"
    SLOW_COMMITTED = "slow lane: committed"
    # journal -> reading store
    FORWARD_READ = "forwarder: read"
    CONFLICTS_NOTED = "forwarder: conflicts noted"
    STORE_WRITTEN = "forwarder: store written"
    CURSOR_MOVED = "forwarder: cursor moved"
    # outbox -> channels
    LEASED = "sender: leased"
    HANDED_OVER = "sender: handed over"
    SETTLED = "sender: settled"
    # now and then
    PRUNED = "housekeeper: pruned"
    # start-up
    SNAPSHOTS_READ = "restore: snapshots read"
    RESTORED = "restore: tail stepped"
    SLOW_RESTORED = "restore: slow lane"


class _Ear:
    """Who listens; nobody in production."""

    hears: Callable[[Point], None] | None = None


def reached(point: Point) -> None:
    """Say that a point was reached."""
    if _Ear.hears is not None:
        _Ear.hears(point)


def listen(hears: Callable[[Point], None] | None) -> None:
    """Call ``hears`` at every point from now on, in the thread that reaches it; None: nobody listens any more."""
    _Ear.hears = staticmethod(hears) if hears is not None else None
