"""What the database tells its readers: the shapes that status, alerts and channels show to people."""

from collections.abc import ItemsView, Iterable, ValuesView
from typing import Any

import msgspec

from pantau.reading import Reading

__all__ = ["AlertRecord", "LatestRecord", "Newest", "ScoreRecord", "TransitionRecord"]


class LatestRecord(msgspec.Struct, kw_only=True, gc=False):
    """The newest stepped reading of a sensor and where its station's ladder stands.

    Attributes:
        rate: change per hour, None while unknown.
        severity: confirmed one in force, None without a ladder.
        tentative: severity of a pending jump, else 0.
        pos: journal position, the change number.
    """

    station: str
    sensor: str
    kind: str
    value: float
    flag: int
    reason: str
    observed_at: int
    received_at: int
    source: str = "device"
    rate: float | None = None
    severity: int | None = None
    tentative: int = 0
    pos: int = 0

    @classmethod
    def of(cls, reading: Reading, **more: Any) -> "LatestRecord":
        """A record of a reading; ``more`` are the fields a reading does not have."""
        return cls(
            station=reading.station, sensor=reading.sensor, kind=reading.kind, value=reading.value,
            flag=reading.flag, reason=reading.reason, observed_at=reading.observed_at,
            received_at=reading.received_at, source=reading.source, **more,
        )  # fmt: skip


class Newest:
    """The newest record of each sensor, by station: a tuple each, for most stations have one sensor."""

    def __init__(self) -> None:
        self._records: dict[str, tuple[LatestRecord, ...]] = {}

    def add(self, records: Iterable[LatestRecord]) -> None:
        """Each takes the place of its sensor's former one."""
        known = self._records
        for record in records:
            former = known.get(record.station, ())
            # Nearly all have one sensor: 0.9 us a record instead of 1.7, and of a large city there are 100,000.
            if len(former) <= 1 and (not former or former[0].sensor == record.sensor):
                known[record.station] = (record,)
            else:
                others = tuple(one for one in former if one.sensor != record.sensor)
                known[record.station] = (*others, record)

    def of(self, station: str) -> tuple[LatestRecord, ...]:
        """Of one station, in no order; empty when it was never heard of."""
        return self._records.get(station, ())

    def copy(self) -> "Newest":
        """What is known now, whatever is added later."""
        twin = Newest()
        twin._records = self._records.copy()
        return twin

    def items(self) -> ItemsView[str, tuple[LatestRecord, ...]]:
        """Stations with their records."""
        return self._records.items()

    def values(self) -> ValuesView[tuple[LatestRecord, ...]]:
        """Records, station by station."""
        return self._records.values()


class ScoreRecord(msgspec.Struct, kw_only=True):
    """The newest score of a detector for a sensor."""

    station: str
    sensor: str
    detector: str
    version: str
    at: int
    score: float
    reason: str
    shadow: bool
    pos: int = 0


class AlertRecord(msgspec.Struct, kw_only=True):
    """An alert as of its last transition; field for field a row of ``alerts``.

    Attributes:
        scope: station id, area code or ``system:<peer>``.
        station: id, empty when the scope is none.
        areas: codes of the areas that are warned.
        state: ISA-18.2 word.
        severity: in force, a pending raise included; 0 when it ended.
        confirmed: whether ``severity`` is confirmed.
        confirmed_severity: the part that may be told to the public.
        worst: highest confirmed severity it ever had.
        n: number of transitions.
    """

    id: str
    hazard: str
    cause: str
    scope: str
    station: str
    areas: tuple[str, ...] = ()
    state: str
    severity: int
    confirmed: bool
    confirmed_severity: int
    worst: int = 0
    forecast: bool = False
    value: float | None = None
    raised_at: int
    changed_at: int
    acknowledged_at: int | None = None
    closed_at: int | None = None
    due_at: int | None = None
    n: int
    pos: int = 0


class TransitionRecord(msgspec.Struct, kw_only=True):
    """One row of an alert's timeline."""

    alert: str
    n: int
    at: int
    now: int
    what: str
    severity: int
    confirmed: bool
    state: str
    value: float | None = None
    sensor: str = ""
    by: str = ""
    why: dict[str, Any] = msgspec.field(default_factory=dict)
    pos: int = 0
