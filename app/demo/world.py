"""What happens in the demo: a published flood, calm gauges beside it, crowds, and sensors that break."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from pantau.city import City
from pantau.forms import rfc3339
from simulators.emission import Emission, emissions
from simulators.fault_text import parse_faults
from simulators.faults import Injected, inject
from simulators.flood_event import read_event
from simulators.row import Recording, Row, in_time_order
from simulators.scenario import scenarios

__all__ = ["SEED", "World", "make_world"]

SEED = 2014
_CALM = 8
"""So many gauges that the flood's record does not name report calm water beside it; the rest never reports."""
_ZONES = 8
_SILENT_AFTER_MS = 3 * 3_600_000


class World(NamedTuple):
    """The demo's course.

    Attributes:
        flood: the published event.
        stream: everything to send, in sending order, broken sensors included.
        broken: which sensors break and how, in words.
        truth: filled while the stream is read: every fault as it was injected.
    """

    flood: Recording
    stream: Iterator[Emission]
    broken: list[str]
    truth: list[Injected]


def make_world(
    folder: Path, city: City, event: str, start: str | None, *, skip_unknown: bool = False
) -> World:
    """Put the demo's course together; the same arguments give the same course.

    Raises:
        ConfigError: no such event, or rows of stations that the city does not know.
    """
    flood = read_event(folder, city, event, start=start, skip_unknown=skip_unknown)
    known = set(flood.stations())
    calm = [
        name for name, station in sorted(city.stations.items())
        if station.kind == "water_level" and name not in known and city.ladders.get(name)
    ][:_CALM]  # fmt: skip
    zones = [name for name, station in sorted(city.stations.items()) if station.kind == "crowd_count"][
        :_ZONES
    ]
    chosen = {*calm, *zones}
    found = scenarios()
    extra = chain(
        *(_rows(found[name].rows(city, flood.start, flood.end, SEED), chosen) for name in ("quiet", "crowd"))
    )
    faults, broken = _faults(city, calm, rfc3339(flood.start + _SILENT_AFTER_MS))
    truth: list[Injected] = []
    stream = emissions(in_time_order(flood.rows, sorted(extra, key=lambda row: row.at)), city)
    broken_stream = (
        inject(stream, parse_faults(faults, city, flood.start), seed=SEED, truth=truth) if faults else stream
    )
    return World(flood, broken_stream, broken, truth)


def _rows(rows: Iterator[Row], chosen: set[str]) -> Iterator[Row]:
    return (row for row in rows if row.station in chosen)


def _faults(city: City, calm: list[str], later: str) -> tuple[str, list[str]]:
    """One gauge falls silent, one sticks, one mistypes, one has a wrong clock; a few messages are lost or doubled."""
    texts, words = ["duplicate:p=0.01"], []
    kinds = [
        (f"drop:station={{}};p=1;from={later}", "falls silent"),
        ("spike:station={};size=300;p=0.03", "sends single wrong values"),
        ("clock_drift:station={};by=15m", "has a clock 15 min ahead"),
        ("garbage:station={};p=0.1", "sends garbage now and then"),
    ]
    for (text, word), station in zip(kinds, calm, strict=False):
        texts.append(text.format(station))
        words.append(f"{city.stations[station].name} {word}")
    return ",".join(texts), words
