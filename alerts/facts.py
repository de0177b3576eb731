"""Gathers what a notice tells: a change, its recipient, the city and the newest readings in, ``Facts`` out. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from alerts.news import OPERATORS, Change, News, severities_for
from alerts.text import Expected, Facts, Post, Upstream
from pantau.alert import FORECAST
from pantau.city import City
from pantau.kind import Kind
from pantau.quality import is_stale
from pantau.record import LatestRecord
from pantau.station import ABOUT_US, Station

__all__ = ["facts_of", "zone_name"]

_INDONESIAN = frozenset({"WIB", "WITA", "WIT"})
_WORSE = frozenset({News.RAISED, News.UNCONFIRMED, News.CONFIRMED, News.RETOLD})
_BETTER = frozenset({News.LOWERED, News.CLEARED, News.CORRECTED})


def facts_of(
    news: News, change: Change, audience: str, language: str, city: City, latest: Mapping[str, LatestRecord], *,
    exercise: bool,
) -> Facts:  # fmt: skip
    """The facts of one notice.

    Args:
        language: of the text; the city's words and advice are taken in it where the city has them.
        latest: the newest stepped reading by station: for the trend and for what is still high upstream.
    """
    transition, record = change.transition, change.record
    before, after = severities_for(change, audience)
    station = city.stations.get(record.station)
    kind = city.kinds[station.kind] if station else None
    newest = latest.get(record.station)
    value = transition.value if audience == OPERATORS or transition.confirmed else None
    rate = newest.rate if newest and newest.observed_at == transition.at else None
    words = city.label.get(language) or next(iter(city.label.values()))
    return Facts(
        news=news, exercise=exercise, hazard=record.hazard, cause=record.cause, place=_place(change, city),
        river=station.river if station else "", kind=kind.label.get(language, kind.name) if kind else "",
        unit=kind.unit if kind else "", decimals=kind.decimals if kind else 0, value=value,
        density=_density(station, value), before=before, after=after, word_before=words[before], word=words[after],
        siaga=kind is not None and kind.siaga and record.cause in {"level", "forecast"}
        and record.hazard not in ABOUT_US,
        rate=rate, trend=_trend(rate, kind), at=city.local(transition.at), zone=zone_name(city.local(transition.at)),
        onward=_onward(change, city) if news in _WORSE else (),
        areas=tuple(city.areas[code].name for code in record.areas if code in city.areas),
        upstream=_upstream(change, city, latest, words) if news in _BETTER and station else (),
        sensor=transition.sensor or record.cause, detector=str(transition.why.get("detector", "")),
        heard_at=city.local(newest.observed_at) if newest else None,
        expected=_expected(change, city) if record.cause == FORECAST else None,
        advice=city.advice_for(record.hazard, language, after, forecast=record.cause == FORECAST),
        emergency=city.emergency_number,
    )  # fmt: skip


def zone_name(at: datetime) -> str:
    """WIB, WITA or WIT in Indonesia; elsewhere the offset, which everybody understands: ``UTC+05:30``."""
    name = at.tzname() or ""
    if name in _INDONESIAN:
        return name
    offset = at.utcoffset() or timedelta(0)
    minutes = round(offset.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def _place(change: Change, city: City) -> str:
    record = change.record
    if record.station in city.stations:
        return city.stations[record.station].name
    if record.scope in city.areas:
        return city.areas[record.scope].name
    return record.scope.removeprefix("system:")


def _density(station: Station | None, value: float | None) -> float | None:
    if station is None or station.hazard != "density" or not station.area_m2 or value is None:
        return None
    return value / station.area_m2


def _trend(rate: float | None, kind: Kind | None) -> str | None:
    if rate is None or kind is None:
        return None
    if abs(rate) <= kind.steady:
        return "steady"
    return "rising" if rate > 0 else "falling"


def _expected(change: Change, city: City) -> Expected:
    """What the transition's ``why`` tells of a forecast; an alert's own word is enough to read it, whoever wrote it."""
    transition = change.transition
    why = transition.why
    at, probability = why.get("expected_at"), why.get("probability")
    instant = round(datetime.fromisoformat(at).timestamp() * 1000) if isinstance(at, str) else None
    return Expected(
        at=None if instant is None else city.local(instant),
        lead_h=None if instant is None else max(0.0, (instant - transition.at) / 3_600_000),
        probability=probability if isinstance(probability, float | int) else None,
        ended=str(why.get("ended", "")),
    )


def _onward(change: Change, city: City) -> tuple[Post, ...]:
    """Posts downstream with a published travel time, nearest first; only river water travels, once it is there."""
    if change.record.hazard != "flood" or change.record.cause == FORECAST:
        return ()
    at = change.transition.at
    posts = [
        Post(city.stations[link.downstream].name, link.low_min / 60, link.high_min / 60,
             city.local(at + link.low_min * 60_000), city.local(at + link.high_min * 60_000))
        for link in city.downstream(change.record.station)
        if link.low_min is not None and link.high_min is not None and link.downstream in city.stations
    ]  # fmt: skip
    return tuple(sorted(posts, key=lambda post: (post.low_h, post.name)))


def _upstream(
    change: Change, city: City, latest: Mapping[str, LatestRecord], words: tuple[str, ...]
) -> tuple[Upstream, ...]:
    """Posts above a station, however far, that are known not to be normal now; nearest first."""
    found, seen, front = [], {change.record.station}, [change.record.station]
    while front:
        above = [link.upstream for post in front for link in city.upstream(post)]
        front = [post for post in dict.fromkeys(above) if post not in seen]
        seen.update(front)
        for post in front:
            station, newest = city.stations.get(post), latest.get(post)
            if (
                station is None
                or newest is None
                or is_stale(newest.observed_at, change.transition.now, station.cadence_ms)
            ):
                continue
            if newest.severity:
                found.append(Upstream(station.name, newest.severity, words[newest.severity]))
    return tuple(found)
