"""Rows of the public tables: a station's properties in, words for people out.

The browser repaints rows from the same properties (static/rows.js); both must say the same, which
tests/real/test_pages.py checks.
"""

from collections.abc import Mapping
from datetime import datetime
from math import cos, hypot, radians
from typing import Any, NamedTuple

from pantau.city import City
from pantau.forms import number_text
from pantau.quality import GAP_CADENCES
from pantau.reading import Flag
from pantau.station import Station
from status.pages.words import Words, words_of

__all__ = ["PATHS", "Row", "age_text", "chip_of", "clock_text", "ms_of", "nearest", "row_of", "unit_text"]

PATHS = {"id": {"station": "stasiun", "alert": "peringatan"}, "en": {"station": "station", "alert": "alert"}}
"""Words in the paths of the pages, by language."""

SHAPES = {"s0": "circle", "s1": "square", "s2": "triangle", "s3": "octagon"}
ARROWS = {"rising": "\N{UPWARDS ARROW}", "falling": "\N{DOWNWARDS ARROW}", "steady": "\N{RIGHTWARDS ARROW}"}
_LIVE = {*SHAPES, "awaiting", "nolimits"}
_STATES = {"stale": "stale", "never_reported": "never", "out_of_service": "out"}


class Row(NamedTuple):
    """One station as the tables show it; texts are in the page's language."""

    id: str
    name: str
    href: str
    properties: Mapping[str, Any]
    chip: str
    status: str
    note: str
    clock: str
    near: tuple[str, str]
    emergency: str
    value: str
    unit: str
    density: str
    arrow: str
    trend: str
    trend_unknown: bool
    time: str
    age: str
    stale_ms: int
    decimals: int


def row_of(
    station: Station,
    properties: Mapping[str, Any],
    city: City,
    language: str,
    now: int,
    near: tuple[str, str],
    ahead_ms: int = 0,
) -> Row:
    """A station's row.

    Args:
        near: name and address of the gauge to look at instead, ("", "") when there is none.
        ahead_ms: by how much its device's clock is ahead, 0 when nothing says so.
    """
    kind, client = city.kinds[station.kind], words_of(language).client
    chip = chip_of(properties)
    value, unit = properties["value"], unit_text(kind.unit, client)
    observed = None if properties["observed_at"] is None else ms_of(properties["observed_at"])
    return Row(
        id=station.id,
        name=station.name,
        href=f"/{language}/{PATHS[language]['station']}/{station.id}",
        properties=properties,
        chip=chip,
        status=_status(properties, chip, language, client, is_siaga=kind.siaga),
        note=_note(properties, chip, client),
        clock=_clock(ahead_ms, words_of(language)) if ahead_ms and chip in {"never", "stale"} else "",
        near=near,
        emergency=client.call.format(number=city.emergency_number),
        value="" if value is None else number_text(value, kind.decimals, language),
        unit="" if value is None else unit,
        density=_density(properties, language, client),
        arrow=ARROWS.get(properties["trend"], ""),
        trend=_trend(properties, unit, kind.decimals, language, client),
        trend_unknown=properties["trend"] is None and chip in _LIVE,
        time="" if observed is None else clock_text(observed, now, city, client),
        age="" if observed is None else age_text(now - observed, client),
        stale_ms=GAP_CADENCES * station.cadence_ms,
        decimals=kind.decimals,
    )


def chip_of(properties: Mapping[str, Any]) -> str:
    """Which chip a station wears: s0..s3, or the word of its state."""
    if properties["state"] in _STATES:
        return _STATES[properties["state"]]
    if properties["severity"] is not None:
        return f"s{properties['severity']}"
    if properties["flag"] == Flag.FAIL:
        return "unusable"
    return "awaiting" if properties["state"] == "suspect" else "nolimits"


def unit_text(unit: str, client: Words) -> str:
    """A unit in the page's language."""
    return client.get(f"unit_{unit}", unit)


def age_text(age_ms: int, client: Words) -> str:
    """How long ago, in the largest whole unit."""
    minutes = age_ms // 60_000
    if minutes < 1:
        return str(client.now)
    if minutes < 120:
        return str(client.minutes.format(count=minutes))
    if minutes < 2880:
        return str(client.hours.format(count=minutes // 60))
    return str(client.days.format(count=minutes // 1440))


def clock_text(at: int, now: int, city: City, client: Words) -> str:
    """An instant on the city's clock with its zone; with the day when that is not today, with the year when another."""
    moment, today = city.local(at), city.local(now)
    text = f"{moment:%H:%M} {moment.tzname()}"
    if moment.date() == today.date():
        return text
    year = f" {moment.year}" if moment.year != today.year else ""
    return f"{moment.day} {client.months.split()[moment.month - 1]}{year} {text}"


def nearest(
    station: Station, city: City, properties: Mapping[str, Mapping[str, Any]], language: str
) -> tuple[str, str]:
    """Name and address of the gauge on the same water to look at instead: one that works, the nearest first."""
    linked = {link.upstream for link in city.upstream(station.id)}
    linked |= {link.downstream for link in city.downstream(station.id)}
    others = [
        other
        for other in city.stations.values()
        if other.id != station.id
        and other.kind == station.kind
        and (other.id in linked or (station.river and other.river == station.river))
        and properties[other.id]["state"] in {"ok", "suspect"}
    ]
    if not others:
        return "", ""
    best = min(others, key=lambda other: (_distance(station, other), other.id))
    return best.name, f"/{language}/{PATHS[language]['station']}/{best.id}"


def _distance(one: Station, other: Station) -> float:
    """Degrees, good enough to compare; unknown places come last."""
    if one.lat is None or one.lon is None or other.lat is None or other.lon is None:
        return 1e9
    return hypot(one.lat - other.lat, (one.lon - other.lon) * cos(radians(one.lat)))


def _status(properties: Mapping[str, Any], chip: str, language: str, client: Words, *, is_siaga: bool) -> str:
    if chip in SHAPES:
        word = properties["label"][language]
        return str(client.level.format(siaga=properties["siaga"], word=word)) if is_siaga else word
    return str(client[f"chip_{chip}"])


def _note(properties: Mapping[str, Any], chip: str, client: Words) -> str:
    if chip in {"stale", "never", "out", "awaiting", "unusable"}:
        return str(client[f"note_{chip}"])
    return str(client.note_suspect) if properties["state"] == "suspect" else ""


def _clock(ahead_ms: int, words: Words) -> str:
    """Why nothing that its device sends can be used."""
    minutes = round(ahead_ms / 60_000)
    unit, size = ("days", 1440) if minutes >= 2880 else ("hours", 60) if minutes >= 120 else ("minutes", 1)
    return str(words.clock_ahead.format(span=words.span[unit].format(count=round(minutes / size))))


def _density(properties: Mapping[str, Any], language: str, client: Words) -> str:
    density = properties.get("density_per_m2")
    if density is None:
        return ""
    text = number_text(density, 2, language)
    level = properties["level"]
    return str(
        client.density_level.format(density=text, level=level)
        if level
        else client.density.format(density=text)
    )


def _trend(properties: Mapping[str, Any], unit: str, decimals: int, language: str, client: Words) -> str:
    trend, rate = properties["trend"], properties["rate"]
    if trend is None:
        return ""
    if trend == "steady":
        return str(client.steady)
    amount = number_text(abs(rate), decimals, language)
    return f"{client[trend]} {client.per_hour.format(rate=amount, unit=unit)}"


def ms_of(text: str) -> int:
    """An RFC 3339 instant in ms."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
