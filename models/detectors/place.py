"""Place: counts of the cameras of one place in, a score out when together they see more than the place may hold.

Crowd zones of one ``post`` are one place. Where one of them has a capacity and another has none, that capacity is the
whole place's, so no camera alone can tell that it is reached. Zones that overlap are not added up
(``pantau.density.people_once``).
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import msgspec

from models.detector import Sample
from models.kept import read_back
from models.untimed import Untimed
from pantau.city import City
from pantau.density import allowed_share, people_once
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

__all__ = ["DETECTOR", "Place", "places_of"]

FRESH_CADENCES = 3
"""As for staleness everywhere: an older count says nothing about the present."""


class State(msgspec.Struct, array_like=True):
    """Of one sensor: its newest count and when it was, ms."""

    at: int = 0
    value: float = 0.0


class Whole(NamedTuple):
    """A place: ``speaker`` has its capacity and speaks for all ``zones``, itself included."""

    speaker: Station
    zones: tuple[Station, ...]


def places_of(stations: Iterable[Station]) -> dict[str, Whole]:
    """Places that have a capacity of their own, by the zone that speaks for them."""
    posts: dict[str, list[Station]] = {}
    for station in stations:
        if station.hazard == "density" and station.post:
            posts.setdefault(station.post, []).append(station)
    found = {}
    for zones in posts.values():
        capable = [zone for zone in zones if zone.capacity is not None]
        if capable and len(capable) < len(zones):
            speaker = max(capable, key=lambda zone: (zone.capacity or 0, zone.id))
            found[speaker.id] = Whole(speaker, tuple(sorted(zones, key=lambda zone: zone.id)))
    return found


class Place(Untimed):
    """Slow lane, ``crowd_count``; cause ``level``: it raises the alert that the speaker's own count would raise.

    ``score = min(1, total / allowed / 2)``, so 0.5 is a full place; ``allowed`` is the capacity, or what a dated rule
    leaves of it. Spoken at the cadence of the zone that has the capacity, with the newest counts of the others; a zone
    that is silent is left out and named.
    """

    name = "place"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({"crowd_count"})
    hazard = ""
    cause = "level"
    ladder = Ladder(limits=(0.5, None, None), deadband=0.025, hold_ms=600_000)
    shadow = False

    def __init__(self, city: City | None = None) -> None:
        self._city = city
        self._places = {} if city is None else places_of(city.stations.values())

    def of(self, city: City) -> "Place":
        """With the places of one city."""
        return Place(city)

    def start(self, station: Station, kind: Kind) -> State:
        """A zone that nothing is known of."""
        del station, kind
        return State()

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Remember each count; judge those of zones that speak for a place."""
        return [self._judge(sample) for sample in samples]

    def _judge(self, sample: Sample) -> Score | None:
        reading = sample.reading
        sample.state.at, sample.state.value = reading.observed_at, reading.value
        whole = self._places.get(reading.station)
        if whole is None or self._city is None or reading.sensor != "main":
            return None
        at, capacity = reading.observed_at, whole.speaker.capacity or 0
        percent, source = allowed_share(
            self._city.capacity_rules, whole.speaker.id, self._city.local(at).date()
        )
        allowed = max(capacity * percent / 100, 1.0)
        counts = _fresh(whole, sample, at)
        total = people_once(counts, {zone.id: zone.overlaps for zone in whole.zones})
        silent = [zone.name for zone in whole.zones if zone.id not in counts]
        rule = f", {percent:g} % of capacity {capacity} ({source})" if percent < 100 else ""
        reason = (
            f"{total:.0f} of {allowed:.0f} persons in {len(counts)} zones of {whole.speaker.post}{rule}"
            + (", those that overlap counted once" if total < sum(counts.values()) else "")
            + (f"; silent: {', '.join(silent)}" if silent else "")
        )
        score = min(1.0, max(total, 0.0) / allowed / 2)
        return Score(reading.station, reading.sensor, self.name, self.version, at, score, reason, value=total)

    def dump(self, state: State) -> bytes:
        """Some 20 bytes."""
        return msgspec.msgpack.encode(state)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one."""
        del station, kind
        return read_back(State, version, body, self.version)


def _fresh(whole: Whole, sample: Sample, at: int) -> dict[str, float]:
    """Counts of a place's zones that speak for the present; the sample's own is one of them."""
    counts = {}
    for zone in whole.zones:
        state = sample.state if zone.id == sample.reading.station else sample.peers(zone.id)
        if state is not None and state.at > 0 and abs(at - state.at) <= FRESH_CADENCES * zone.cadence_ms:
            counts[zone.id] = state.value
    return counts


DETECTOR = Place()
