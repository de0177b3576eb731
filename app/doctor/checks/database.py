"""The database: can it be written, is its schema ours, do journal readers keep up."""

from collections.abc import Iterator
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, insert, inspect, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

import app.migrations
from app.database import file_of, file_problem, open_engine
from app.doctor.finding import Context, Finding
from app.journal import cursor
from ingest.store.tables import journal, notes

__all__ = ["backlog", "look"]

_MUCH = 300_000
"""Readings that wait: a minute at full load; the service needs some minutes for them once the peer is back."""


def look(context: Context) -> Iterator[Finding]:
    """State of the database; one that is not there yet is not made."""
    url = make_url(context.settings.database_url)
    name = url.render_as_string(hide_password=True)
    file = file_of(context.settings.database_url)
    if file is not None and (problem := file_problem(file, context.settings.data)):
        yield Finding("error", problem)
        return
    if file is not None and not file.exists():
        yield Finding("note", f"{name} is not there yet: `pantau run` makes it")
        return
    engine = open_engine(context.settings.database_url)
    try:
        with engine.connect() as connection:
            transaction = connection.begin()
            yield from _schema(connection, name)
            if inspect(connection).has_table("notes"):
                connection.execute(insert(notes), {"name": "doctor", "text": "taken back at once"})
                yield Finding("ok", f"{name} can be written")
                yield from backlog(connection)
            transaction.rollback()
        yield from _mode(engine)
    except SQLAlchemyError as error:
        yield Finding(
            "error", f"{name}: {getattr(error, 'orig', None) or error}", "see the database's own log"
        )
    finally:
        engine.dispose()


def backlog(connection: Connection) -> Iterator[Finding]:
    """Readings of the journal that its readers have still to take."""
    for name, word in (("store", "the store (InfluxDB)"), ("slow", "the slow lane")):
        after = journal.c.pos > cursor(connection, name)
        rows, readings = connection.execute(
            select(func.count(), func.coalesce(func.sum(journal.c.readings), 0)).where(after)
        ).one()
        text = f"{readings} readings in {rows} batches wait for {word}"
        if readings > _MUCH:
            yield Finding("warning", text, "is it away (check influxdb, service), or too slow for this load?")
        else:
            yield Finding("ok", text)


def _schema(connection: Connection, name: str) -> Iterator[Finding]:
    config = Config()
    config.set_main_option("script_location", str(Path(app.migrations.__file__).parent))
    wanted = ScriptDirectory.from_config(config).get_current_head()
    found = MigrationContext.configure(connection).get_current_revision()
    if found == wanted:
        yield Finding("ok", f"{name} has this version's schema ({wanted})")
    elif found is None:
        yield Finding("note", f"{name} has no tables yet: `pantau run` makes them")
    else:
        advice = "restart ingest: it brings the schema up to date; a newer one needs a newer program"
        yield Finding("warning", f"{name} has schema {found}, this program's is {wanted}", advice)


def _mode(engine: Engine) -> Iterator[Finding]:
    if engine.dialect.name != "sqlite":
        return
    with engine.connect().execution_options(reading=True) as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    if mode == "wal":
        yield Finding("ok", "SQLite keeps a write-ahead log")
    else:
        advice = "put the file on a local disk: readers and the writer block each other now"
        yield Finding("error", f"SQLite's journal mode is {mode}, expected wal", advice)
