"""The value on an alert's card: a record and its timeline in, what was measured when, and what is there now, out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pantau.city import City
from pantau.forms import number_text
from pantau.record import AlertRecord, TransitionRecord
from pantau.station import ABOUT_US, Station
from status.pages.rows import chip_of, clock_text, ms_of, unit_text
from status.pages.words import words_of

__all__ = ["NO_VALUE", "Told", "Value", "told_of", "value_of"]

_SPEAKS = {"s0", "s1", "s2", "s3", "nolimits"}
"""Chips of stations whose value is current and not doubted as a whole."""


class Told(NamedTuple):
    """What an alert's timeline says of its value.

    Attributes:
        value, at: of the last confirmed transition that had one, None without; ``at`` in ms.
        is_withdrawn: it ended because the reading was wrong.
    """

    value: float | None
    at: int
    is_withdrawn: bool = False


class Value(NamedTuple):
    """Lines of a card; texts are in the page's language, empty where nothing is known.

    Attributes:
        then: value and time of the last transition.
        now: present value and its time, empty when it is the same.
        station: whose present value the browser repaints.
        number, decimals: of ``then``, to see whether the present one differs.
        held: that the alert stands although the value is below its limit, and until when it does.
        limit, strict: of that, for the browser; ``limit`` is None without a sentence.
        is_held: whether it is so now.
    """

    then: str = ""
    now: str = ""
    station: str = ""
    number: str = ""
    decimals: int = 0
    held: str = ""
    limit: float | None = None
    strict: bool = False
    is_held: bool = False


NO_VALUE = Value()


def told_of(record: AlertRecord, timeline: Sequence[TransitionRecord]) -> Told:
    """What the timeline (oldest first) says; a value that was withdrawn, or is not confirmed, says nothing."""
    rows = [row for row in timeline if row.value is not None and (row.confirmed or row.what == "withdrawn")]
    last = timeline[-1] if timeline else None
    is_withdrawn = last is not None and last.what == "withdrawn" and last.severity == 0
    if not timeline:  # the record is all there is; its value belongs to its last change only if there was one
        return Told(record.value if record.n == 1 and record.confirmed else None, record.changed_at)
    if not rows or rows[-1].what == "withdrawn":
        return Told(None, record.changed_at, is_withdrawn)
    return Told(rows[-1].value, rows[-1].at)


def value_of(
    record: AlertRecord,
    told: Told | None,
    properties: Mapping[str, Any] | None,
    city: City,
    language: str,
    now: int,
) -> Value:
    """Of an open alert about a station; nothing of one that ended or is about ourselves.

    Args:
        told: of its timeline, None when that is not known.
        properties: of the station as it is now, None when they are not known.
    """
    station = city.stations.get(record.station)
    if station is None or record.closed_at is not None or record.hazard in ABOUT_US:
        return NO_VALUE
    told = told_of(record, ()) if told is None else told
    words, kind = words_of(language), city.kinds[station.kind]
    number = "" if told.value is None else number_text(told.value, kind.decimals, language)
    present = _present(properties)
    then = ""
    if told.value is not None:
        time = clock_text(told.at, now, city, words.client)
        then = words.value_at.format(value=_measured(told.value, station, city, language), time=time)
    value = Value(then, "", station.id, number, kind.decimals)
    if present is not None and number_text(present[0], kind.decimals, language) != number:
        time = clock_text(present[1], now, city, words.client)
        measured = _measured(present[0], station, city, language)
        value = value._replace(now=words.client.present.format(value=measured, time=time))
    return _held(value, record, None if present is None else present[0], city, language, now)


def _present(properties: Mapping[str, Any] | None) -> tuple[float, int] | None:
    """Value and instant (ms) of what a station says now, None when it says nothing that can be relied on."""
    if properties is None or properties["value"] is None or chip_of(properties) not in _SPEAKS:
        return None
    return properties["value"], ms_of(properties["observed_at"])


def _measured(value: float, station: Station, city: City, language: str) -> str:
    kind = city.kinds[station.kind]
    return f"{number_text(value, kind.decimals, language)} {unit_text(kind.unit, words_of(language).client)}"


def _held(
    value: Value, record: AlertRecord, present: float | None, city: City, language: str, now: int
) -> Value:
    """Adds that a level's alert stands below its limit, because that has to last, where the ladder is known."""
    ladder = city.ladder_at(record.station, now) if record.cause == "level" else None
    limit = ladder.limits[record.severity - 1] if ladder is not None and record.severity else None
    if ladder is None or limit is None or not (ladder.deadband or ladder.hold_ms):
        return value
    words, station = words_of(language), city.stations[record.station]
    phrase = words.held if ladder.hold_ms else words.held_until
    held = phrase.format(
        limit=_measured(limit, station, city, language),
        edge=_measured(limit - ladder.deadband, station, city, language),
        minutes=number_text(ladder.hold_ms / 60_000, 0, language),
    )
    is_below = present is not None and ladder.severity_at(present) < record.severity
    return value._replace(held=held, limit=limit, strict=ladder.strict, is_held=is_below)
