"""The watch: looks at the board a few times a second, renders the snapshot anew when needed, feeds the stream.

One task for all clients: what a thousand readers cost the database is what one costs.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import msgspec

from pantau.city import City
from pantau.forms import alert_properties
from pantau.ports import Clock
from pantau.record import AlertRecord
from status.background import running
from status.board import Board
from status.changes import Change, Changes
from status.snapshot import LARGE, Snapshot, Stations

__all__ = ["Watch"]

PERIOD_S = 0.25
"""How often the board is looked at while somebody watches: an operator sees a change within half a second."""
_AWAKE_S = 3.0
"""So long after a request, or while somebody listens to the stream; else nothing is rendered for nobody."""


class Watch:
    """Holds the current snapshot, the open alerts and the log of changes.

    Args:
        report: told about a failed look (the database is away); the former snapshot stays.
    """

    def __init__(
        self, board: Board, city: City, clock: Clock, *, exercise: bool, report: Callable[[Exception], None]
    ) -> None:
        self.changes = Changes()
        self.open_alerts: list[AlertRecord] = []
        self.failing = ""
        self._board, self._city, self._clock, self._exercise = board, city, clock, exercise
        self._stations = Stations(board, city, exercise=exercise)
        self._snapshot: Snapshot | None = None
        self._eager = (
            len(city.stations) < LARGE
        )  # else not even the first one is made for nobody: it takes seconds
        self._alerts_at = -1
        self._speed = clock.speed
        self._asked_at = self._looked_at = float("-inf")
        self._waking = asyncio.Lock()
        self._lock = asyncio.Lock()
        self._report = report

    @property
    def stations(self) -> Stations:
        """Newest records behind the snapshot."""
        return self._stations

    @property
    def position(self) -> int:
        """Change number of what is known, -1 at first."""
        return self._alerts_at

    async def snapshot(self) -> Snapshot:
        """The newest snapshot; only who comes after nobody had asked for a while waits for it."""
        came, asleep = time.monotonic(), not self.is_awake
        if self._snapshot is None or (asleep and not self.failing):
            async with self._waking:  # who comes meanwhile waits for the same look
                if self._looked_at < came:
                    await self._try_to_look()
        self._asked_at = time.monotonic()
        return self._snapshot or await self.look()

    async def look(self) -> Snapshot:
        """Look at the board once and tell the stream what changed."""
        async with self._lock:
            began, former = time.monotonic(), self._snapshot
            slack_ms = self._clock.slack_ms
            snapshot = await asyncio.to_thread(self._stations.refresh, self._clock.now(), slack_ms)
            alerts = await asyncio.to_thread(self._new_alerts, snapshot.position)
            self._snapshot, self.failing, self._looked_at = snapshot, "", began
            changes = self._pace(snapshot) + self._events(snapshot, former, alerts)
            self.changes.add(changes, snapshot.position)
            return snapshot

    def running(self) -> AbstractAsyncContextManager[None]:
        """Looks at the board for as long as the context lasts."""
        return running(self._run())

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            if (self._snapshot is None and self._eager) or self.failing or self.is_awake:
                await self._try_to_look()
            # A large city takes longer to render: looking never costs more than a tenth of the time.
            await asyncio.sleep(max(PERIOD_S, 9 * (time.monotonic() - began)))

    @property
    def is_awake(self) -> bool:
        """Whether somebody reads: asked lately, or listens to the stream."""
        return self.changes.waiting > 0 or time.monotonic() - self._asked_at < _AWAKE_S

    async def _try_to_look(self) -> None:
        try:
            await self.look()
        except Exception as problem:  # noqa: BLE001 - the pages go on with what they have and say how old it is
            if not self.failing:
                self._report(problem)
            self.failing = f"{type(problem).__name__}: {problem}"

    def _new_alerts(self, position: int) -> list[AlertRecord]:
        if position == self._alerts_at:
            return []
        alerts = self._board.alerts_since(self._alerts_at) if self._alerts_at >= 0 else []
        self.open_alerts = self._board.open_alerts()
        self._alerts_at = position
        return alerts

    def _pace(self, snapshot: Snapshot) -> list[Change]:
        """Says when the clock of an exercise goes on at another speed: pages count ages and staleness by it."""
        speed = self._clock.speed
        if speed == self._speed:
            return []
        self._speed = speed
        return [Change(snapshot.position, "clock", _text({"speed": speed, "slack_ms": self._clock.slack_ms}))]

    def _events(self, snapshot: Snapshot, former: Snapshot | None, alerts: list[AlertRecord]) -> list[Change]:
        if former is None or former is snapshot:
            return []
        position = snapshot.position
        stations = [
            Change(position, "station", _text(snapshot.properties[name])) for name in snapshot.changed
        ]
        told = [alert_properties(alert, self._city, exercise=self._exercise) for alert in alerts]
        return stations + [Change(position, "alert", _text(properties)) for properties in told]


def _text(properties: dict[str, object]) -> str:
    return msgspec.json.encode(properties).decode()
