"""The shape of a detector: readings in, scores 0..1 with a reason out, small versioned state in between.

A detector is one file in ``models/detectors`` with ``DETECTOR = ...``; nothing else has to know of it. It never sees
the future of a series nor its length, minimum or maximum, and the same readings always give the same scores.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from pantau.city import City
from pantau.event import Gone, Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.reading import Reading
from pantau.station import Station
from pantau.track import Track

__all__ = [
    "NOTHING_SAID",
    "Calm",
    "Configurable",
    "Detector",
    "DetectorState",
    "Local",
    "Misses",
    "Sample",
]

DetectorState: TypeAlias = Any
"""Whatever a detector's ``start`` makes; only that detector looks into it."""


NOTHING_SAID: Mapping[str, Score] = MappingProxyType({})


def _nobody(_station: str) -> DetectorState:
    return None


class Sample(NamedTuple):
    """One reading with what a detector may know when it judges it.

    Attributes:
        reading: flagged by quality control; FAIL readings are never passed on.
        track: accepted values of the last hour, the reading's own included when it was accepted; empty in the slow
            lane, where a detector keeps what it needs itself. Not to be changed.
        pending: the reading is a jump that its successor has to confirm.
        state: the detector's own, made by ``start``; changed in place.
        peers: the same detector's state for another station's main sensor, by the station's id; None where there is
            none yet. Slow lane only; it is what that station's readings have made of it so far.
        said: what other slow detectors said of this very reading, by their names, whether it was news or not. Only for
            a detector with ``last = True``, which is asked after them.
    """

    reading: Reading
    track: Track
    pending: bool
    state: DetectorState
    peers: Callable[[str], DetectorState] = _nobody
    said: Mapping[str, Score] = NOTHING_SAID


@runtime_checkable
class Detector(Protocol):
    """Judges one kind of trouble.

    Attributes:
        name, version: a new version may read an old state by ``load`` or start afresh.
        lane: ``fast`` before the acknowledgement (microseconds), ``slow`` after the commit, in batches.
        kinds: names of the kinds it judges; empty means every kind.
        hazard: of its alerts; empty means the station's own.
        cause: of its alerts (rise, anomaly); empty means the sensor's name (hazard ``data``).
        ladder: severity of a score, with deadband and hold.
        shadow: its scores are shown but open no alert.
    """

    name: str
    version: str
    lane: Literal["fast", "slow"]
    kinds: frozenset[str]
    hazard: str
    cause: str
    ladder: Ladder
    shadow: bool

    def start(self, station: Station, kind: Kind) -> DetectorState:
        """A fresh state for one sensor of a station."""
        ...

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Judge a batch in order, one answer a sample; None means nothing to say (not: ordinary)."""
        ...

    def due(self, state: DetectorState) -> int | None:
        """When ``tick`` wants to be called if no reading comes before, ms; None: never."""
        ...

    def tick(
        self, state: DetectorState, station: Station, sensor: str, now: int, listening_since: int
    ) -> Score | None:
        """Time passed without a reading."""
        ...

    def dump(self, state: DetectorState) -> bytes:
        """The state as at most 8 kB (slow) or 500 bytes (fast)."""
        ...

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> DetectorState:
        """The state back, brought up to date from an older version; None: start afresh, warming up."""
        ...


@runtime_checkable
class Configurable(Protocol):
    """A detector that keeps something in the data folder: ``app`` hands it over once, before the first reading.

    Optional for every detector are: this verb; ``whole_batch = True``, which asks the slow lane for one call with all
    sensors' samples (otherwise each sensor has its own, so that an error costs only its own state); ``quiet_rise`` and
    ``is_quiet`` for one of the fast lane; ``of`` and ``miss`` for one of the slow lane, and ``last = True``, which asks
    it after the others and tells it what they said (``Sample.said``).
    """

    def configure(self, data: Path) -> None:
        """Read what is needed; what is missing or broken is logged, never raised."""
        ...


@runtime_checkable
class Local(Protocol):
    """A slow detector that knows its city: links, holidays, overlaps, time zone."""

    def of(self, city: City) -> Detector:
        """A copy of itself for one city; whatever ``configure`` has read stays with it."""
        ...


@runtime_checkable
class Calm(Protocol):
    """A fast detector of rises, which has nothing to say of a value that is hardly above the lowest of the last hour.

    Attributes:
        quiet_rise: while it is ``is_quiet`` and a value is less than this above every point of the track, ``score``
            answers None and leaves the state as it is; so it need not be asked at all.
    """

    quiet_rise: float

    def is_quiet(self, state: DetectorState) -> bool:
        """Whether nothing is in force and nothing is owed."""
        ...


@runtime_checkable
class Misses(Protocol):
    """A slow detector that cares when a gateway says that a sensor is away."""

    def miss(self, state: DetectorState, gone: Gone) -> Score | None:
        """What that means for the sensor, which has a state already."""
        ...
