"""The seams between packages that do not know each other; ``app`` puts the real parts in.

Each port is what its user needs, no more. Fakes in tests and the real parts obey the same contract tests.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from pantau.reading import Reading

__all__ = ["Clock", "Publisher", "ReadingStore"]


class Clock(Protocol):
    """Tells the time: real, scaled (an exercise) or virtual (tests, backtest)."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC on this clock."""
        ...

    @property
    def exercise(self) -> bool:
        """Whether this is not real time: everything shown must say LATIHAN / EXERCISE."""
        ...

    @property
    def speed(self) -> float:
        """Seconds of this clock in a real second: 1 in earnest."""
        ...

    @property
    def slack_ms(self) -> int:
        """How much later than ``now`` a reading may be on this clock without being called late, stale or silent."""
        ...


class Publisher(Protocol):
    """Sends MQTT messages."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send at QoS 1 and return when the broker has it.

        Raises:
            Unavailable: the broker is away.
        """
        ...


class ReadingStore(Protocol):
    """History of readings: the embedded database or InfluxDB; only ever forwarded to from the journal.

    The key of a reading is (station, sensor, kind, observed_at); writing the same key again replaces value, flag,
    reason and received_at, so a batch may be written twice.
    """

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        """Store a batch; returns the readings the store will never take, each with its reason.

        Raises:
            Unavailable: nothing is known to be stored, try again later.
        """
        ...

    def kept_from(self) -> int:
        """Oldest instant (ms) that the store keeps; 0 when it keeps everything or does not tell.

        Raises:
            Unavailable: it does not answer.
        """
        ...

    def existing(self, readings: Iterable[Reading]) -> dict[tuple[str, str, str, int], float]:
        """Values already stored under the keys of these readings."""
        ...

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
        ...

    def downsample(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str = "main"
    ) -> list[dict[str, Any]]:
        """Buckets of ``every_ms`` aligned to 1970: dicts of at (ms), min, mean, max, count; FAIL readings left out."""
        ...
