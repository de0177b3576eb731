"""Every sensor of a city in turn, round after round: the same number of readings however many sensors there are.

Three times fifty sensors are special in a city of any size: a crossing, a spike, a reading sent twice, all in the last
four rounds. The others wander within a centimetre (gauges) or three persons (crowd zones).
"""

from collections.abc import Iterator

from pantau.city import City
from pantau.station import Station
from simulators.fleet import Crossing, FleetMessage, Spike
from tools.bench.city import FIRST_LIMIT_CM

__all__ = ["FEWEST_ROUNDS", "Sweep"]

FEWEST_ROUNDS = 4
_SPECIAL = 50
_BASE_CM = FIRST_LIMIT_CM - 15.0
_SPIKE_CM = 300.0
_PERSONS = 40.0


class Sweep:
    """``rounds`` readings of each station, ``step_ms`` apart; the last ones lie just before ``end`` (ms).

    Args:
        leave_out: a station that was used for something else.
    """

    def __init__(self, city: City, *, rounds: int, step_ms: int, end: int, leave_out: str = "") -> None:
        self.city = city
        self.rounds = rounds
        self.step_ms = step_ms
        self.start = end - rounds * step_ms
        self.stations = [one for one in city.stations.values() if one.id != leave_out]
        gauges = [n for n, one in enumerate(self.stations) if one.kind == "water_level"]
        chosen = gauges[:: max(1, len(gauges) // (3 * _SPECIAL))][: 3 * _SPECIAL]
        self._crosses, self._spikes, self._doubles = (set(chosen[role::3]) for role in range(3))
        self._noise = [(step * 97 % 21 - 10) / 10 for step in range(251)]

    def messages(self, first: int = 0, last: int | None = None) -> Iterator[FleetMessage]:
        """What is sent in rounds ``first`` (inclusive) to ``last`` (exclusive), in the order of ``at``."""
        topics = [f"pantau/v1/{self.city.id}/{one.kind}/{one.id}".encode() for one in self.stations]
        for k in range(first, self.rounds if last is None else last):
            for n, station in enumerate(self.stations):
                at = self._at(n, k)
                text = b'{"observed_at": %d, "value": %.1f, "unit": "%s", "seq": %d}'
                unit = b"cm" if station.kind == "water_level" else b"persons"
                message = FleetMessage(at, topics[n], text % (at, self._value(n, station, k), unit, k + 1))
                yield message
                if n in self._doubles and k == self.rounds - 2:
                    yield message

    def values(self) -> Iterator[tuple[str, float]]:
        """Every reading once: station and value."""
        for n, station in enumerate(self.stations):
            for k in range(self.rounds):
                yield station.id, self._value(n, station, k)

    @property
    def end(self) -> int:
        """After the last reading, ms."""
        return self.start + self.rounds * self.step_ms

    @property
    def readings(self) -> int:
        """Different readings."""
        return len(self.stations) * self.rounds

    @property
    def doubles(self) -> int:
        """Messages beyond ``readings``."""
        return len(self._doubles)

    def crossings(self) -> list[Crossing]:
        """Stations that rise over their first limit without a jump and stay there."""
        k = self.rounds - 3
        return [Crossing(self.stations[n].id, self._at(n, k), 1) for n in sorted(self._crosses)]

    def spikes(self) -> list[Spike]:
        """One reading each, far from its neighbours."""
        k = self.rounds - 2
        return [
            Spike(self.stations[n].id, "main", self._at(n, k), self._value(n, self.stations[n], k))
            for n in sorted(self._spikes)
        ]

    def calm(self) -> list[Station]:
        """Gauges that never crossed, spiked or were doubled."""
        special = self._crosses | self._spikes | self._doubles
        return [one for n, one in enumerate(self.stations) if n not in special and one.kind == "water_level"]

    def _at(self, n: int, k: int) -> int:
        return self.start + k * self.step_ms + n * self.step_ms // len(self.stations)

    def _value(self, n: int, station: Station, k: int) -> float:
        noise = self._noise[(n * 31 + k) % 251]
        if station.kind != "water_level":
            return round(_PERSONS + 3 * noise)
        left = self.rounds - k
        if n in self._crosses and left <= 4:
            return _BASE_CM + (10.0 if left == 4 else 20.0)
        if n in self._spikes and left == 2:
            return round(_BASE_CM + noise + _SPIKE_CM, 1)
        return round(_BASE_CM + noise, 1)
