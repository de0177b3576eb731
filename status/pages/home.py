"""What the front page shows: alerts first, then water by river, then crowds, each from one snapshot."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from pantau.city import City
from pantau.forms import alert_properties, public_part
from pantau.outlook import Outlook
from pantau.record import AlertRecord
from pantau.station import ABOUT_US, Station
from status.pages.forecast import expected_text, is_possible
from status.pages.rows import PATHS, Row, chip_of, clock_text, nearest, row_of
from status.pages.value import NO_VALUE, Told, Value, value_of
from status.pages.words import words_of
from status.snapshot import Snapshot

__all__ = ["AlertItem", "Known", "alert_items", "home_context"]

ORDER = ("s3", "s2", "s1", "awaiting", "s0", "nolimits", "unusable", "stale", "out", "never")
_AREAS_SHOWN = 12


class Known(NamedTuple):
    """What pages know besides the alerts' own records.

    Attributes:
        outlooks: newest forecasts by station, those left out that are out of date.
        told: of alerts by id, what their timelines say of the value.
        properties: of stations by id, as of now.
        ahead: by how much (ms) clocks of devices are ahead, by station.
    """

    outlooks: Mapping[str, Outlook] = {}
    told: Mapping[str, Told] = {}
    properties: Mapping[str, Mapping[str, Any]] = {}
    ahead: Mapping[str, int] = {}


_NOTHING = Known()


class AlertItem(NamedTuple):
    """An alert as pages list it; only what is confirmed of it.

    Attributes:
        headline: what and where, without a value: that has a time, and stands in ``value``.
        withdrawn: that it ended because the reading was wrong, else empty.
        expected: when, of a forecast that is open.
    """

    id: str
    href: str
    chip: str
    headline: str
    since: str
    ended: str
    areas: Sequence[str]
    more_areas: int
    advice: str
    about_us: bool
    is_forecast: bool = False
    value: Value = NO_VALUE
    withdrawn: str = ""
    expected: str = ""


def alert_items(
    city: City, alerts: Iterable[AlertRecord], language: str, now: int, *, exercise: bool,
    known: Known = _NOTHING,
) -> list[AlertItem]:  # fmt: skip
    """Public alerts, the worst first, then those of what is there before forecasts, then the newest."""
    public = [part for record in alerts if (part := public_part(record)) is not None]
    public.sort(key=lambda record: (-record.severity, record.forecast, -record.raised_at, record.id))
    return [
        _item(city, record, language, now, exercise=exercise)._replace(
            value=_value(record, city, language, now, known),
            withdrawn=_withdrawn(record, known, language),
            expected=_expected(city, record, known.outlooks.get(record.station), language, now),
        )
        for record in public
    ]


def _expected(city: City, record: AlertRecord, outlook: Outlook | None, language: str, now: int) -> str:
    """When the severity of an open forecast is expected, as its newest outlook says."""
    if outlook is None or not record.forecast or record.closed_at is not None:
        return ""
    found = [each for each in outlook.crossings if each.severity == record.severity and is_possible(each)]
    return expected_text(found[0], city, language, now) if found else ""


def _value(record: AlertRecord, city: City, language: str, now: int, known: Known) -> Value:
    properties = known.properties.get(record.station)
    return value_of(record, known.told.get(record.id), properties, city, language, now)


def _withdrawn(record: AlertRecord, known: Known, language: str) -> str:
    told = known.told.get(record.id)
    return words_of(language).what["withdrawn"] if told is not None and told.is_withdrawn else ""


def _item(city: City, record: AlertRecord, language: str, now: int, *, exercise: bool) -> AlertItem:
    client = words_of(language).client
    if record.closed_at is not None:  # what it was, not the calm (or the operator's decision) that ended it
        record = replace(record, severity=record.worst)
    form = alert_properties(replace(record, value=None), city, exercise=exercise)
    areas = [city.areas[code].name for code in record.areas if code in city.areas]
    about_us = record.hazard in ABOUT_US
    return AlertItem(
        id=record.id,
        href=f"/{language}/{PATHS[language]['alert']}/{record.id}",
        chip="fault" if about_us else f"s{record.severity}",
        headline=form["headline"][language],
        since=clock_text(record.raised_at, now, city, client),
        ended="" if record.closed_at is None else clock_text(record.closed_at, now, city, client),
        areas=areas[:_AREAS_SHOWN],
        more_areas=max(0, len(areas) - _AREAS_SHOWN),
        advice=city.advice_for(record.hazard, language, record.severity, forecast=record.forecast),
        about_us=about_us,
        is_forecast=record.forecast,
    )


def home_context(
    city: City, snapshot: Snapshot, alerts: Sequence[AlertRecord], language: str, now: int, *, exercise: bool,
    known: Known = _NOTHING,
) -> dict[str, Any]:  # fmt: skip
    """Everything the template of the front page needs."""
    water = [s for s in city.stations.values() if s.hazard != "density"]
    crowds = [s for s in city.stations.values() if s.hazard == "density"]
    ahead = known.ahead
    rows = {s.id: _row(s, city, snapshot, language, now, ahead.get(s.id, 0)) for s in city.stations.values()}
    standing = [alert for alert in alerts if alert.closed_at is None]
    known = known._replace(properties=snapshot.properties)
    items = alert_items(city, standing, language, now, exercise=exercise, known=known)
    return {
        "now": now,
        "alerts": [item for item in items if not item.about_us],
        "faults": [item for item in items if item.about_us],
        "summary": _summary(water, snapshot, city, language),
        "rivers": _by_river(water, rows, words_of(language).other_rivers),
        "silent": [rows[s.id] for s in water if rows[s.id].chip == "never"],
        "crowds": _worst_first(rows[s.id] for s in crowds if rows[s.id].chip != "never"),
        "silent_crowds": [rows[s.id] for s in crowds if rows[s.id].chip == "never"],
    }


def _row(station: Station, city: City, snapshot: Snapshot, language: str, now: int, ahead_ms: int) -> Row:
    near = nearest(station, city, snapshot.properties, language)
    return row_of(station, snapshot.properties[station.id], city, language, now, near, ahead_ms)


def _summary(
    water: Sequence[Station], snapshot: Snapshot, city: City, language: str
) -> list[tuple[str, int, str]]:
    """Chip, number and words for each status that occurs, the worst first."""
    counts = Counter(chip_of(snapshot.properties[station.id]) for station in water)
    client = words_of(language).client
    words = {
        f"s{severity}": client.level.format(siaga=4 - severity, word=word)
        for severity, word in enumerate(city.label[language])
    }
    return [(chip, counts[chip], words.get(chip) or client[f"chip_{chip}"]) for chip in ORDER if counts[chip]]


def _by_river(water: Sequence[Station], rows: dict[str, Row], others: str) -> list[tuple[str, list[Row]]]:
    """Rivers with their gauges from up to down; the river that needs attention first, then in the city's order."""
    rivers: dict[str, list[Row]] = {}
    for station in water:
        if rows[station.id].chip != "never":
            rivers.setdefault(station.river or others, []).append(rows[station.id])
    return sorted(rivers.items(), key=lambda river: min(_attention(row) for row in river[1]))


def _attention(row: Row) -> int:
    return min(ORDER.index(row.chip), ORDER.index("s0"))


def _worst_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: ORDER.index(row.chip))
