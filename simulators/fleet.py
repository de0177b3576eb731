"""Many virtual devices for load, with a truth to check afterwards: which readings cross a limit, which are spikes.

One device in twenty crosses its station's first limit and stays above it, one reports a single spike, one sends every
tenth reading twice; the others wander within a centimetre. Devices are water-level sensors: the first at each station
is ``main``, further ones ``s1``, ``s2`` ...; only ``main`` sensors cross or spike.
"""

from collections.abc import Iterator
from itertools import islice
from random import Random

import msgspec

from pantau.city import City
from pantau.errors import ConfigError
from pantau.ladder import Ladder
from pantau.reading import MAIN
from pantau.station import Station
from simulators.emission import Emission, payload_of, topic_of

__all__ = ["FEWEST_READINGS", "Crossing", "Fleet", "FleetMessage", "Spike"]

FEWEST_READINGS = 40
"""Of each device: a crossing needs up to twenty readings, and something must come before and after."""

_EVERY = 20
_CROSSES, _SPIKES, _DOUBLES = 3, 7, 11
_DOUBLED = 10
_RAMP_CM = 10.0
_ABOVE_CM = 15.0
_SPIKE_CM = 300.0
_BASE_WITHOUT_LADDER = 100.0


class Crossing(msgspec.Struct, frozen=True):
    """A station that must have an alert: from ``at`` (ms) on its level is at or above its first limit."""

    station: str
    at: int
    severity: int


class Spike(msgspec.Struct, frozen=True):
    """A reading that must be flagged."""

    station: str
    sensor: str
    observed_at: int
    value: float


class FleetMessage(msgspec.Struct, gc=False):
    """One message; ``at`` is its ``observed_at``, ms (of an array: of the last reading in it)."""

    at: int
    topic: bytes
    payload: bytes


class _Device(msgspec.Struct, frozen=True):
    station: Station
    sensor: str
    base: float
    ladder: Ladder | None
    role: int
    phase_ms: int
    ramp_k: int
    spike_k: int


