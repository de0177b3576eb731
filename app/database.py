"""The one door to the database: opens engines, brings the schema up to date, begins units of work."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import StaticPool

import alerts.store.tables
import ingest.store.tables
from ingest.store.upsert import upsert
from pantau.errors import ConfigError

__all__ = [
    "METADATA", "create_tables", "exchange_note", "file_of", "file_problem", "migrate", "open_engine",
    "unit_of_work",
]  # fmt: skip

_log = structlog.get_logger("pantau.database")

METADATA = [ingest.store.tables.metadata, alerts.store.tables.metadata]
_BUSY_MS = 10_000
_WRITES = "writes"
_LEVEL = "synchronous"


def open_engine(url: str, home: Path | None = None, *, durable: bool = True) -> Engine:
    """An engine for ``url``; SQLite in WAL mode with a busy timeout, its transactions begun as writers.

    Args:
        url: ``sqlite://`` (memory, one connection), ``sqlite:///file`` or ``postgresql+psycopg://...``.
        home: the one folder that may be made for a new file; any other that is missing is a disk that is not mounted.
        durable: fsync at each commit; False only where the file is thrown away afterwards (backtest).

    Raises:
        ConfigError: the file's folder is missing, or it cannot be written.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        server = create_engine(parsed, pool_pre_ping=True, pool_size=10)
        event.listen(server, "begin", _begin_on_server)
        return server
    file = file_of(url)
    if file is not None:
        _make_ready(file, home)
    pool: dict[str, Any] = {"poolclass": StaticPool} if file is None else {"pool_size": 20}
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

    _take_turns(engine, durable=durable)
    return engine


def _begin_on_server(connection: Connection) -> None:
    """PostgreSQL: a repeatable transaction does not wait for the disk."""
    if _is_repeatable(connection):
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")


def _is_repeatable(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("repeatable", False))


def _take_turns(engine: Engine, *, durable: bool) -> None:
    """Let this process's writers wait for each other in a queue, and only those wait for the disk that have to.

    SQLite has one writer at a time and lets the others sleep and try again, longer each time: an alert would wait for
    tens of milliseconds beside a lock that is free. Other processes are still met by its busy timeout.
    """
    turn = threading.Lock()

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("reading", False):
            connection.exec_driver_sql("BEGIN")
            return
        turn.acquire()
        try:
            if durable:
                _wait_for_disk(connection, "NORMAL" if _is_repeatable(connection) else "FULL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            turn.release()
            raise
        connection.info[_WRITES] = True

    def end(connection: Connection, word: str) -> None:
        """SQLAlchemy ends the transaction after this event; it has to be over before the next writer begins."""
        if connection.info.pop(_WRITES, False):
            try:
                connection.exec_driver_sql(word)
            finally:
                turn.release()

    def reset(_connection: Any, record: Any, _state: Any) -> None:
        """A connection that was dropped in the midst of a transaction: the pool rolls it back."""
        if record.info.pop(_WRITES, False):
            turn.release()

    event.listen(engine, "begin", begin)
    event.listen(engine, "commit", lambda connection: end(connection, "COMMIT"))
    event.listen(engine, "rollback", lambda connection: end(connection, "ROLLBACK"))
    event.listen(engine, "reset", reset)


def _wait_for_disk(connection: Connection, level: str) -> None:
    """Say what the commit of the next transaction waits for; SQLite keeps it for the connection, so do we."""
    if connection.info.get(_LEVEL, "FULL") != level:
        connection.exec_driver_sql(f"PRAGMA synchronous={level}")
        connection.info[_LEVEL] = level


def file_of(url: str) -> Path | None:
    """SQLite's file; None for a database in memory or on a server."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        return None
    return Path(str(parsed.database))


def file_problem(file: Path, home: Path | None = None) -> str:
    """What keeps SQLite from this file, and what to do; empty when nothing does. Makes nothing."""
    folder = file.absolute().parent
    if not _there(folder) and (home is None or folder != home.absolute()):
        return f"PANTAU_DATABASE_URL: folder {file.parent} does not exist; is its disk mounted?"
    nearest = next(path for path in (folder, *folder.parents) if _there(path))
    if nearest.is_dir() and os.access(nearest, os.W_OK) and (not _there(file) or os.access(file, os.W_OK)):
        return ""
    return f"{file} cannot be written: owner, rights, or a disk mounted read-only?"


def _there(path: Path) -> bool:
    return os.access(path, os.F_OK)  # unlike Path.exists no error where we may not look


def _make_ready(file: Path, home: Path | None) -> None:
    """See that the file is there; a new one is told, and is its owner's alone, as will be SQLite's files beside it."""
    if problem := file_problem(file, home):
        raise ConfigError(problem)
    if _there(file):
        return
    with suppress(FileExistsError):  # another process makes it now
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise
        except OSError as error:
            text = f"{file} cannot be written ({error.strerror}): owner, rights, or a disk mounted read-only?"
            raise ConfigError(text) from error
        _log.warning("new database made", file=str(file))


@contextmanager
def unit_of_work(engine: Engine, *, repeatable: bool = False) -> Iterator[Connection]:
    """One transaction: committed at the end, rolled back on any exception.

    Args:
        engine: from ``open_engine``.
        repeatable: what is written may be lost in a power cut, with everything committed after it, because it would
            only be done again: its commit waits for no disk. The next one that does makes it durable too, and the end
            of this process costs nothing. The same as ``engine.execution_options(repeatable=True)``.
    """
    with engine.execution_options(repeatable=repeatable).begin() as connection:
        yield connection


def exchange_note(engine: Engine, name: str, text: str) -> str:
    """Leave a note for the next run and return what the former one left, empty when there was none."""
    table = ingest.store.tables.notes
    with engine.connect().execution_options(reading=True) as connection:
        former = connection.execute(select(table.c.text).where(table.c.name == name)).scalar()
    if former != text:
        with unit_of_work(engine) as connection:
            connection.execute(upsert(connection.dialect.name, table), {"name": name, "text": text})
    return former or ""


def create_tables(engine: Engine) -> None:
    """All tables at once, for a database that is thrown away afterwards."""
    for metadata in METADATA:
        metadata.create_all(engine)


def migrate(engine: Engine) -> None:
    """Bring the schema to this version's (Alembic); safe to call at every start."""
    if _is_current(engine):
        return
    from alembic import command  # a start that has nothing to do need not wait for it
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _is_current(engine: Engine) -> bool:
    """Whether the newest of our migrations was the last to be applied."""
    newest = max(file.name for file in (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py"))
    with engine.connect().execution_options(reading=True) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        applied = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return applied == [newest.partition("_")[0]]
