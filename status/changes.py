"""The recent changes, kept in memory for ``/api/v1/stream``: every client reads the same log at its own pace.

An event's id is the board's change number, so several events may share one. A client that comes back gets every event
with its last id or a later one again (an event is a whole state, twice is harmless); one that was away for longer than
the log reaches gets the present state of everything.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Change", "Changes"]

_KEPT = 5_000
"""Events kept: with 100 stations that report every 10 minutes this is more than eight hours."""


class Change(NamedTuple):
    """One server-sent event, ready to send."""

    id: int
    event: str
    data: str


class Changes:
    """A bounded log that wakes its readers. All methods but ``close`` belong to the event loop's thread.

    Attributes:
        waiting: readers that wait for the next event.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._log: deque[Change] = deque(maxlen=kept)
        self._ended = 0
        self._complete_from: int | None = None
        self._position = -1
        self._closed = False
        self._woken = asyncio.Event()
        self.waiting = 0

    @property
    def end(self) -> int:
        """Place after the newest event."""
        return self._ended

    def add(self, changes: Iterable[Change], position: int) -> None:
        """Append events and wake everybody who waits.

        Args:
            position: change number up to which the log is complete now.
        """
        if self._complete_from is None:
            self._complete_from = position
        self._position = position
        before = self._ended
        for change in changes:
            if len(self._log) == self._log.maxlen:
                self._complete_from = self._log[0].id + 1
            self._log.append(change)
            self._ended += 1
        if self._ended != before or self._closed:
            self._woken.set()
            self._woken = asyncio.Event()

    def place_of(self, id: int) -> int | None:
        """Place from which a client that saw ``id`` last must read; None when the log does not know it."""
        if self._complete_from is None or not self._complete_from <= id <= self._position:
            return None
        start = self._ended - len(self._log)
        return next((start + index for index, change in enumerate(self._log) if change.id >= id), self._ended)

    def read(self, place: int) -> tuple[list[Change], int] | None:
        """Events from a place on and the place after them; None when the reader fell out of the log."""
        start = self._ended - len(self._log)
        if place < start:
            return None
        return [self._log[index] for index in range(place - start, len(self._log))], self._ended

    def close(self) -> None:
        """End all streams soon (with the next ``add``); may be called from any thread."""
        self._closed = True

    @property
    def closed(self) -> bool:
        """The service is going away."""
        return self._closed

    async def wait(self, place: int) -> None:
        """Until there is an event after ``place``, or the log was closed."""
        self.waiting += 1
        try:
            while self._ended <= place and not self._closed:
                await self._woken.wait()
        finally:
            self.waiting -= 1
