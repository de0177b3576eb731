"""Whether every role is reached: an alert that nobody is told of is the worst that a good installation can do."""

from collections.abc import Iterator

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from alerts.store import contacts
from app.database import file_of, open_engine
from app.doctor.finding import Context, Finding
from app.settings import Settings
from pantau.city import City

__all__ = ["judged", "look"]


def look(context: Context) -> Iterator[Finding]:
    """Roles and channels of ``recipients.csv`` without a contact in the database."""
    if context.city is None:
        yield Finding("note", "the city is wrong: not checked")
        return
    reached = _reached(context.settings)
    if reached is None:
        yield Finding("note", "the database cannot be read yet (check database): not checked")
        return
    yield from judged(context.city, reached)


def judged(city: City, reached: set[tuple[str, str]]) -> Iterator[Finding]:
    """What it means that these (role, channel) have a contact."""
    wanted = {(one.role, channel): None for one in city.recipients for channel in one.channels}
    last = city.last_resort
    if last and last not in {role for role, _ in reached}:
        text = f"{last}, told when nobody else could be reached (last_resort), has no contact"
        yield Finding("error", text, f"pantau contact add {last} CHANNEL ADDRESS")
    missing = [pair for pair in wanted if pair not in reached]
    for role, channel in missing:
        text = f"{role} has no contact for {channel}: nothing is sent there"
        yield Finding("warning", text, f"pantau contact add {role} {channel} ADDRESS")
    if wanted and not missing:
        yield Finding("ok", f"all {len(wanted)} pairs of role and channel have a contact")
    if not wanted:
        yield Finding(
            "note", "the city's recipients.csv names nobody: alerts are on the page and the topics only"
        )


def _reached(settings: Settings) -> set[tuple[str, str]] | None:
    """(role, channel) of the contacts in force; None where there is no database to ask."""
    file = file_of(settings.database_url)
    if file is not None and not file.exists():
        return None
    engine = open_engine(settings.database_url, settings.data)
    try:
        with engine.connect().execution_options(reading=True) as connection:
            if not inspect(connection).has_table("contacts"):
                return None
            return {(one.role, one.channel) for one in contacts.listing(connection) if one.revoked_at is None}
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()
