"""Readings in memory: the store of ``backtest`` and of tests; obeys the same contract tests as the real ones."""

from collections.abc import Iterable, Sequence
from typing import Any

from ingest.store.identity import Identity, identity
from pantau.reading import Flag, Reading

__all__ = ["MemoryStore"]


class MemoryStore:
    """See ``pantau.ports.ReadingStore``."""

    def __init__(self) -> None:
        self._kept: dict[Identity, Reading] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        """Store a batch; nothing is ever refused."""
        for reading in readings:
            self._kept[identity(reading)] = Reading(
                reading.station, reading.kind, reading.value, reading.observed_at, reading.received_at,
                reading.sensor, flag=reading.flag, reason=reading.reason,
            )  # fmt: skip
        return []

    def kept_from(self) -> int:
        """0: everything is kept."""
        return 0

    def existing(self, readings: Iterable[Reading]) -> dict[Identity, float]:
        """Values already stored under the keys of these readings."""
        keys = (identity(reading) for reading in readings)
        return {key: self._kept[key].value for key in keys if key in self._kept}

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
        """History, oldest first (then by sensor); ``start`` inclusive, ``end`` exclusive, at most ``limit``."""
        found = [
            reading for reading in self._kept.values()
            if reading.station == station and reading.kind == kind and start <= reading.observed_at < end
            and sensor in {None, reading.sensor}
        ]  # fmt: skip
        return sorted(found, key=lambda reading: (reading.observed_at, reading.sensor))[:limit]

    def downsample(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str = "main"
    ) -> list[dict[str, Any]]:
        """Buckets of ``every_ms`` aligned to 1970: dicts of at (ms), min, mean, max, count; FAIL readings left out."""
        buckets: dict[int, list[float]] = {}
        for reading in self.read(station, kind, start=start, end=end, sensor=sensor, limit=len(self._kept)):
            if reading.flag != Flag.FAIL:
                at = reading.observed_at - reading.observed_at % every_ms
                buckets.setdefault(at, []).append(reading.value)
        return [
            {
                "at": at,
                "min": min(values),
                "mean": sum(values) / len(values),
                "max": max(values),
                "count": len(values),
            }
            for at, values in sorted(buckets.items())
        ]
