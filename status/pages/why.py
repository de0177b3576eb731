"""What the page of one alert shows: why it is there, in words, and its timeline."""

from collections.abc import Mapping, Sequence
from typing import Any

from pantau.city import City
from pantau.forms import number_text, public_part
from pantau.record import AlertRecord, TransitionRecord
from pantau.siaga import siaga_of
from status.pages.home import alert_items
from status.pages.rows import clock_text, unit_text
from status.pages.words import Words, words_of
from status.reasons import reason_of

__all__ = ["alert_context"]


def alert_context(
    record: AlertRecord,
    timeline: Sequence[TransitionRecord],
    city: City,
    language: str,
    now: int,
    *,
    exercise: bool,
) -> dict[str, Any] | None:
    """Everything the template of an alert's page needs; None when nothing of the alert is public."""
    public = public_part(record)
    if public is None:
        return None
    words = words_of(language)
    item = alert_items(city, [record], language, now, exercise=exercise)[0]
    station = city.stations.get(record.station)
    is_siaga = (
        station is not None and city.kinds[station.kind].siaga and record.cause in {"level", "forecast"}
    )
    level = (
        ""
        if item.about_us
        else _level(public.worst if record.closed_at else public.severity, city, language, is_siaga=is_siaga)
    )
    by_hand = bool(timeline) and timeline[-1].what == "closed" and bool(timeline[-1].by)
    told = [row for row in timeline if row.confirmed or row.by or row.severity == 0]
    return {
        "item": item,
        "station": station,
        "hazard": words.hazard[record.hazard],
        "level": words.forecast_level.format(level=level) if record.forecast and level else level,
        "state": words.closed_by_hand if by_hand else words.isa.get(record.state, record.state),
        "areas": [city.areas[code].name for code in record.areas if code in city.areas],
        "why": _why(reason_of(told), words, language),
        "value_word": words.col_count if record.hazard == "density" else words.col_value,
        "timeline": [_step(row, record, city, language, now, is_siaga=is_siaga) for row in told],
    }


def _level(severity: int, city: City, language: str, *, is_siaga: bool) -> str:
    word = city.label[language][severity]
    return (
        str(words_of(language).client.level.format(siaga=siaga_of(severity), word=word)) if is_siaga else word
    )


def _why(reason: Mapping[str, Any], words: Words, language: str) -> list[tuple[str, str, str]]:
    """Name, text and language of each part of the reason; detectors explain themselves in English."""
    rows = []
    for key, value in reason.items():
        if value is None or value == "":
            continue
        if key in {"flag", "flags"} and isinstance(value, int):
            rows.append((words.why[key], words.flag.get(value, str(value)), ""))
        elif isinstance(value, str) and key == "reason":
            rows.append((words.why.get(key, key), value, "en"))
        else:
            rows.append((words.why.get(key, key), _plain(value, language), ""))
    return rows


def _plain(value: object, language: str) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int | float):
        return number_text(value, 0 if float(value).is_integer() else 2, language)
    if isinstance(value, list | tuple):
        return " · ".join("-" if each is None else _plain(each, language) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(each, language)}" for key, each in value.items())
    return str(value)


def _step(
    row: TransitionRecord, record: AlertRecord, city: City, language: str, now: int, *, is_siaga: bool
) -> dict[str, str]:
    words = words_of(language)
    about_us = record.hazard in {"data", "system"}
    value = ""
    if row.value is not None and row.alert and record.station in city.stations and not about_us:
        kind = city.kinds[city.stations[record.station].kind]
        value = f"{number_text(row.value, kind.decimals, language)} {unit_text(kind.unit, words.client)}"
    return {
        "time": clock_text(row.at, now, city, words.client),
        "what": words.closed_by_hand
        if row.what == "closed" and row.by
        else words.what.get(row.what, row.what),
        "chip": "" if about_us or (row.what == "closed" and row.by) else f"s{row.severity}",
        "level": _level(row.severity, city, language, is_siaga=is_siaga),
        "value": value,
        "by": words.by_operator if row.by else words.by_system,
    }
