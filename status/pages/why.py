"""What the page of one alert shows: why it is there, in words, and its timeline."""

from collections.abc import Sequence
from typing import Any

from pantau.city import City
from pantau.forms import number_text, public_part
from pantau.record import AlertRecord, TransitionRecord
from pantau.siaga import siaga_of
from pantau.station import ABOUT_US
from status.pages.home import Known, alert_items
from status.pages.rows import clock_text, ms_of, unit_text
from status.pages.said import beyond_numbers, on_the_citys_clock
from status.pages.value import told_of
from status.pages.words import Words, words_of
from status.reasons import reason_step

__all__ = ["alert_context"]


def alert_context(
    record: AlertRecord,
    timeline: Sequence[TransitionRecord],
    city: City,
    language: str,
    now: int,
    *,
    exercise: bool,
    known: Known,
) -> dict[str, Any] | None:
    """Everything the template of an alert's page needs; None when nothing of the alert is public."""
    public = public_part(record)
    if public is None:
        return None
    words = words_of(language)
    known = known._replace(told={record.id: told_of(record, timeline)})
    item = alert_items(city, [record], language, now, exercise=exercise, known=known)[0]
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
        "state": words.closed_by_hand
        if by_hand
        else item.withdrawn or words.isa.get(record.state, record.state),
        "areas": [city.areas[code].name for code in record.areas if code in city.areas],
        "why": _why(reason_step(told), city, language, now),
        "value_word": words.col_count if record.hazard == "density" else words.col_value,
        "timeline": [_step(row, record, city, language, now, is_siaga=is_siaga) for row in told],
    }


def _level(severity: int, city: City, language: str, *, is_siaga: bool) -> str:
    word = city.label[language][severity]
    return (
        str(words_of(language).client.level.format(siaga=siaga_of(severity), word=word)) if is_siaga else word
    )


def _why(step: TransitionRecord | None, city: City, language: str, now: int) -> list[tuple[str, str, str]]:
    """Name, text and language of each part of the reason; detectors explain themselves in English."""
    if step is None:
        return []
    words = words_of(language)
    given = [(key, value) for key, value in step.why.items() if value is not None and value != ""]
    rows = []
    for key, value in given:
        text = _said(key, value, step, city, language, now)
        if text:
            rows.append((words.why.get(key, key), text, "en" if key in {"reason", "degraded"} else ""))
    return rows


def _said(key: str, value: object, step: TransitionRecord, city: City, language: str, now: int) -> str:
    """One part of a reason; what a forecast's limit, probability and time say is not said again in English."""
    words: Words = words_of(language)
    if key in {"flag", "flags"} and isinstance(value, int):
        return str(words.flag.get(value, str(value)))
    if key == "ended":
        return str(words.forecast_ended.get(value, str(value)))
    if key == "expected_at" and isinstance(value, str):
        return clock_text(ms_of(value), now, city, words.client)
    if key == "reason" and isinstance(value, str):
        text = beyond_numbers(value) if "limit" in step.why else value
        return on_the_citys_clock(text, step.at, now, city, words.client)
    return _plain(value, language)


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
    about_us = record.hazard in ABOUT_US
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
