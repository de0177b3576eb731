"""What the page of one station shows: its row, its limits, its neighbours, its latest readings, its scores."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pantau.alert import FORECAST
from pantau.city import City, Link
from pantau.forms import number_text
from pantau.outlook import Outlook
from pantau.reading import Flag, Reading
from pantau.record import AlertRecord, ScoreRecord
from pantau.station import Station
from status.pages.forecast import forecast_view
from status.pages.home import Known, alert_items
from status.pages.rows import PATHS, clock_text, nearest, row_of, unit_text
from status.pages.said import beyond_numbers, on_the_citys_clock
from status.pages.value import Told
from status.pages.words import words_of
from status.snapshot import Snapshot

__all__ = ["READINGS_SHOWN", "station_context"]

READINGS_SHOWN = 24


def station_context(  # noqa: PLR0913 - everything one page shows
    station: Station,
    city: City,
    snapshot: Snapshot,
    language: str,
    now: int,
    *,
    readings: Sequence[Reading],
    alerts: Sequence[AlertRecord],
    scores: Sequence[ScoreRecord],
    told: Mapping[str, Told],
    outlook: Outlook | None = None,
    ahead_ms: int = 0,
    slack_ms: int = 0,
    exercise: bool,
) -> dict[str, Any]:
    """Everything the template of a station's page needs.

    Args:
        readings: of its last day, oldest first.
        alerts: the open ones of the city.
        told: of these by id, what their timelines say of the value.
        outlook: its newest forecast, however old.
        ahead_ms: by how much its device's clock is ahead, 0 when nothing says so.
        slack_ms: of the clock.
    """
    words = words_of(language)
    kind = city.kinds[station.kind]
    ladder = city.ladder_at(station.id, now)
    mine = [alert for alert in alerts if alert.station == station.id]
    view = forecast_view(station, outlook, city, language, now, slack_ms=slack_ms)
    outlooks = {station.id: outlook} if outlook and view and not view.is_old else {}
    known = Known(outlooks, told, snapshot.properties)
    items = alert_items(city, mine, language, now, exercise=exercise, known=known)
    is_water = station.hazard != "density"
    near = nearest(station, city, snapshot.properties, language)
    return {
        "station": station,
        "row": row_of(station, snapshot.properties[station.id], city, language, now, near, ahead_ms),
        "row_unit": unit_text(kind.unit, words.client),
        "out_note": snapshot.out_of_service.get(station.id, ""),
        "value_word": words.col_value if is_water else words.col_count,
        "alerts": [item for item in items if not item.about_us],
        "chart_end": (readings[-1].observed_at if readings else now) + 1,
        "forecast": view,
        "limits_json": json.dumps(ladder.limits if ladder else []),
        "limits_word": words.limits_title if kind.siaga else words.limits_crowd_title,
        "limits": _limits(station, city, language, now),
        "limits_source": _limits_source(station, city, now),
        "capacity": number_text(station.capacity or 0, 0, language),
        "readings": [
            _reading(reading, city, language, now) for reading in reversed(readings[-READINGS_SHOWN:])
        ],
        "csv_href": f"/api/v1/stations/{station.id}/readings?format=csv",
        "upstream": [_link(link, link.upstream, city, language) for link in city.upstream(station.id)],
        "downstream": [_link(link, link.downstream, city, language) for link in city.downstream(station.id)],
        "scores": [_score(score, city, language, now) for score in scores],
    }


def _limits(station: Station, city: City, language: str, now: int) -> list[tuple[str, str, str]]:
    """Chip, words and "from 80 cm" of each limit, the worst first."""
    ladder, words, kind = city.ladder_at(station.id, now), words_of(language), city.kinds[station.kind]
    if ladder is None:
        return []
    rows = []
    for severity in (3, 2, 1):
        limit = ladder.limits[severity - 1]
        if limit is None:
            continue
        word = city.label[language][severity]
        text = words.client.level.format(siaga=4 - severity, word=word) if kind.siaga else word
        phrase = words.limits_above if ladder.strict else words.limits_from
        value = number_text(limit, kind.decimals, language)
        unit = unit_text(kind.unit, words.client)
        rows.append((f"s{severity}", text, phrase.format(value=value, unit=unit)))
    return rows


def _limits_source(station: Station, city: City, now: int) -> str:
    for dated in city.ladders.get(station.id, ()):
        if dated.valid_from <= now < dated.valid_to:
            return dated.source
    return ""


def _reading(reading: Reading, city: City, language: str, now: int) -> dict[str, str]:
    words, kind = words_of(language), city.kinds[reading.kind]
    return {
        "time": clock_text(reading.observed_at, now, city, words.client),
        "value": number_text(reading.value, kind.decimals, language),
        "quality": words.flag[reading.flag],
        "reason": on_the_citys_clock(reading.reason, reading.observed_at, now, city, words.client)
        if reading.flag in {Flag.SUSPECT, Flag.FAIL}
        else "",
    }


def _link(link: Link, other: str, city: City, language: str) -> dict[str, str]:
    words = words_of(language)
    low, high = (None if m is None else _hours_text(m, language) for m in (link.low_min, link.high_min))
    if low is None or high is None:
        travel = words.travel_unknown
    else:
        travel = words.travel_one.format(low=low) if low == high else words.travel.format(low=low, high=high)
    name = city.stations[other].name if other in city.stations else other
    return {"name": name, "href": f"/{language}/{PATHS[language]['station']}/{other}", "travel": travel}


def _hours_text(minutes: int, language: str) -> str:
    return number_text(minutes / 60, 0 if minutes % 60 == 0 else 1, language)


def _score(score: ScoreRecord, city: City, language: str, now: int) -> dict[str, Any]:
    # What is forecast, and when, stands in its own part of the page.
    reason = beyond_numbers(score.reason) if score.detector == FORECAST else score.reason
    client = words_of(language).client
    return {
        "name": score.detector,
        "value": number_text(score.score, 2, language),
        "shadow": score.shadow,
        "time": clock_text(score.at, now, city, client),
        "reason": on_the_citys_clock(reason, score.at, now, city, client),
    }
