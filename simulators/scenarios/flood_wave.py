"""An invented wave that travels down the links of any city, as fast as the published travel times say.

It begins one hour after the start at every head of a river and passes all three limits of the gauges on its way; all
other rivers stay calm.
"""

from collections.abc import Iterator

from pantau.city import City
from pantau.station import Station
from simulators.river import Wave, arrivals, calm_level, span, wandering
from simulators.row import Row, in_time_order
from simulators.scenario import instants, luck

__all__ = ["SCENARIO", "FloodWave"]

_LEAD_MS = 3_600_000


class FloodWave:
    """One wave on every river that has links."""

    name = "flood_wave"
    about = "a wave comes down every linked river and passes all limits; other rivers stay calm"
    hours = 24.0

    def rows(self, city: City, start: int, end: int, seed: int) -> Iterator[Row]:
        """Rows of every water level station."""
        reached = self.waves(city, start)
        gauges = [station for station in city.stations.values() if station.kind == "water_level"]
        return in_time_order(*(self._river(city, s, reached.get(s.id), start, end, seed) for s in gauges))

    @staticmethod
    def waves(city: City, start: int) -> dict[str, Wave]:
        """The wave at each linked water level station; its crest stands a tenth of the span above the highest limit."""
        found = {}
        for name, at in arrivals(city, start + _LEAD_MS).items():
            station = city.stations[name]
            if station.kind == "water_level":
                low, high = span(city, station, start)
                height = high + 0.1 * (high - low) - calm_level(city, station, start)
                found[name] = Wave(at, height, station.cadence_ms)
        return found

    @staticmethod
    def _river(
        city: City, station: Station, wave: Wave | None, start: int, end: int, seed: int
    ) -> Iterator[Row]:
        base = calm_level(city, station, start)
        noise = wandering(luck(seed, "river", station.id))
        for at in instants(station, start, end):
            risen = wave.level(at) if wave else 0.0
            yield Row(at, station.id, station.kind, round(base + risen + next(noise), 1))


SCENARIO = FloodWave()
