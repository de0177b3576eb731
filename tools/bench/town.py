"""A town to run the models in: recordings, or invented rivers and crowds, in; a city with its readings out.

All of them begin on the same instant of one clock, each keeps its own cadence. What a town's gauges and zones are
called and how they hang together stands in ``tools/bench_models.toml``, because it belongs to the recordings.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

import msgspec
import pandas as pd

from pantau import registry
from pantau.city import FAR_FUTURE, FAR_PAST, City, DatedLadder, Link
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.reading import Reading
from pantau.station import Station
from simulators.instant import instant_of
from simulators.scenario import scenarios
from simulators.series import read_series

__all__ = ["DAY_MS", "START", "Plan", "Town", "invented", "load_plan", "recorded"]

DAY_MS = 86_400_000
START = 1_767_571_200_000
"""Every town's first day: 2026-01-05T00:00:00Z, a Monday."""
_LIMITS = (0.35, 0.6, 0.8)
"""Of what a gauge's levels span: floods of a recording reach some of them."""
_FULL = (0.9, 1.1, 1.3)
_AREA_M2 = 2_000.0
_GAUGES = 4
_WAVE_DAYS = 7
_SEED = 20_261_122

History = dict[str, "pd.Series[float]"]


class Played(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A recording that is played; see ``tools/bench_models.toml``."""

    name: str
    file: str
    kind: str
    start: str
    links: list[tuple[str, str, int, int]] = []
    trained: list[str] = []
    place: bool = False


class Plan(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is played and for how many days; the first ``cold_days`` and the last ``warm_days`` are measured."""

    days: int
    cold_days: int
    warm_days: int
    recordings: list[Played]


class Town(NamedTuple):
    """A city with what its sensors report.

    Attributes:
        about: in words.
        readings: of all played days, in time order.
        history: kind -> station -> series: what lies before the warm days.
        trained: stations that get a forecast of their own.
    """

    about: str
    city: City
    readings: list[Reading]
    history: dict[str, History]
    trained: tuple[str, ...]


class _Part(NamedTuple):
    """Of one recording: its stations, series on the town's clock, links and trained gauges, all by the town's ids."""

    stations: list[Station]
    series: History
    links: list[Link]
    trained: list[str]


def load_plan(path: Path) -> Plan:
    """Read ``tools/bench_models.toml``."""
    return msgspec.toml.decode(path.read_bytes(), type=Plan)


def recorded(plan: Plan, folder: Path) -> Town:
    """The town of a folder of recordings.

    Raises:
        ConfigError: a recording cannot be read.
    """
    parts = [_part(one, folder) for one in plan.recordings]
    return _town(f"{len(plan.recordings)} recordings", plan, parts)


def invented(plan: Plan, rivers: int = 3, zones: int = 8) -> Town:
    """A town of the project's own simulators: rivers of four gauges with a flood a week, and crowds in one square.

    All report at whole multiples of their cadence, as a bridge brings what it polls.
    """
    gauges = [
        Station(
            id=f"river-{river}-{gauge}", name=f"River {river}, gauge {gauge}", kind="water_level", hazard="flood",
            group=f"river-{river}",
        )
        for river in range(rivers)
        for gauge in range(_GAUGES)
    ]  # fmt: skip
    squares = [
        _zone(f"zone-{n}", "square", 300_000 * (1 + n % 3), 4_000 if n == 0 else None) for n in range(zones)
    ]
    links = [
        Link(f"river-{river}-{gauge - 1}", f"river-{river}-{gauge}", 60, 120)
        for river in range(rivers)
        for gauge in range(1, _GAUGES)
    ]
    ladders = {one.id: _ladder((150.0, 225.0, 300.0)) for one in gauges}
    ladders |= {one.id: _ladder((6_000.0, 8_000.0, 10_000.0)) for one in squares}
    city = _city([*gauges, *squares], links, ladders)
    found, end = scenarios(), START + plan.days * DAY_MS
    rows = list(found["crowd"].rows(city, START, end, _SEED))
    for week, start in enumerate(range(START, end, _WAVE_DAYS * DAY_MS)):
        rows += found["flood_wave"].rows(city, start, min(start + _WAVE_DAYS * DAY_MS, end), _SEED + week)
    series: dict[str, dict[int, float]] = {}
    for row in rows:
        cadence = city.stations[row.station].cadence_ms
        series.setdefault(row.station, {})[row.at // cadence * cadence] = row.value
    made = {name: pd.Series(values, dtype="float64").sort_index() for name, values in series.items()}
    part = _Part(
        [*gauges, *squares], made, links, [f"river-{river}-{_GAUGES - 1}" for river in range(min(2, rivers))]
    )
    return _town("invented rivers and crowds", plan, [part], city)


def _town(about: str, plan: Plan, parts: Iterable[_Part], city: City | None = None) -> Town:
    parts = list(parts)
    stations = [station for part in parts for station in part.stations]
    series = {name: one for part in parts for name, one in part.series.items()}
    if city is None:
        ladders = {one.id: _ladder(_limits(one.kind, series[one.id])) for one in stations}
        city = _city(stations, [link for part in parts for link in part.links], ladders)
    end = START + plan.days * DAY_MS
    learnt_until = end - plan.warm_days * DAY_MS
    history: dict[str, History] = {}
    readings = []
    for station in stations:
        values = series[station.id]
        history.setdefault(station.kind, {})[station.id] = values[values.index < learnt_until]
        readings += [
            Reading(station.id, station.kind, value, at, at)
            for at, value in zip(values.index.tolist(), values.tolist(), strict=True)
            if START <= at < end
        ]
    readings.sort(key=lambda reading: reading.observed_at)
    return Town(about, city, readings, history, tuple(name for part in parts for name in part.trained))


def _part(one: Played, folder: Path) -> _Part:
    """Read a recording and put it on the town's clock."""
    found = read_series(folder / one.file)
    shift = START - instant_of(one.start)
    ids = {name: f"{one.name}-{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}" for name in found}
    series = {ids[name]: values.set_axis(values.index + shift) for name, values in found.items()}
    stations = []
    for number, (name, values) in enumerate(series.items()):
        cadence = median_low((values.index[1:] - values.index[:-1]).tolist())
        if one.kind == "water_level":
            stations.append(
                Station(id=name, name=name, kind=one.kind, hazard="flood", group=one.name, cadence_ms=cadence)
            )
        else:
            capacity = round(float(values.max())) * len(series) if one.place and number == 0 else None
            stations.append(_zone(name, one.name if one.place else "", cadence, capacity))
    links = [Link(ids[up], ids[down], low, high) for up, down, low, high in one.links]
    return _Part(stations, series, links, [ids[name] for name in one.trained])


def _zone(name: str, post: str, cadence_ms: int, capacity: int | None) -> Station:
    return Station(
        id=name, name=name, kind="crowd_count", hazard="density", group=name, post=post, cadence_ms=cadence_ms,
        area_m2=_AREA_M2, capacity=capacity,
    )  # fmt: skip


def _limits(kind: str, series: "pd.Series[float]") -> tuple[float, float, float]:
    """Of a gauge by what its levels span, of a zone by the most people it has seen."""
    low, high = float(series.quantile(0.001)), float(series.quantile(0.999))
    shares = _LIMITS if kind == "water_level" else _FULL
    first, second, third = (round(low + share * (high - low), 1) for share in shares)
    return first, second, third


def _ladder(limits: tuple[float, float, float]) -> tuple[DatedLadder, ...]:
    return (DatedLadder(FAR_PAST, FAR_FUTURE, Ladder(limits, deadband=5.0, hold_ms=600_000)),)


def _city(
    stations: Iterable[Station], links: Iterable[Link], ladders: Mapping[str, tuple[DatedLadder, ...]]
) -> City:
    words = ("", "", "", "")
    return City(
        id="bench", name="Bench", timezone="UTC", languages=("en",), label={"en": words}, advice={"en": words},
        emergency_number="112", kinds=registry.find("pantau.kinds", "KIND", Kind, "name"),
        stations={station.id: station for station in stations}, ladders=dict(ladders), links=tuple(links), warns={},
        areas={}, rivers={}, bindings=(), recipients=(),
    )  # fmt: skip
