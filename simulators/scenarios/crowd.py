"""Crowds by place and hour of the week, with one surge in every crowd zone of any city.

A place has one of three days that suits it: commuters (two peaks on workdays), a market (late mornings, weekends
fuller) or leisure (evenings and weekends). Which one follows from its id alone, so a zone keeps its character under
every seed. The numbers follow from the zone's capacity, or its area and the city's density limits.
"""

from collections.abc import Iterator
from math import exp
from zlib import crc32

import msgspec

from pantau.city import City
from pantau.station import Station
from simulators.row import Row, in_time_order
from simulators.scenario import instants, luck

__all__ = ["SCENARIO", "Crowd", "Surge"]

# (hour of the peak, its width in hours, share of a full place on workdays, on Saturdays, on Sundays and holidays)
_DAYS = (
    ((7.7, 1.1, 0.42, 0.12, 0.06), (12.5, 2.5, 0.14, 0.16, 0.12), (17.6, 1.4, 0.45, 0.18, 0.10)),
    ((10.5, 2.0, 0.34, 0.44, 0.40), (14.5, 2.5, 0.26, 0.38, 0.34)),
    ((16.0, 2.8, 0.14, 0.38, 0.46), (20.0, 1.6, 0.20, 0.34, 0.24)),
)
_ALWAYS = 0.01
"""Share of a full place that is there at any hour."""
_ROOM_WITHOUT_SIZE = 1000.0
_HOUR_MS = 3_600_000


class Surge(msgspec.Struct, frozen=True):
    """The truth about one surge: between ``start`` and ``end`` (ms) the zone fills to ``share`` of a full place."""

    station: str
    start: int
    end: int
    share: float

    def at(self, instant: int) -> float:
        """Share of a full place that the surge brings at an instant: a quick rise, a plateau, a fall."""
        edge = max(1, (self.end - self.start) // 4)
        return self.share * min(1.0, max(0.0, min(instant - self.start, self.end - instant) / edge))


class Crowd:
    """People counted in every crowd zone."""

    name = "crowd"
    about = "crowds by place and hour of the week, one surge in every zone"
    hours = 24.0

    def rows(self, city: City, start: int, end: int, seed: int) -> Iterator[Row]:
        """Rows of every station that counts people."""
        surges = {surge.station: surge for surge in self.surges(city, start, end, seed)}
        return in_time_order(
            *(self._zone(city, zone, surges[zone.id], start, end, seed) for zone in _zones(city))
        )

    @staticmethod
    def surges(city: City, start: int, end: int, seed: int) -> list[Surge]:
        """What to look for afterwards: one surge a zone, at most two hours long, from 1.1 to 1.9 times a full place."""
        found = []
        for zone in _zones(city):
            rng = luck(seed, "surge", zone.id)
            length = round(min(rng.uniform(0.7, 2.0) * _HOUR_MS, (end - start) / 2))
            begin = start + round(rng.random() * (end - start - length))
            found.append(Surge(zone.id, begin, begin + length, rng.uniform(1.1, 1.9)))
        return found

    @staticmethod
    def _zone(city: City, zone: Station, surge: Surge, start: int, end: int, seed: int) -> Iterator[Row]:
        rng = luck(seed, "crowd", zone.id)
        room = _room(city, zone)
        mood = rng.uniform(0.8, 1.2)
        for at in instants(zone, start, end):
            people = room * (mood * ordinary_share(city, zone, at) + surge.at(at))
            # Counting noise grows with the root of the number, as arrivals by chance do.
            yield Row(at, zone.id, zone.kind, float(max(0, round(rng.gauss(people, people**0.5)))))


def ordinary_share(city: City, zone: Station, at: int) -> float:
    """Share of a full place that is there on an ordinary day at an instant (ms)."""
    local = city.local(at)
    hour = local.hour + local.minute / 60
    free = local.weekday() == 6 or local.date() in city.holidays
    column = 4 if free else 3 if local.weekday() == 5 else 2
    peaks = _DAYS[crc32(zone.id.encode()) % len(_DAYS)]
    return _ALWAYS + sum(peak[column] * exp(-(((hour - peak[0]) / peak[1]) ** 2)) for peak in peaks)


def _room(city: City, zone: Station) -> float:
    """Persons that make a place full: its capacity, else where its density reaches the city's first limit."""
    if zone.capacity:
        return float(zone.capacity)
    return zone.area_m2 * city.density_limits[0] if zone.area_m2 else _ROOM_WITHOUT_SIZE


def _zones(city: City) -> list[Station]:
    return [station for station in city.stations.values() if station.kind == "crowd_count"]


SCENARIO = Crowd()
