"""A reading store that is opened when somebody first asks it: no start has to wait for its client's library."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pantau.ports import ReadingStore
from pantau.reading import Reading

__all__ = ["LateStore"]


class LateStore:
    """``pantau.ports.ReadingStore``: hands every call on.

    Args:
        opened: makes the store; called once, in the thread that asks first.
    """

    def __init__(self, opened: Callable[[], ReadingStore]) -> None:
        self._opened = opened
        self._store: ReadingStore | None = None
        self._lock = threading.Lock()

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        """Store a batch; returns what will never be taken, with reasons."""
        return self._its().write(readings)

    def kept_from(self) -> int:
        """Oldest instant (ms) that the store keeps; 0 when it keeps everything or does not tell."""
        return self._its().kept_from()

    def existing(self, readings: Iterable[Reading]) -> dict[tuple[str, str, str, int], float]:
        """Values already stored under the keys of these readings."""
        return self._its().existing(readings)

    def read(
        self,
        station: str,
        kind: str,
        *,
        start: int,
        end: int,
        sensor: str | None = None,
        limit: int = 100_000,
    ) -> list[Reading]:
        """History, oldest first."""
        return self._its().read(station, kind, start=start, end=end, sensor=sensor, limit=limit)

    def downsample(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str = "main"
    ) -> list[dict[str, Any]]:
        """Buckets of ``every_ms``."""
        return self._its().downsample(station, kind, start=start, end=end, every_ms=every_ms, sensor=sensor)

    def _its(self) -> ReadingStore:
        with self._lock:
            if self._store is None:
                self._store = self._opened()
            return self._store
