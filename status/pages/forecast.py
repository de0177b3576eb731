"""What a station's page shows of its forecast: an outlook in, rows and sentences for people out."""

import json
from typing import NamedTuple

from pantau.city import City
from pantau.forms import forecast_stale_at, number_text
from pantau.outlook import Crossing, Outlook
from pantau.siaga import siaga_of
from pantau.station import Station
from status.pages.rows import clock_text, unit_text
from status.pages.words import Words, words_of

__all__ = ["ForecastView", "expected_text", "forecast_view"]


class ForecastView(NamedTuple):
    """A forecast as its page shows it; texts are in the page's language.

    Attributes:
        is_old: it does not speak for the hours ahead any more; only ``issued`` is shown then.
        stale_at: last instant at which it is not old, ms; the browser turns it old by itself.
        rows: time, expected level, band.
        crossings: chip, level, and how likely and when it is reached.
        json: for the chart: issued_at and value, then at, low, middle, high of each step; ms.
    """

    issued: str
    is_old: bool
    stale_at: int
    rows: list[tuple[str, str, str]]
    crossings: list[tuple[str, str, str]]
    model: str
    reason: str
    degraded: str
    json: str


def forecast_view(
    station: Station, outlook: Outlook | None, city: City, language: str, now: int, *, slack_ms: int = 0
) -> ForecastView | None:
    """The view of a station's newest forecast, None without one.

    Args:
        slack_ms: of the clock.
    """
    if outlook is None:
        return None
    words, kind = words_of(language), city.kinds[station.kind]
    stale_at = forecast_stale_at(station, outlook) + slack_ms

    def level(value: float) -> str:
        return number_text(value, kind.decimals, language)

    return ForecastView(
        issued=words.forecast_issued.format(time=clock_text(outlook.issued_at, now, city, words.client)),
        is_old=now > stale_at,
        stale_at=stale_at,
        rows=[
            (
                clock_text(step.at, now, city, words.client),
                level(step.middle),
                words.forecast_span.format(low=level(step.low), high=level(step.high)),
            )
            for step in outlook.steps
        ],
        crossings=[
            _crossing(crossing, station, city, language, now) for crossing in reversed(outlook.crossings)
        ],
        model={"travel_time": words.forecast_travel, "trained": words.forecast_trained}.get(
            outlook.model, outlook.model
        ),
        reason=outlook.reason,
        degraded=outlook.degraded,
        json=json.dumps([
            [outlook.issued_at, *[round(outlook.value, 2)] * 3],
            *([step.at, step.low, step.middle, step.high] for step in outlook.steps),
        ]),
    )  # fmt: skip


def expected_text(crossing: Crossing, city: City, language: str, now: int) -> str:
    """E.g. ``expected about 04:10 WIB, probability 72 %``."""
    words = words_of(language)
    percent = number_text(100 * crossing.probability, 0, language)
    if crossing.expected_at is None:
        return str(words.forecast_likely.format(percent=percent))
    time = clock_text(crossing.expected_at, now, city, words.client)
    return str(words.forecast_about.format(time=time, percent=percent))


def _crossing(
    crossing: Crossing, station: Station, city: City, language: str, now: int
) -> tuple[str, str, str]:
    client: Words = words_of(language).client
    kind, word = city.kinds[station.kind], city.label[language][crossing.severity]
    name = client.level.format(siaga=siaga_of(crossing.severity), word=word) if kind.siaga else word
    limit = f"{number_text(crossing.limit, kind.decimals, language)} {unit_text(kind.unit, client)}"
    return f"s{crossing.severity}", f"{name} ({limit})", expected_text(crossing, city, language, now)
