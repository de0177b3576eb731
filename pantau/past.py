"""What quality control expects of a station, what it remembers of one sensor, and how it changes a former flag.

All of it is plain data; ``pantau.quality`` judges by it, ``pantau.learnt`` learns into it.
"""

from math import inf

import msgspec

from pantau.kind import Kind
from pantau.reading import Flag
from pantau.station import Station
from pantau.track import Track

__all__ = ["GAP_CADENCES", "Limits", "Past", "Revision"]

GAP_CADENCES = 3
"""Longer than this many cadences without a reading is a gap: what follows starts afresh."""


class Limits(msgspec.Struct, frozen=True, gc=False):
    """What quality control expects of one station; made once from the station and its kind.

    Attributes:
        low, high, step, spike, flat_above: see ``Kind``; what is learnt never exceeds ``step`` and ``spike``.
        flat_ms: a run of one value is doubted after it, until the station has shown its own runs.
        gap_ms: a longer silence is a gap.
        doubt_above: a count above it is doubted, though it may be true.
        empty_from: nothing after so many persons is doubted.
    """

    low: float
    high: float
    step: float | None
    spike: float | None
    flat_ms: int | None
    flat_above: float | None
    gap_ms: int
    unit: str
    doubt_above: float = inf
    empty_from: float = inf

    @classmethod
    def of(cls, station: Station, kind: Kind) -> "Limits":
        """The station's own limits where it has them, else its kind's."""
        high = kind.high if station.range_high is None else station.range_high
        if kind.most_per_m2 and station.area_m2:
            high = min(high, kind.most_per_m2 * station.area_m2)
        return cls(
            low=kind.low if station.range_low is None else station.range_low,
            high=high,
            step=kind.step,
            spike=kind.spike,
            flat_ms=None if kind.flat_h is None else round(kind.flat_h * 3_600_000),
            flat_above=kind.flat_above,
            gap_ms=GAP_CADENCES * station.cadence_ms,
            unit=kind.unit,
            doubt_above=kind.capacities * station.capacity if kind.capacities and station.capacity else inf,
            empty_from=inf if kind.empty_from is None else kind.empty_from,
        )

    @property
    def cadence_ms(self) -> int:
        """Expected interval between readings."""
        return self.gap_ms // GAP_CADENCES


class Past(msgspec.Struct, array_like=True, gc=False):
    """What quality control remembers of one sensor; an instant of 0 means "none yet".

    Attributes:
        at, value: last usable reading, accepted or pending.
        accepted_at, accepted, accepted_rx, accepted_flag: last accepted reading and when it was received.
        older_at, older: the accepted one before.
        pending_at, pending, pending_rx: jump that its successor has to confirm.
        flat_since: start of the present run of one value.
        flat: length that hardly a run of this sensor exceeds, ms, learnt; 0 before the first reading.
        track: accepted values of the last hour.
        older_rx: when the older reading was received.
        watched: readings of an excursion that may yet turn out to be a spike; see ``pantau.excursion``.
        base, lead: level before the excursion, and by how much it had changed then.
        low, high: of the values seen, slowly forgetting.
        notable: a change above it is looked at twice, learnt; 0 before the first reading.
        leap: a change above it is a jump, learnt; see ``pantau.learnt.step_of``.
        noise: usual distance of a value from the middle of its neighbours, learnt.
        learn_at: when the next look at what was learnt is due.
        looks: how many there were, up to 99: until then ``leap`` and ``notable`` are warming up.
        fell_at: first of the readings that fell below everything seen.
    """

    at: int = 0
    value: float = 0.0
    accepted_at: int = 0
    accepted: float = 0.0
    accepted_rx: int = 0
    accepted_flag: int = int(Flag.NOT_EVALUATED)
    older_at: int = 0
    older: float = 0.0
    pending_at: int = 0
    pending: float = 0.0
    pending_rx: int = 0
    flat_since: int = 0
    flat: int = 0
    track: Track = msgspec.field(default_factory=Track)
    older_rx: int = 0
    watched: int = 0
    base: float = 0.0
    lead: float = 0.0
    low: float = inf
    high: float = -inf
    notable: float = 0.0
    leap: float = 0.0
    noise: float = 0.0
    learn_at: int = 0
    looks: int = 0
    fell_at: int = 0

    def forget_pending(self) -> None:
        """The pending jump is settled, and nothing is watched any more."""
        self.pending_at = self.watched = 0


class Revision(msgspec.Struct, array_like=True):
    """A former reading's flag, seen again in the light of its successor."""

    observed_at: int
    value: float
    received_at: int
    flag: int
    reason: str
