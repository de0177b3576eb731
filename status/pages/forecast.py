"""What a station's page shows of its forecast: an outlook in, rows and sentences for people out."""

import json
from typing import NamedTuple

from pantau.city import City
from pantau.forms import forecast_stale_at, number_text
from pantau.outlook import Crossing, Outlook
from pantau.siaga import siaga_of
from pantau.station import Station
from status.pages.rows import clock_text, unit_text
from status.pages.said import beyond_numbers, on_the_citys_clock
from status.pages.words import Words, words_of

__all__ = ["ForecastView", "expected_text", "forecast_view", "is_possible"]

_POSSIBLE = 0.01
"""Below it a limit's crossing is not called possible: a chip in an alarm's colour for 0 % cries wolf."""


class ForecastView(NamedTuple):
    """A forecast as its page shows it; texts are in the page's language.

    Attributes:
        is_old: it does not speak for the hours ahead any more; only ``issued`` is shown then.
        stale_at: last instant at which it is not old, ms; the browser turns it old by itself.
        rows: time, expected level, band.
        crossings: chip, level, and how likely and when it is reached, of the limits that are possible.
        calm: says that none is, where there are limits above.
        reason: what stands behind it, in English, apart from what ``crossings`` and ``rows`` say.
        json: for the chart: issued_at and value, then at, low, middle, high of each step; ms.
    """

    issued: str
    is_old: bool
    stale_at: int
    rows: list[tuple[str, str, str]]
    crossings: list[tuple[str, str, str]]
    calm: str
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
    possible = [crossing for crossing in reversed(outlook.crossings) if is_possible(crossing)]

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
        crossings=[_crossing(crossing, station, city, language, now) for crossing in possible],
        calm=words.forecast_calm if outlook.crossings and not possible else "",
        model={"travel_time": words.forecast_travel, "trained": words.forecast_trained}.get(
            outlook.model, outlook.model
        ),
        reason=on_the_citys_clock(
            beyond_numbers(outlook.reason), outlook.issued_at, now, city, words.client
        ),
        degraded=outlook.degraded,
        json=json.dumps([
            [outlook.issued_at, *[round(outlook.value, 2)] * 3],
            *([step.at, step.low, step.middle, step.high] for step in outlook.steps),
        ]),
    )  # fmt: skip


def is_possible(crossing: Crossing) -> bool:
    """Whether a limit's crossing is worth a word."""
    return crossing.probability >= _POSSIBLE


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
