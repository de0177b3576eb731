"""What a reading costs in the slow lane: a town and detectors in; CPU, bytes of state and what was wrong out.

One lane plays all days and keeps its states before the last ones. From these states others go on and play the last days
again: cut otherwise, with one detector alone, or with none. So a restart and the cut into batches are checked as well:
all of them have to tell the same scores.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from models.detector import Detector
from models.lane import StateRow
from pantau.event import Score
from pantau.forms import forecast_stale_at
from pantau.outlook import Outlook
from tools.bench.figures import Figure, Found
from tools.bench.lane import Cost, Lane, Turn, merged, turns_of
from tools.bench.rivals import forest_alone, range_rule
from tools.bench.town import DAY_MS, START, Plan, Town

__all__ = ["slow_lane", "wrong_scores"]

TARGET_US = 60.0
STATE_BYTES = 8_192
"""A detector's of one sensor at most; what is looked for of all detectors together."""
MANY = 500
"""Readings in a batch when the service has fallen behind."""
_SPEAK_SELDOM = frozenset({"silent", "place"})
"""Of silence, and of places with several zones: a town may have none of it."""
_OUTLOOKS = 0.9
_MOST_TOLD = 5


class Days(NamedTuple):
    """Batches of one kind: while detectors warm up, in between, and when they know their sensors."""

    cold: list[Turn]
    middle: list[Turn]
    warm: list[Turn]


class Measured(NamedTuple):
    """Of one kind of reading.

    Attributes:
        costs: by words: ``warming up``, ``in batches``, ``one by one``, ``catching up``, ``nothing``, each detector.
        keeping: of writing down the states, a sensor.
        sizes: bytes of state by sensor and then by detector.
        told: scores of all days.
        last: those of the warm days.
    """

    costs: dict[str, Cost]
    keeping: Cost
    sizes: dict[tuple[str, str], Counter[str]]
    told: list[Score]
    last: list[Score]


def slow_lane(town: Town, plan: Plan, detectors: Mapping[str, Detector]) -> Found:
    """Measure the slow detectors, each kind of reading by itself."""
    slow = {name: detector for name, detector in sorted(detectors.items()) if detector.lane == "slow"}
    found = Found([], [])
    turns = turns_of(town.city, town.readings)
    for kind in sorted({reading.kind for reading in town.readings}, reverse=True):
        days = _days(turns, plan, kind)
        asked = {name: one for name, one in slow.items() if not one.kinds or kind in one.kinds}
        measured, problems = _measure(town, days, asked)
        problems += wrong_scores(measured.told, asked)
        problems += _silences(town, days, measured.last) + _too_large(measured.sizes)
        found.problems.extend(f"{kind}: {problem}" for problem in problems)
        _print_kind(kind, days, asked, measured)
        found.figures.extend(_figures(kind, days, measured))
    return found


def wrong_scores(told: Iterable[Score], detectors: Mapping[str, Detector]) -> list[str]:
    """Scores that are no scores, and detectors that never said anything, so that their cost means nothing."""
    heard, problems = set(), []
    for score in told:
        heard.add(score.detector)
        if not (math.isfinite(score.score) and 0.0 <= score.score <= 1.0):
            problems.append(f"{score.detector} at {score.station}: score {score.score!r}, expected 0..1")
    mute = sorted(detectors.keys() - heard - _SPEAK_SELDOM)
    return problems + [f"{name} said nothing in all these days, expected scores" for name in mute]


def _days(turns: Iterable[Turn], plan: Plan, kind: str) -> Days:
    until = START + plan.cold_days * DAY_MS
    since = START + (plan.days - plan.warm_days) * DAY_MS
    own = [Turn(at, [one for one in heard if one[0].kind == kind]) for at, heard in turns]
    own = [turn for turn in own if turn.heard]
    return Days(
        [turn for turn in own if turn.at < until],
        [turn for turn in own if until <= turn.at < since],
        [turn for turn in own if turn.at >= since],
    )


def _measure(town: Town, days: Days, asked: Mapping[str, Detector]) -> tuple[Measured, list[str]]:
    first = Lane(town.city, asked)
    costs = {"warming up": first.play(days.cold)}
    first.play(days.middle)
    keeping, states = first.keep()
    before = len(first.told)
    first.play(days.warm)
    last = first.told[before:]
    problems = [f"{name} failed {count} times" for name, count in sorted(first.lane.errors.items())]
    late = merged(days.warm, MANY)
    ways = {
        "in batches": (asked, days.warm, 0),
        "one by one": (asked, days.warm, 1),
        "catching up": (asked, late, 0),
        "nothing": ({}, days.warm, 0),
        **{name: ({name: one}, days.warm, 0) for name, one in asked.items()},
    }
    for words, (some, turns, size) in ways.items():
        again = Lane(town.city, some, states)
        costs[words] = again.play(turns, size)
        problems += [f"{words}: state of {one} was refused" for one in again.refused]
        problems += _differences(last, again.told, some, words)
    sizes = _sizes([*states, *first.keep()[1]])
    return Measured(costs, keeping, sizes, first.told, last), problems


