"""Whose device's clock is ahead: silent stations in, by how much their readings come before their own time, out.

Such readings are stored and never live, so that their station says "never reported" or "stale" although it sends. The
newest values do not know of them; the store of readings does. For the front page it is asked in the background, a few
stations at a time: that page waits for no store, which may be away.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

from pantau.city import FAR_FUTURE, City
from pantau.errors import Unavailable
from pantau.ports import Clock
from pantau.quality import ahead_of_time, is_stale
from pantau.station import Station
from status.background import running
from status.board import Board
from status.watch import Watch

__all__ = ["Clocks"]

_DAY_MS = 86_400_000
_MOST_READINGS = 2_000
_ASKED, _PASSED = 200, 5_000
"""Stations asked for, and looked at, in one turn: measured on a busy machine 8 ms and 8 us each."""
_EVERY_S, _REST = 10.0, 19
"""Rest between two turns while somebody reads, and how many times as long as a turn it is at least: a twentieth."""
_POLL_S = 0.5


class Clocks:
    """Knows which silent stations send all the same.

    Args:
        report: told about a turn that failed; the next one goes on.

    Attributes:
        ahead: by how much at most (ms), by id; only stations of which it is so, some perhaps live again since.
    """

    def __init__(
        self, board: Board, city: City, clock: Clock, watch: Watch, report: Callable[[Exception], None]
    ) -> None:
        self.ahead: dict[str, int] = {}
        self._board, self._clock, self._watch, self._report = board, clock, watch, report
        self._stations = list(city.stations.values())
        self._next = 0

    def look_at(self, station: Station) -> int:
        """Ask the store about one station; 0 when it is live, sends nothing, or the store is away.

        Readings that came before the newest live one do not count: that clock was set right since.
        """
        if self._is_silent(station):
            with suppress(Unavailable):
                found = self._asked(station)
                if found:
                    self.ahead[station.id] = found
                    return found
        self.ahead.pop(station.id, None)
        return 0

    def turn(self) -> None:
        """Look at those stations that are next in the city's order."""
        asked = 0
        for _ in range(min(_PASSED, len(self._stations))):
            station = self._stations[self._next % len(self._stations)]
            self._next += 1
            if self._is_silent(station):
                asked += 1
                self.look_at(station)
            if asked >= _ASKED:
                return

    def running(self) -> AbstractAsyncContextManager[None]:
        """Takes turns for as long as the context lasts, and somebody reads."""
        return running(self._run())

    async def _run(self) -> None:
        next_at = 0.0
        while True:
            began = time.monotonic()
            if began >= next_at and self._watch.is_awake:
                try:
                    await asyncio.to_thread(self.turn)
                except Exception as problem:  # noqa: BLE001 - a broken look must not end all that follow
                    self._report(problem)
                ended = time.monotonic()
                next_at = ended + max(_EVERY_S, _REST * (ended - began))
            await asyncio.sleep(_POLL_S)

    def _is_silent(self, station: Station) -> bool:
        heard = self._heard(station)
        now = self._clock.now() - self._clock.slack_ms
        return heard is None or is_stale(heard[0], now, station.cadence_ms)

    def _heard(self, station: Station) -> tuple[int, int] | None:
        """When its newest live value was observed, and when it came."""
        records = self._watch.stations.records(station.id)
        return max(((one.observed_at, one.received_at) for one in records), default=None)

    def _asked(self, station: Station) -> int:
        _, heard_at = self._heard(station) or (0, 0)
        start = self._clock.now() - _DAY_MS
        page = self._board.readings(
            station.id, station.kind, start=start, end=FAR_FUTURE, sensor=None, limit=_MOST_READINGS
        )
        return ahead_of_time(reading for reading in page if reading.received_at > heard_at)