class Fleet:
    """A plan: ``count`` devices, each with ``each`` readings ``step_ms`` apart, beginning at ``start`` (ms).

    Args:
        city: its water-level stations carry the devices.
        seed: of the values.

    Raises:
        ConfigError: the city has no water level, or the numbers make no plan.
    """

    def __init__(self, city: City, *, count: int, each: int, step_ms: int, start: int, seed: int = 0) -> None:
        gauges = [station for station in city.stations.values() if station.kind == "water_level"]
        if not gauges:
            raise ConfigError(f"city {city.id!r} has no water_level station to put devices at")
        if count < 1 or each < FEWEST_READINGS or step_ms < 1:
            raise ConfigError(
                f"{count} devices with {each} readings every {step_ms} ms: expected at least one device,"
                f" {FEWEST_READINGS} readings and 1 ms; take fewer devices, a lower rate or more minutes"
            )
        self.city = city
        self.each = each
        self.step_ms = step_ms
        self.start = start
        # Those with limits first: they carry the crossings and the spikes.
        gauges.sort(key=lambda gauge: city.ladder_at(gauge.id, start) is None)
        rng = Random(seed)
        self._noise = [round(rng.uniform(-1.0, 1.0), 1) for _ in range(251)]
        self._devices = [
            self._device(gauges[n % len(gauges)], n // len(gauges), n, n * step_ms // count)
            for n in range(count)
        ]

    def messages(self) -> Iterator[FleetMessage]:
        """Everything that is sent, in the order of ``at``; a doubled reading follows itself."""
        topics = [self._topic(device) for device in self._devices]
        for k in range(self.each):
            for n, topic in enumerate(topics):
                yield from self._sent(n, topic, k)

    def arrays(self, size: int) -> Iterator[FleetMessage]:
        """The same readings as a gateway sends them: ``size`` steps of one device as a JSON array, device by device.

        A doubled reading follows itself within its array, which is so much longer.
        """
        streams = [self._of(n) for n in range(len(self._devices))]
        for begin in range(0, self.each, size):
            for n, device in enumerate(self._devices):
                steps = range(begin, min(begin + size, self.each))
                count = len(steps) + sum(self._is_doubled(device, k) for k in steps)
                found = list(islice(streams[n], count))
                body = b"[" + b",".join(message.payload for message in found) + b"]"
                yield FleetMessage(found[-1].at, found[-1].topic, body)

    def values(self) -> Iterator[tuple[str, float]]:
        """Every reading once: station and value, in no useful order."""
        for n, device in enumerate(self._devices):
            for k in range(self.each):
                yield device.station.id, self._value(n, device, k)

    @property
    def readings(self) -> int:
        """Different readings: what must be stored."""
        return len(self._devices) * self.each

    @property
    def doubles(self) -> int:
        """Messages beyond ``readings``: they must change nothing."""
        return sum(device.role == _DOUBLES for device in self._devices) * -(-self.each // _DOUBLED)

    def crossings(self) -> list[Crossing]:
        """What must have an alert."""
        found = []
        for device in self._devices:
            if device.role == _CROSSES and device.ladder:
                k = next(k for k in range(self.each) if device.ladder.severity_at(self._ramp(device, k)))
                severity = device.ladder.severity_at(self._ramp(device, self.each - 1))
                found.append(Crossing(device.station.id, self._at(device, k), severity))
        return found

    def spikes(self) -> list[Spike]:
        """What must be flagged."""
        return [
            Spike(
                device.station.id,
                device.sensor,
                self._at(device, device.spike_k),
                self._value(n, device, device.spike_k),
            )
            for n, device in enumerate(self._devices)
            if device.role == _SPIKES
        ]

    def sensors(self) -> list[tuple[str, str]]:
        """Station and sensor of every device."""
        return [(device.station.id, device.sensor) for device in self._devices]

    def _device(self, station: Station, floor: int, n: int, phase_ms: int) -> _Device:
        ladder = self.city.ladder_at(station.id, self.start)
        limits = [limit for limit in ladder.limits if limit is not None] if ladder else []
        base = limits[0] - 60.0 - 10.0 * (n % 5) if limits else _BASE_WITHOUT_LADDER
        role = n % _EVERY if floor == 0 and limits else -1
        if n % _EVERY == _DOUBLES:
            role = _DOUBLES
        # Crossings are spread over the second quarter of the run and spikes over the third: they come one by one.
        quarter = self.each // 4
        turn = n // _EVERY * 7 % (quarter + 1)
        return _Device(
            station,
            f"s{floor}" if floor else MAIN,
            base,
            ladder,
            role,
            phase_ms,
            quarter + turn,
            2 * quarter + turn,
        )

    def _of(self, n: int) -> Iterator[FleetMessage]:
        topic = self._topic(self._devices[n])
        for k in range(self.each):
            yield from self._sent(n, topic, k)

    def _topic(self, device: _Device) -> bytes:
        return topic_of(self.city, _emission(device, 0, 0, 0.0)).encode()

    def _sent(self, n: int, topic: bytes, k: int) -> Iterator[FleetMessage]:
        device = self._devices[n]
        at = self._at(device, k)
        message = FleetMessage(at, topic, payload_of(_emission(device, at, k + 1, self._value(n, device, k))))
        yield message
        if self._is_doubled(device, k):
            yield message

    def _is_doubled(self, device: _Device, k: int) -> bool:
        return device.role == _DOUBLES and k % _DOUBLED == 0

    def _at(self, device: _Device, k: int) -> int:
        return self.start + k * self.step_ms + device.phase_ms

    def _value(self, n: int, device: _Device, k: int) -> float:
        if device.role == _CROSSES and k >= device.ramp_k:
            return self._ramp(device, k)
        value = device.base + self._noise[(n * 31 + k) % 251]
        if device.role == _SPIKES and k == device.spike_k:
            value += _SPIKE_CM
        return round(value, 1)

    def _ramp(self, device: _Device, k: int) -> float:
        """Level of a crossing device: from ``ramp_k`` on it rises steadily, then stays above the limit."""
        limit = next(limit for limit in device.ladder.limits if limit is not None) if device.ladder else 0.0
        return min(device.base + _RAMP_CM * max(0, k - device.ramp_k), limit + _ABOVE_CM)


def _emission(device: _Device, at: int, seq: int, value: float) -> Emission:
    return Emission(at, device.station.id, device.station.kind, device.sensor, at, value, "cm", seq)
