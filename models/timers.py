"""Timers: who waits until when in, whose time has come out; moving one costs next to nothing."""

from heapq import heappop, heappush

__all__ = ["Timer", "Timers"]

Timer = tuple[str, str, str]
"""(station, sensor, who waits)."""


class Timers:
    """At most one due time for each timer; those that come due together come in the order of their names.

    Nearly every reading moves its sensor's timer to a later time, so a move only notes the new time, and the queue is
    put right when the old one is reached.
    """

    def __init__(self) -> None:
        self._due: dict[Timer, int] = {}
        self._queued: dict[Timer, int] = {}
        self._queue: list[tuple[int, Timer]] = []

    def __len__(self) -> int:
        return len(self._queue)

    def set(self, timer: Timer, due: int | None) -> None:
        """Wait until ``due`` (ms), whatever was waited for before; None: not any more."""
        if due is None:
            self._due.pop(timer, None)
            return
        self._due[timer] = due
        queued = self._queued.get(timer)
        if queued is None or due < queued:
            self._queued[timer] = due
            heappush(self._queue, (due, timer))

    def next_due(self) -> int | None:
        """The earliest due time, ms; None while nobody waits."""
        while self._queue:
            at, timer = self._queue[0]
            due = self._due.get(timer)
            if due == at:
                return at
            heappop(self._queue)
            if self._queued.get(timer) == at:
                del self._queued[timer]
                self.set(timer, due)
        return None

    def pop(self, now: int) -> Timer | None:
        """Take out the earliest timer that is due by ``now``; None when there is none."""
        due = self.next_due()
        if due is None or due > now:
            return None
        _, timer = heappop(self._queue)
        self._queued.pop(timer, None)
        del self._due[timer]
        return timer
