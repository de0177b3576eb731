"""A city: what its folder says, checked and ready to use. Nothing in the code knows which city it is.

``pantau.cityfolder`` reads and checks the files; this is what comes out.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import ABOUT_US, Station

__all__ = [
    "FAR_FUTURE",
    "FAR_PAST",
    "Area",
    "Binding",
    "CapacityRule",
    "City",
    "DatedLadder",
    "Feed",
    "Link",
    "Recipient",
]

FAR_PAST = -62_135_510_400_000
"""Start of what is valid since ever: 0001-01-02 UTC, which every zone's calendar can still show."""
FAR_FUTURE = 253_402_214_400_000
"""End of what is valid until further notice: 9999-12-31 UTC."""


class DatedLadder(msgspec.Struct, frozen=True, gc=False):
    """A ladder and the days it is valid; ``valid_from`` inclusive, ``valid_to`` exclusive, ms, local midnight."""

    valid_from: int
    valid_to: int
    ladder: Ladder
    source: str = ""


class Link(msgspec.Struct, frozen=True):
    """Water seen upstream arrives downstream after ``low_min`` to ``high_min`` minutes; None: never published."""

    upstream: str
    downstream: str
    low_min: int | None
    high_min: int | None
    source: str = ""


class Area(msgspec.Struct, frozen=True):
    """An administrative area (kelurahan) with its official code."""

    code: str
    name: str
    kecamatan: str = ""
    city: str = ""
    lat: float | None = None
    lon: float | None = None
    area_km2: float | None = None
    population: int | None = None


class Binding(msgspec.Struct, frozen=True):
    """Messages on ``topic`` (MQTT filter) are in ``format``; ``options`` are the format's own."""

    topic: str
    format: str
    options: dict[str, Any] = {}


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """A feed that a bridge polls (``[[bridge]]`` of city.toml).

    Attributes:
        name: unique in the city; the kind's unless the city says otherwise.
        kind: name of a bridge of ``ingest/bridges``.
        stations: the feed's own id of a sensor -> ``station`` or ``station/sensor``.
        contact: whom the feed's owner may write to; told in every request.
        options: the bridge's own.
    """

    name: str
    kind: str
    url: str
    every_s: int = 300
    stations: dict[str, str] = {}
    contact: str = ""
    options: dict[str, Any] = {}


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """A role and what it is told; addresses and telephone numbers live in the database.

    Attributes:
        role: e.g. ``operator``, ``camat``, ``public``; a contact in the database carries the same word.
        audience: ``operators`` are told unconfirmed alerts as well, ``command`` and ``public`` only confirmed ones.
        hazards: what it is told about; empty means all.
        min_severity: from which severity on.
        areas: kelurahan codes or names of kecamatan/city it is limited to; empty means all.
        language: of its texts.
        channels: names of channels tried for it.
    """

    role: str
    audience: str
    channels: tuple[str, ...]
    hazards: tuple[str, ...] = ()
    min_severity: int = 1
    areas: tuple[str, ...] = ()
    language: str = "id"
    source: str = ""


class CapacityRule(msgspec.Struct, frozen=True, kw_only=True):
    """A dated limit on crowds: at most ``percent`` of capacity between two days (``valid_to`` exclusive)."""

    valid_from: date
    valid_to: date | None
    percent: float
    stations: tuple[str, ...] = ()
    source: str = ""


class City(msgspec.Struct, kw_only=True):
    """Everything the folder says; made by ``pantau.cityfolder.load``.

    Attributes:
        id: the folder's name, as in topics.
        label: words of severities 0..3 by language, e.g. ``{"id": ["Normal", "Waspada", "Siaga", "Awas"]}``.
        advice: what to do about water, by language and severity, 4 entries each.
        crowd_advice: what to do about crowds, likewise.
        forecast_advice: what to do about water that is only expected, 3 entries each, for severity 1, 2, 3.
        density_limits: persons per m2 for severity 1, 2, 3.
        holidays: days of ``calendar.csv`` with their names.
        feeds: what bridges poll.
        exercise: flood of ``events/`` that a demo plays unless told otherwise, with ``@`` and a local time to begin at.
        rivers: GeoJSON FeatureCollection.
        folder_hash: SHA-256 over the files, so that a running service knows which text it obeys.
    """

    id: str
    name: str
    timezone: str
    languages: tuple[str, ...]
    label: dict[str, tuple[str, str, str, str]]
    advice: dict[str, tuple[str, str, str, str]]
    emergency_number: str
    kinds: dict[str, Kind]
    stations: dict[str, Station]
    ladders: dict[str, tuple[DatedLadder, ...]]
    links: tuple[Link, ...]
    warns: dict[str, tuple[str, ...]]
    areas: dict[str, Area]
    rivers: dict[str, Any]
    bindings: tuple[Binding, ...]
    recipients: tuple[Recipient, ...]
    capacity_rules: tuple[CapacityRule, ...] = ()
    holidays: dict[date, str] = {}
    feeds: tuple[Feed, ...] = ()
    crowd_advice: dict[str, tuple[str, str, str, str]] = {}
    forecast_advice: dict[str, tuple[str, str, str]] = {}
    density_limits: tuple[float, float, float] = (3.0, 4.0, 5.0)
    last_resort: str = ""
    exercise: str = ""
    sources: dict[str, str] = {}
    folder_hash: str = ""
    names: Mapping[str, tuple[str, ...]] = {}

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.timezone)

    def local(self, at: int) -> datetime:
        """An instant on the city's clocks."""
        return datetime.fromtimestamp(at / 1000, self.zone)

    def advice_for(self, hazard: str, language: str, severity: int, *, forecast: bool = False) -> str:
        """What people do; crowds want other words than water, and nothing is advised about broken sensors.

        Args:
            forecast: it is expected and not there: one prepares and watches, and nothing is advised once it ended.
        """
        if hazard in ABOUT_US:
            return ""
        if forecast and hazard != "density":
            expected = self.forecast_advice.get(language)
            return expected[severity - 1] if expected and severity else ""
        texts = self.crowd_advice if hazard == "density" else self.advice
        return texts[language][severity] if language in texts else ""

    def ladder_at(self, station: str, at: int) -> Ladder | None:
        """Limits in force at an instant, None when the station has none then."""
        for dated in self.ladders.get(station, ()):
            if dated.valid_from <= at < dated.valid_to:
                return dated.ladder
        return None

    def downstream(self, station: str) -> tuple[Link, ...]:
        """Links that leave a station."""
        return tuple(link for link in self.links if link.upstream == station)

    def upstream(self, station: str) -> tuple[Link, ...]:
        """Links that reach a station."""
        return tuple(link for link in self.links if link.downstream == station)

    def find(self, name: str) -> Station:
        """A station by id, name or alias, as recordings call it (case and outer blanks do not matter).

        Raises:
            LookupError: nobody or more than one answers to the name; the text lists the candidates.
        """
        if name in self.stations:
            return self.stations[name]
        ids = self.names.get(name.strip().casefold(), ())
        if len(ids) == 1:
            return self.stations[ids[0]]
        if ids:
            msg = f"station {name!r} is ambiguous in city {self.id!r}: use one of the ids {', '.join(ids)}"
            raise LookupError(msg)
        words = name.casefold().split()
        near = [s.name for s in self.stations.values() if any(word in s.name.casefold() for word in words)]
        hint = f"; did you mean {', '.join(near[:5])}?" if near else ""
        msg = f"station {name!r} is not in city {self.id!r} (ids, names and aliases of stations.csv count){hint}"
        raise LookupError(msg)
