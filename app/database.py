"""The one door to the database: opens engines, brings the schema up to date, begins units of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool

import alerts.store.tables
import ingest.store.tables
from ingest.store.upsert import upsert

__all__ = ["METADATA", "create_tables", "exchange_note", "migrate", "open_engine", "unit_of_work"]

METADATA = [ingest.store.tables.metadata, alerts.store.tables.metadata]
_BUSY_MS = 10_000


def open_engine(url: str, *, durable: bool = True) -> Engine:
    """An engine for ``url``; SQLite in WAL mode with a busy timeout, its transactions begun as writers.

    Args:
        url: ``sqlite://`` (memory, one connection), ``sqlite:///file`` or ``postgresql+psycopg://...``.
        durable: fsync at each commit; False only where the file is thrown away afterwards (backtest).
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, pool_size=10)
    in_memory = parsed.database in {None, "", ":memory:"}
    if not in_memory:
        Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
    pool: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {"pool_size": 20}
    engine = create_engine(parsed, connect_args={"check_same_thread": False}, **pool)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's own BEGIN below, not the driver's late one
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'OFF'}")
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def unit_of_work(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back on any exception."""
    with engine.begin() as connection:
        yield connection


def exchange_note(engine: Engine, name: str, text: str) -> str:
    """Leave a note for the next run and return what the former one left, empty when there was none."""
    table = ingest.store.tables.notes
    with unit_of_work(engine) as connection:
        former = connection.execute(select(table.c.text).where(table.c.name == name)).scalar()
        connection.execute(upsert(connection.dialect.name, table), {"name": name, "text": text})
    return former or ""


def create_tables(engine: Engine) -> None:
    """All tables at once, for a database that is thrown away afterwards."""
    for metadata in METADATA:
        metadata.create_all(engine)


def migrate(engine: Engine) -> None:
    """Bring the schema to this version's (Alembic); safe to call at every start."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