def _differences(
    expected: list[Score], told: list[Score], some: Mapping[str, Detector], words: str
) -> list[str]:
    """What others told than the first lane; who listens to other detectors is only compared when all are there."""
    alone = len(some) == 1
    names = {name for name, one in some.items() if not (alone and getattr(one, "last", False))}
    wanted = Counter(_key(score) for score in expected if score.detector in names)
    got = Counter(_key(score) for score in told if score.detector in names)
    gone, strange = wanted - got, got - wanted
    problems = [f"{words}: score {key} is missing" for key in sorted(gone)[:_MOST_TOLD]]
    problems += [f"{words}: score {key} is told, nobody else told it" for key in sorted(strange)[:_MOST_TOLD]]
    return problems


def _key(score: Score) -> tuple[str, str, str, int, float, str]:
    return (score.detector, score.station, score.sensor, score.at, score.score, score.reason)


def _silences(town: Town, days: Days, told: Iterable[Score]) -> list[str]:
    """Gauges with a trained forecast have one that is not out of date at nearly each of their readings."""
    issued: dict[str, list[Outlook]] = {}
    for score in told:
        if score.outlook is not None:
            issued.setdefault(score.station, []).append(score.outlook)
    problems = []
    for name in town.trained:
        times = [
            reading.observed_at for turn in days.warm for reading, _ in turn.heard if reading.station == name
        ]
        known = issued.get(name, [])
        starts, station = [outlook.issued_at for outlook in known], town.city.stations[name]
        newest = [(at, bisect_right(starts, at) - 1) for at in times]
        fresh = sum(place >= 0 and at <= forecast_stale_at(station, known[place]) for at, place in newest)
        if fresh < _OUTLOOKS * len(times):
            problems.append(
                f"{name}: an outlook that was not out of date at {fresh} of {len(times)} readings, expected at least "
                f"{_OUTLOOKS:.0%}"
            )
    return problems


def _sizes(states: Iterable[StateRow]) -> dict[tuple[str, str], Counter[str]]:
    sizes: dict[tuple[str, str], Counter[str]] = {}
    for station, sensor, detector, _, body in states:
        known = sizes.setdefault((station, sensor), Counter())
        known[detector] = max(known[detector], len(body))
    return sizes


def _too_large(sizes: Mapping[tuple[str, str], Counter[str]]) -> list[str]:
    return [
        f"state of {name} for {'/'.join(sensor)} takes {size} bytes, expected at most {STATE_BYTES}"
        for sensor, parts in sizes.items()
        for name, size in parts.items()
        if size > STATE_BYTES
    ]


def _print_kind(kind: str, days: Days, asked: Mapping[str, Detector], measured: Measured) -> None:
    readings = measured.costs["in batches"].readings
    print(
        f"\n## slow lane, {kind}: {len(measured.sizes)} sensors, {readings:,} readings in {len(days.warm):,} batches\n"
    )
    print("| detector, called alone | us a reading | bytes of state, most | scores told |")
    print("| --- | ---: | ---: | ---: |")
    bare = measured.costs["nothing"].us
    told = Counter(score.detector for score in measured.last)
    for name in asked:
        most = max((sizes[name] for sizes in measured.sizes.values()), default=0)
        print(f"| {name} | {measured.costs[name].us - bare:.1f} | {most:,} | {told[name]:,} |")
    print(f"| the lane itself | {bare:.1f} | | |", flush=True)


def _figures(kind: str, days: Days, measured: Measured) -> list[Figure]:
    rule, batch, single = range_rule(days.warm), forest_alone(days.warm), forest_alone(days.warm, 1)
    beside = {
        "in batches": f"range rule {rule.us:.2g} us, isolation forest {batch.us:,.0f} us",
        "one by one": f"isolation forest {single.us:,.0f} us",
    }
    lines = {
        "in batches": "past warm-up, in batches as they come",
        "warming up": "warming up, in batches as they come",
        "catching up": f"past warm-up, catching up by {MANY}",
        "one by one": "past warm-up, one by one",
    }
    figures = [
        Figure(
            f"slow lane, {kind}, {what}", f"{measured.costs[way].readings:,} readings", beside.get(way, ""),
            measured.costs[way].us, "us", None if way == "one by one" else TARGET_US,
        )
        for way, what in lines.items()
    ]  # fmt: skip
    largest = max((sizes.total() for sizes in measured.sizes.values()), default=0)
    figures.append(
        Figure(
            f"state of a sensor, all detectors, {kind}",
            f"most of {len(measured.sizes)}",
            "",
            largest,
            "bytes",
            STATE_BYTES,
        )
    )
    figures.append(
        Figure(f"writing down a sensor's states, {kind}", f"{measured.keeping.readings} sensors", "",
               measured.keeping.us, "us", None)
    )  # fmt: skip
    return figures
