"""The shape of a scenario: an invented course of things for any city, as rows.

A scenario is one file in ``simulators/scenarios`` with ``SCENARIO = ...``; nothing else has to know of it. No scenario
knows a city: it looks at kinds, ladders, links and sizes.
"""

from collections.abc import Iterator
from random import Random
from typing import Protocol, runtime_checkable
from zlib import crc32

from pantau.city import City
from pantau.registry import find
from pantau.station import Station
from simulators.row import Row

__all__ = ["Scenario", "instants", "luck", "scenarios"]


@runtime_checkable
class Scenario(Protocol):
    """Invents rows.

    Attributes:
        name: as the command line calls it.
        about: one sentence for people.
        hours: how long it usually lasts.
    """

    name: str
    about: str
    hours: float

    def rows(self, city: City, start: int, end: int, seed: int) -> Iterator[Row]:
        """Rows in time order from ``start`` (inclusive) to ``end`` (exclusive), ms; the same seed, the same rows."""
        ...


def scenarios() -> dict[str, Scenario]:
    """All scenarios, by name."""
    return find("simulators.scenarios", "SCENARIO", Scenario, "name")


def instants(station: Station, start: int, end: int) -> Iterator[int]:
    """When a station reports: at its cadence, with an offset of its own so that not all report at once."""
    offset = crc32(station.id.encode()) % station.cadence_ms // 1000 * 1000
    at = (start - offset + station.cadence_ms - 1) // station.cadence_ms * station.cadence_ms + offset
    while at < end:
        yield at
        at += station.cadence_ms


def luck(seed: int, *of: str) -> Random:
    """Randomness of one thing, the same for the same seed whatever else there is."""
    return Random("/".join([str(seed), *of]))
