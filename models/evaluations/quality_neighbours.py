"""The neighbour check on real levels, faults put into one gauge at a time: levels of a city's gauges in, figures out.

Quality control, the slow lane and the detector are those of the service, on the city's own links and posts. Each fault
has a copy of everything as it stood before it, so that no fault teaches the check anything for the next one; all other
gauges are as they were recorded. An alarm is one that the detector's ladder would open, in shadow or not.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

import msgspec
import numpy as np
from msgspec.structs import replace

from models.detector import Detector
from models.detectors.neighbour import DETECTOR, beside
from models.evaluations.quality_faults import FAULTS, Fault, inject
from models.lane import SlowLane, StateRow
from pantau.city import City
from pantau.kinds.water_level import KIND
from pantau.ladder import Rung
from pantau.quality import Limits, Past, judge, takes_ordinary
from pantau.reading import Flag, Reading

__all__ = ["PAIRED", "Checked", "Levels", "Play", "check", "figures"]

Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Levels: TypeAlias = "tuple[Ints, Floats, int]"
"""Of one gauge: times (n,) ms, rising; values (n,) cm; first scored reading."""
Event: TypeAlias = tuple[int, str, float]

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PAIRED = frozenset({"drift", "datum"})
"""What only neighbours can tell."""


class Checked(NamedTuple):
    """What came of one fault, or of the untouched recording of one gauge.

    Attributes:
        fault: None for the untouched recording.
        station: where it was.
        begin, end: of the fault, or of what was scored, ms.
        alarms: instants at which alarms opened on the gauge from ``begin`` to ``end``.
        accused: how many alarms opened on other gauges meanwhile that the untouched recording does not have.
    """

    fault: Fault | None
    station: str
    begin: int
    end: int
    alarms: tuple[int, ...]
    accused: int = 0


class Play:
    """The service's fast and slow lane on a few gauges.

    Args:
        city: of these gauges only.
        detector: the check.
    """

    def __init__(self, city: City, detector: Detector) -> None:
        self._city, self._detector = city, detector
        self._lane = SlowLane(city, {detector.name: detector})
        self._limits = {name: Limits.of(station, KIND) for name, station in city.stations.items()}
        self._pasts = {name: Past() for name in city.stations}
        self._rungs = {name: Rung() for name in city.stations}
        self._rows: dict[tuple[str, str, str], StateRow] = {}

    def copy(self) -> "Play":
        """The same memory, apart from now on; taken like at a restart of the service."""
        self._rows.update((row[:3], row) for row in self._lane.dump_changed())
        other = Play(self._city, self._detector)
        other._lane.restore(self._rows.values())
        other._rows = dict(self._rows)
        other._pasts = _twin(self._pasts, dict[str, Past])
        other._rungs = _twin(self._rungs, dict[str, Rung])
        return other

    def take(self, event: Event) -> list[tuple[str, int]]:
        """Take a reading; gauges on which an alarm opens now, and the instant."""
        at, station, value = event
        reading, waits = Reading(station, KIND.name, value, at, at), False
        past, limits = self._pasts[station], self._limits[station]
        if not takes_ordinary(past, reading, limits):
            waits, _, _ = judge(past, reading, limits)
        if reading.flag == Flag.FAIL:
            return []
        opened = []
        for score in self._lane.take([(reading, waits)], at, 0):
            rung = self._rungs[score.station]
            was = rung.severity
            rung.climb(self._detector.ladder, score.score, score.at, pending=False)
            if rung.severity > was == 0:
                opened.append((score.station, score.at))
        return opened


def _twin(found: Any, shape: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=shape)


class _Branch(NamedTuple):
    begin: int
    end: int
    station: str
    fault: Fault
    values: Mapping[int, float]


def check(
    city: City, levels: Mapping[str, Levels], seed: int, detector: Detector = DETECTOR
) -> Iterator[Checked]:
    """Play all gauges once, and each fault beside them.

    Args:
        city: that knows the gauges.
        levels: by the city's ids; those without a neighbour among them are played and not judged.
        seed: of the places where faults are, the same as in ``quality.trials``.
        detector: the check itself.
    """
    known = _city_of(city, levels)
    events = sorted(
        (at, name, value)
        for name, (times, values, _) in levels.items()
        for at, value in zip(times.tolist(), values.tolist(), strict=True)
    )
    near = beside(known)
    judged = {name: entry for name, entry in levels.items() if near[name]}
    branches = sorted(_branches(judged, seed), key=lambda branch: branch.begin)
    play = Play(known, detector)
    plain: list[tuple[str, int]] = []
    waiting: list[tuple[_Branch, list[tuple[str, int]]]] = []
    for event in events:
        while len(waiting) < len(branches) and branches[len(waiting)].begin <= event[0]:
            branch = branches[len(waiting)]
            waiting.append((branch, _beside(play.copy(), events, branch)))
        plain += play.take(event)
    for name, (times, _, start) in judged.items():
        begin, end = int(times[start]), int(times[-1])
        yield Checked(None, name, begin, end, _within(plain, name, begin, end))
    for branch, opened in waiting:
        accused = {entry for entry in opened if entry[0] != branch.station} - set(plain)
        alarms = _within(opened, branch.station, branch.begin, branch.end)
        yield Checked(branch.fault, branch.station, branch.begin, branch.end, alarms, len(accused))


def _within(opened: Sequence[tuple[str, int]], station: str, begin: int, end: int) -> tuple[int, ...]:
    return tuple(at for name, at in opened if name == station and begin <= at <= end)


def _branches(levels: Mapping[str, Levels], seed: int) -> Iterator[_Branch]:
    for name, (times, values, start) in levels.items():
        for fault in FAULTS:
            if fault.name not in PAIRED:
                continue
            own = crc32(f"{seed} {fault.name} {fault.size:g} {name}".encode())
            injected = inject(fault, times, values, start, own)
            for first, last in injected.spans:
                wrong = dict(
                    zip(
                        times[first : last + 1].tolist(),
                        injected.values[first : last + 1].tolist(),
                        strict=True,
                    )
                )
                yield _Branch(int(times[first]), int(times[last]), name, fault, wrong)


def _beside(play: Play, events: Sequence[Event], branch: _Branch) -> list[tuple[str, int]]:
    """Play a fault from its first reading to its last."""
    opened = []
    first = bisect_left(events, branch.begin, key=lambda event: event[0])
    behind = bisect_right(events, branch.end, key=lambda event: event[0])
    for at, name, value in events[first:behind]:
        wrong = branch.values.get(at, value) if name == branch.station else value
        opened += play.take((at, name, wrong))
    return opened


def _city_of(city: City, levels: Mapping[str, Levels]) -> City:
    """The city with the gauges recorded, at the cadence they were recorded at."""
    stations = {
        name: replace(city.stations[name], cadence_ms=int(np.median(np.diff(times))))
        for name, (times, _, _) in levels.items()
    }
    links = tuple(link for link in city.links if link.upstream in stations and link.downstream in stations)
    return replace(city, stations=stations, links=links)


def figures(found: Sequence[Checked], fault: Fault | None) -> dict[str, Any]:
    """Of one fault, over all gauges; None for what is not defined.

    ``precision``: of alarms during faults, those on the gauge that is broken. ``precision_strict``: of those and all
    alarms of the untouched recording. ``delay_h``: median, from the beginning. ``false_per_30d``: a gauge, untouched.
    """
    meant = [one for one in found if fault is not None and one.fault == fault]
    plain = [one for one in found if one.fault is None]
    hits = [(one.alarms[0] - one.begin) / HOUR_MS for one in meant if one.alarms]
    wrong = sum(one.accused for one in meant)
    false, days = sum(len(one.alarms) for one in plain), sum(one.end - one.begin for one in plain) / DAY_MS
    told = len(hits) + wrong + false
    return {
        "recall": len(hits) / len(meant) if meant else None,
        "precision": len(hits) / (len(hits) + wrong) if hits or wrong else None,
        "precision_strict": len(hits) / told if meant and told else None,
        "faults": len(meant),
        "delay_h": median(hits) if hits else None,
        "false_per_30d": 30 * false / days if days else None,
    }
