"""Devices whose clock is ahead: readings of the last day that came more than two minutes before their own time.

Such a reading is stored and never live, so a station that sends nothing else never reported, or is stale; its page says
why (``status.clocks``).
"""

from collections.abc import Iterator

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from app.database import file_of, open_engine
from app.doctor.finding import Context, Finding
from app.wiring import open_store
from pantau.city import FAR_FUTURE, City
from pantau.ports import ReadingStore
from pantau.quality import ahead_of_time

__all__ = ["ahead", "look"]

_DAY_MS = 86_400_000
_MOST_STATIONS = 1_000
"""One query a station: about a second for so many."""
_MOST_READINGS = 2_000
_SHOWN = 10


def look(context: Context) -> Iterator[Finding]:
    """Stations whose stored readings say that a clock is ahead."""
    file = file_of(context.settings.database_url)
    if context.city is None or (file is not None and not file.exists()):
        yield Finding("note", "no city or no database to look for readings of")
        return
    engine = open_engine(context.settings.database_url)
    try:
        if not inspect(engine).has_table("readings"):
            yield Finding("note", "there are no readings yet")
            return
        store = open_store(context.settings, engine, context.city)
        yield from ahead(store, context.city, context.settings.clock.now())
    except SQLAlchemyError as error:
        yield Finding("error", str(getattr(error, "orig", None) or error), "see the check database")
    finally:
        engine.dispose()


def ahead(store: ReadingStore, city: City, now: int) -> Iterator[Finding]:
    """Stations that sent readings from the future within a day before ``now`` (ms), with by how much at most.

    Raises:
        Unavailable: the store does not answer.
    """
    found: list[str] = []
    for station in list(city.stations.values())[:_MOST_STATIONS]:
        page = store.read(station.id, station.kind, start=now - _DAY_MS, end=FAR_FUTURE, limit=_MOST_READINGS)
        by = ahead_of_time(page)
        if by:
            found.append(f"{station.id} ({station.name}, {by / 60_000:.0f} min)")
    if found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        yield Finding(
            "warning",
            f"readings of the last day came from the future, and were never live: {', '.join(found[:_SHOWN])}{more}",
            "set the clocks of these devices (NTP), or our own if it is all of them (check clock)",
        )
    else:
        yield Finding("ok", "no reading of the last day came from the future")
    if len(city.stations) > _MOST_STATIONS:
        yield Finding("note", f"looked at the first {_MOST_STATIONS} of {len(city.stations)} stations only")
