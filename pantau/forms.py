"""Stations and alerts in the form that everybody outside sees: HTTP, MQTT and webhooks carry the same properties.

Records of the database go in, plain dicts for JSON come out, named as in design.md, section 3. Stale is never normal,
and neither is a value that waits for its confirmation: both have no Siaga and no severity.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pantau.city import City
from pantau.density import density_level
from pantau.kind import Kind
from pantau.outlook import Outlook
from pantau.quality import GAP_CADENCES, is_stale
from pantau.reading import MAIN, Flag
from pantau.record import AlertRecord, LatestRecord
from pantau.siaga import siaga_of
from pantau.station import ABOUT_US, Station

__all__ = [
    "alert_properties",
    "chosen_record",
    "density_level",
    "forecast_properties",
    "forecast_stale_at",
    "number_text",
    "public_part",
    "rfc3339",
    "stale_at",
    "station_properties",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_SENSOR = frozenset({"drift", "neighbour"})
"""Causes of data alerts that are about a station as a whole; every other one is the name of a sensor."""
_OLDEST_MS, _OUTLOOK_MS = 7_200_000, 600_000

_PHRASES = {
    "id": {
        "forecast": "diperkirakan",
        "forecast_over": "prakiraan berakhir",
        "over": "peringatan berakhir",
        "now": "kini",
        "rise": "naik cepat",
        "anomaly": "pola tidak biasa",
        "data": "{}: gangguan data (sensor {})",
        "data_over": "{}: data pulih (sensor {})",
        "drift": "{}: data tidak lagi seperti yang dipelajari model",
        "drift_over": "{}: data kembali seperti yang dipelajari model",
        "neighbour": "{}: tidak cocok dengan pos tetangga",
        "neighbour_over": "{}: cocok lagi dengan pos tetangga",
        "system": "Sistem: {} terganggu",
        "system_over": "Sistem: {} pulih",
        "unconfirmed": "belum terkonfirmasi",
        "never_confirmed": "tidak pernah terkonfirmasi",
    },
    "en": {
        "forecast": "forecast",
        "forecast_over": "forecast ended",
        "over": "alert ended",
        "now": "now",
        "rise": "rising fast",
        "anomaly": "unusual pattern",
        "data": "{}: data fault (sensor {})",
        "data_over": "{}: data back (sensor {})",
        "drift": "{}: data no longer like what its model has learnt",
        "drift_over": "{}: data again like what its model has learnt",
        "neighbour": "{}: does not fit its neighbours",
        "neighbour_over": "{}: fits its neighbours again",
        "system": "System: {} impaired",
        "system_over": "System: {} recovered",
        "unconfirmed": "unconfirmed",
        "never_confirmed": "never confirmed",
    },
}


def rfc3339(at: int) -> str:
    """An instant (ms since 1970 UTC) as RFC 3339 in UTC with milliseconds, e.g. ``2026-01-02T03:04:05.000Z``."""
    moment = _EPOCH + timedelta(milliseconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def stale_at(station: Station, observed_at: int) -> int:
    """Last instant (ms) at which a value of this station still speaks for the present."""
    return observed_at + GAP_CADENCES * station.cadence_ms


def number_text(value: float, decimals: int, language: str) -> str:
    """A number for people: ``1,234.5`` in English, ``1.234,5`` in Indonesian; a true minus sign, never ``-0``.

    A half is rounded away from zero, as browsers do, which write the same numbers on the same page.
    """
    if abs(value) >= 1e15:
        return f"{value:g}"
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    text = f"{abs(rounded):,.{decimals}f}"
    if language != "en":
        text = text.translate(str.maketrans(",.", ".,"))
    return f"\N{MINUS SIGN}{text}" if rounded < 0 else text


def chosen_record(station: Station, records: Sequence[LatestRecord], as_of: int) -> LatestRecord | None:
    """The record that speaks for a station: sensor ``main``, else the first by name.

    A sensor that is stale or whose value failed quality control gives way to one that works.
    """
    if not records:
        return None
    return min(
        records,
        key=lambda r: (
            is_stale(r.observed_at, as_of, station.cadence_ms),
            r.flag == Flag.FAIL,
            r.sensor != MAIN,
            r.sensor,
        ),
    )


def station_properties(
    station: Station,
    records: Sequence[LatestRecord],
    city: City,
    as_of: int,
    *,
    out_of_service: str | None = None,
    exercise: bool = False,
    slack_ms: int = 0,
) -> dict[str, Any]:
    """Properties of a station's GeoJSON feature.

    Args:
        records: the newest record of each of its sensors, in any order.
        as_of: the instant the properties are true for, ms; ``age_s`` is the age then, staleness is judged then.
        out_of_service: the operator's note when the station is under repair, else None; wins over all other states.
        exercise: adds ``exercise: true``; in earnest the key is absent.
        slack_ms: of the clock: a value is stale only when it is too old by more than this.
    """
    kind = city.kinds[station.kind]
    fresh_at = as_of - slack_ms
    record = chosen_record(station, records, fresh_at)
    severity, pending = _in_force(station, records, fresh_at)
    state = _state(station, record, fresh_at, out_of_service, pending=pending)
    live = record if record and state in {"ok", "suspect"} and record.flag != Flag.FAIL else None
    if live is None or (pending and not severity):
        severity = None
    rate = live.rate if live else None
    properties: dict[str, Any] = {
        "id": station.id,
        "name": station.name,
        "kind": station.kind,
        "post": station.post or None,
        "river": station.river or None,
        "area": station.area or None,
        "value": record.value if record else None,
        "unit": kind.unit,
        "observed_at": rfc3339(record.observed_at) if record else None,
        "age_s": max(0, as_of - record.observed_at) // 1000 if record else None,
        "flag": record.flag if record else int(Flag.MISSING),
        "flag_reason": (record.reason or None) if record else None,
        "siaga": siaga_of(severity) if severity is not None and kind.siaga else None,
        "severity": severity,
        "label": None if severity is None else {lang: words[severity] for lang, words in city.label.items()},
        "trend": _trend(rate, kind),
        "rate": None if rate is None else round(rate, kind.decimals + 1),
        "stale": record is not None and is_stale(record.observed_at, fresh_at, station.cadence_ms),
        "state": state,
    }
    if station.hazard == "density":
        properties |= _density(station, record, usable=live is not None)
    if exercise:
        properties["exercise"] = True
    return properties


def _in_force(station: Station, records: Sequence[LatestRecord], as_of: int) -> tuple[int | None, bool]:
    """Highest confirmed severity of the sensors that are not stale, and whether a jump above it is pending."""
    current = [record for record in records if not is_stale(record.observed_at, as_of, station.cadence_ms)]
    severity = max((record.severity for record in current if record.severity is not None), default=None)
    pending = max((record.tentative for record in current), default=0) > (severity or 0)
    return severity, pending


def _state(
    station: Station, record: LatestRecord | None, as_of: int, out_of_service: str | None, *, pending: bool
) -> str:
    if out_of_service is not None:
        return "out_of_service"
    if record is None:
        return "never_reported"
    if is_stale(record.observed_at, as_of, station.cadence_ms):
        return "stale"
    return "suspect" if pending or record.flag in {Flag.SUSPECT, Flag.FAIL} else "ok"


def _trend(rate: float | None, kind: Kind) -> str | None:
    if rate is None:
        return None
    if abs(rate) <= kind.steady:
        return "steady"
    return "rising" if rate > 0 else "falling"


def _density(station: Station, record: LatestRecord | None, *, usable: bool) -> dict[str, Any]:
    if record is None or not station.area_m2:
        return {"density_per_m2": None, "level": None}
    density = record.value / station.area_m2
    return {"density_per_m2": round(density, 3), "level": density_level(density) if usable else None}


def forecast_stale_at(station: Station, outlook: Outlook) -> int:
    """Last instant (ms) at which a forecast still speaks for the hours ahead.

    Outlooks come at the station's cadence, but not more often than every ten minutes (twenty while nothing moves):
    three are missed, or two hours have passed.
    """
    return outlook.issued_at + min(_OLDEST_MS, GAP_CADENCES * max(station.cadence_ms, _OUTLOOK_MS))


def forecast_properties(
    station: Station, outlook: Outlook, city: City, as_of: int, *, slack_ms: int = 0
) -> dict[str, Any]:
    """A forecast in the form of ``GET /api/v1/stations/{id}``.

    Args:
        as_of: the instant for which ``stale`` is true or not, ms.
        slack_ms: of the clock.
    """
    kind = city.kinds[station.kind]
    return {
        "issued_at": rfc3339(outlook.issued_at),
        "model": outlook.model,
        "version": outlook.version,
        "value": outlook.value,
        "unit": kind.unit,
        "steps": [
            {
                "at": rfc3339(step.at),
                "lead_h": round((step.at - outlook.issued_at) / 3_600_000, 2),
                "low": step.low,
                "middle": step.middle,
                "high": step.high,
            }
            for step in outlook.steps
        ],
        "crossings": [
            {
                "severity": crossing.severity,
                "siaga": siaga_of(crossing.severity) if kind.siaga else None,
                "limit": crossing.limit,
                "probability": crossing.probability,
                "expected_at": _instant(crossing.expected_at),
            }
            for crossing in outlook.crossings
        ],
        "reason": outlook.reason or None,
        "degraded": outlook.degraded or None,
        "stale": as_of - slack_ms > forecast_stale_at(station, outlook),
    }


def public_part(record: AlertRecord) -> AlertRecord | None:
    """The part of an alert that may be told to the public: what is confirmed of it, None when nothing is.

    A pending raise is left out: the public sees the severity confirmed before it. An alert that ended is public when
    any of it ever was.
    """
    if record.closed_at is not None:
        return record if record.worst > 0 else None
    if record.confirmed_severity == 0:
        # It may be over and only wait for an operator's eyes (returned, unacknowledged).
        return record if record.confirmed and record.worst > 0 else None
    if record.confirmed:
        return record
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return AlertRecord(**fields | {"severity": record.confirmed_severity, "confirmed": True})


def alert_properties(record: AlertRecord, city: City, *, exercise: bool = False) -> dict[str, Any]:
    """An alert in the form of ``GET /api/v1/alerts``, of webhooks and of MQTT.

    ``siaga`` is null unless the alert is about a Siaga level: another kind's, a rise's or an anomaly's severity is
    none.
    """
    return {
        "id": record.id,
        "hazard": record.hazard,
        "cause": record.cause,
        "station": record.station or None,
        "area": record.scope if record.scope in city.areas and not record.station else None,
        "areas": list(record.areas),
        "state": record.state,
        "confirmed": record.confirmed,
        "forecast": record.forecast,
        "severity": record.severity,
        "siaga": siaga_of(record.severity) if _is_siaga(record, city) else None,
        "value": record.value,
        "raised_at": rfc3339(record.raised_at),
        "changed_at": rfc3339(record.changed_at),
        "acknowledged_at": _instant(record.acknowledged_at),
        "closed_at": _instant(record.closed_at),
        "headline": {language: _headline(record, city, language) for language in city.label},
        "exercise": exercise,
    }


def _instant(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def _is_siaga(record: AlertRecord, city: City) -> bool:
    station = city.stations.get(record.station)
    return (
        station is not None
        and city.kinds[station.kind].siaga
        and record.hazard not in ABOUT_US
        and record.cause in {"level", "forecast"}
    )


def _headline(record: AlertRecord, city: City, language: str) -> str:
    """E.g. ``Katulampa Siaga 2 (Siaga): 160 cm``; of a forecast ``Depok forecast Siaga 2 (Siaga), now 163 cm``.

    Once it is over, ``Katulampa Siaga 2 (Siaga): alert ended``: its worst, and no value that would seem to stand still.
    """
    say = _PHRASES.get(language, _PHRASES["en"])
    station = city.stations.get(record.station)
    area = city.areas.get(record.scope)
    where = station.name if station else area.name if area else record.scope
    if record.hazard in ABOUT_US:
        words = record.cause if record.cause in _NO_SENSOR else record.hazard
        phrase = say[words if record.severity else f"{words}_over"]
        return phrase.format(where.removeprefix("system:"), record.cause)
    if not record.severity:
        return _ended(record, city, language, where)
    level, measured = _level(record, record.severity, city, language), _measured(record, city, language)
    if record.cause == "forecast":
        text = f"{where} {say['forecast']} {level}" + (measured and f", {say['now']} {measured}")
    elif _is_siaga(record, city):
        text = f"{where} {level}" + (measured and f": {measured}")
    else:
        cause = f" {say[record.cause]}" if record.cause in say else ""
        text = f"{where}{cause}: {level}" + (measured and f", {measured}")
    return text if record.confirmed else f"{text} ({say['unconfirmed']})"


def _ended(record: AlertRecord, city: City, language: str, where: str) -> str:
    say = _PHRASES.get(language, _PHRASES["en"])
    if record.cause == "forecast":
        return f"{where}: {say['forecast_over']}"
    level = _level(record, record.worst, city, language) if record.worst else ""
    cause = f" {say[record.cause]}" if record.cause in say else ""
    if _is_siaga(record, city):
        text = f"{where}{level and f' {level}'}: {say['over']}"
    else:
        text = f"{where}{cause}: {level and f'{level}, '}{say['over']}"
    return text if record.confirmed else f"{text} ({say['never_confirmed']})"


def _level(record: AlertRecord, severity: int, city: City, language: str) -> str:
    word = city.label[language][severity]
    return f"Siaga {siaga_of(severity)} ({word})" if _is_siaga(record, city) else word


def _measured(record: AlertRecord, city: City, language: str) -> str:
    station = city.stations.get(record.station)
    if record.value is None or station is None:
        return ""
    kind = city.kinds[station.kind]
    number = number_text(record.value, kind.decimals, language)
    if station.hazard == "density":
        return f"{kind.label.get(language, kind.name)} {number}"
    return f"{number} {kind.unit}"
