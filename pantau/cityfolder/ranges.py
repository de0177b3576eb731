"""Stations and their limits in, stations out of which each knows the highest value that it can honestly report."""

from collections.abc import Mapping

from msgspec.structs import replace

from pantau.city import DatedLadder
from pantau.kind import Kind
from pantau.station import Station

__all__ = ["with_ranges"]


def with_ranges(
    stations: Mapping[str, Station], ladders: Mapping[str, tuple[DatedLadder, ...]], kinds: Mapping[str, Kind]
) -> dict[str, Station]:
    """Fill a blank ``range_high`` from the station's highest limit of any day, where its kind says how far above.

    Without it a sensor that reports 999 m twice would tell the public of a flood. There is no such bound below: a
    reservoir falls further under its lowest limit than any river rises over its highest.
    """
    return {key: _with_range(station, ladders.get(key, ()), kinds) for key, station in stations.items()}


def _with_range(station: Station, ladders: tuple[DatedLadder, ...], kinds: Mapping[str, Kind]) -> Station:
    kind = kinds.get(station.kind)
    if station.range_high is not None or kind is None or kind.above_limits is None:
        return station
    limits = [limit for dated in ladders for limit in dated.ladder.limits if limit is not None]
    return replace(station, range_high=min(kind.high, max(limits) + kind.above_limits)) if limits else station
