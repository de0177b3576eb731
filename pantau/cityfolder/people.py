"""recipients.csv and calendar.csv -> who is told of what, and the days that are not ordinary."""

import re
from collections.abc import Collection
from datetime import date

from pantau.city import Area, Recipient
from pantau.cityfolder.cells import Row
from pantau.cityfolder.settings import Settings
from pantau.cityfolder.tables import SCHEMAS, Table
from pantau.cityfolder.toml import Toml
from pantau.station import HAZARDS

__all__ = ["AUDIENCES", "check_last_resort", "read_calendar", "read_recipients"]

AUDIENCES = ("operators", "command", "public")
"""Operators are told unconfirmed alerts as well; command and public only confirmed ones."""
_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_MAIL = re.compile(r"[^\s@;,<>\"]+@[^\s@;,<>\"]+\.[A-Za-z]{2,}")
# A number as people write it: it begins with +, 0, (0 or 62 and has nine digits or more. Dates (2020-01-13), codes of
# areas (31.74.09.1002) and numbers inside addresses of news pages do not look like that.
_PHONE = re.compile(r"(?<![\w./:-])(?:\+|\(?0|62(?=[ 8]))[0-9](?:[ ().-]{0,2}[0-9]){7,14}(?![\w/])")


def read_recipients(
    table: Table,
    areas: dict[str, Area],
    codes: Collection[str] | None,
    settings: Settings,
    channels: Collection[str] | None,
) -> tuple[Recipient, ...]:
    """Roles in the file's order.

    Args:
        areas: to name kecamatan and cities by.
        codes: known codes, None when areas.csv could not be read.
        channels: names of the channels, None when nobody here knows them.
    """
    places = (
        None
        if codes is None
        else {*codes, *(name for area in areas.values() for name in (area.kecamatan, area.city))}
    )
    found: dict[str, Recipient] = {}
    for row in table.rows:
        recipient = _recipient(row, places, settings, channels)
        if recipient.role in found:
            row.wrong("role", "a role that no other row has", "join the two rows or choose another word")
        found[recipient.role] = recipient
    return tuple(found.values())


def check_last_resort(toml: Toml, settings: Settings, roles: Collection[str] | None) -> None:
    """Note a last resort that is nobody."""
    if settings.last_resort and roles is not None and settings.last_resort not in roles:
        toml.wrong("last_resort", f"a role of recipients.csv: {', '.join(sorted(roles)) or 'it has none'}")


def read_calendar(table: Table) -> dict[date, str]:
    """Days with their names."""
    days: dict[date, str] = {}
    for row in table.rows:
        day, name = row.day("date", required=True), row.required("name", "the day's name")
        if day in days:
            row.wrong("date", "a day that no other row has", "join the names in one row")
        elif day is not None:
            days[day] = name
    return days


def _recipient(
    row: Row, places: Collection[str] | None, settings: Settings, channels: Collection[str] | None
) -> Recipient:
    _note_addresses(row)
    areas = row.words("areas")
    for area in areas:
        row.refer("areas", area, places, "areas.csv as code, kecamatan or city")
    hazards = row.words("hazards")
    for hazard in hazards:
        if hazard not in HAZARDS:
            row.says(
                f"hazards holds {hazard!r}, expected some of {', '.join(HAZARDS)}, or blank for all; correct it"
            )
    severity = row.number("min_severity", "1, 2 or 3", low=1, high=3)
    if severity is not None and severity != int(severity):
        row.wrong("min_severity", "1, 2 or 3")
    default = settings.languages[0] if settings.languages else "id"
    language = row.text("language") or default
    if settings.readable and settings.languages and language not in settings.languages:
        row.wrong("language", f"one of the city's languages: {', '.join(settings.languages)}")
    return Recipient(
        role=row.name("role", "a role's name"),
        audience=row.word("audience", AUDIENCES),
        channels=_channels(row, channels),
        hazards=hazards,
        min_severity=1 if severity is None else int(severity),
        areas=areas,
        language=language,
        source=row.text("source"),
    )


def _channels(row: Row, known: Collection[str] | None) -> tuple[str, ...]:
    channels = row.words("channels")
    if not channels:
        row.wrong("channels", "at least one channel", "name it; a role without one hears nothing")
    for channel in channels:
        if not _CHANNEL.fullmatch(channel):
            row.says(
                f"channels holds {channel!r:.80}, expected names of channels such as webhook; correct it"
            )
        elif known is not None and channel not in known:
            row.says(f"channels holds {channel!r}, expected some of {', '.join(sorted(known))}; correct it")
    return channels


def _note_addresses(row: Row) -> None:
    """Addresses and telephone numbers are personal data and must not come into git."""
    for column in SCHEMAS["recipients.csv"].columns:
        text = row.text(column)
        for what, pattern in (("an e-mail address", _MAIL), ("a telephone number", _PHONE)):
            if pattern.search(text):
                row.says(
                    f"{column} holds {what}, expected roles only; remove it: contacts live in the database"
                )
