"""Calm rivers: every level wanders a few centimetres well below its first limit; a little rain at times."""

from collections.abc import Iterator

from pantau.city import City
from pantau.station import Station
from simulators.river import calm_level, wandering
from simulators.row import Row, in_time_order
from simulators.scenario import instants, luck

__all__ = ["SCENARIO", "Quiet"]


class Quiet:
    """An ordinary day on all gauges."""

    name = "quiet"
    about = "calm rivers: no level reaches a limit"
    hours = 24.0

    def rows(self, city: City, start: int, end: int, seed: int) -> Iterator[Row]:
        """Rows of every water level and rain station; crowds have their own scenario."""
        rivers = [
            self._river(city, station, start, end, seed)
            for station in city.stations.values()
            if station.kind == "water_level"
        ]
        rain = [self._rain(s, start, end, seed) for s in city.stations.values() if s.kind == "rain"]
        return in_time_order(*rivers, *rain)

    @staticmethod
    def _river(city: City, station: Station, start: int, end: int, seed: int) -> Iterator[Row]:
        base = calm_level(city, station, start)
        noise = wandering(luck(seed, "river", station.id))
        for at in instants(station, start, end):
            yield Row(at, station.id, station.kind, round(base + next(noise), 1))

    @staticmethod
    def _rain(station: Station, start: int, end: int, seed: int) -> Iterator[Row]:
        rng = luck(seed, "rain", station.id)
        for at in instants(station, start, end):
            drops = rng.random() < 0.05
            yield Row(at, station.id, station.kind, round(rng.expovariate(2.0), 1) if drops else 0.0)


SCENARIO = Quiet()
