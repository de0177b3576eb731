"""The one database: migrations give the schema of the tables, on SQLite and on PostgreSQL."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, MetaData, event, inspect, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from app import migrations
from app.database import METADATA, create_tables, exchange_note, migrate, open_engine, unit_of_work
from ingest.store.tables import cursors
from tests.peers import Postgres, postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'pantau.db'}"
    server: Postgres = request.getfixturevalue("server")
    return server.new_database()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def together() -> MetaData:
    whole = MetaData()
    for metadata in METADATA:
        for table in metadata.tables.values():
            table.to_metadata(whole)
    return whole


def test_the_migrations_give_what_the_tables_say(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), together()) == []


def test_indexes_and_their_conditions_are_those_of_the_tables(engine: Engine, url: str) -> None:
    """What ``compare_metadata`` does not look at: unique indexes with a condition."""
    migrate(engine)
    with engine.begin() as connection:
        row = "('{}', 'flood', 'level', 's', 's', '[]', 'normal', 0, true, 0, 0, false, 1, 1, {}, 1, 1)"
        insert = text(
            "INSERT INTO alerts (id, hazard, cause, scope, station, areas, state, severity, confirmed,"
            " confirmed_severity, worst, forecast, raised_at, changed_at, closed_at, n, pos) VALUES "
            + ", ".join(row.format(*pair) for pair in (("a", "5"), ("b", "6"), ("c", "NULL")))
        )
        connection.execute(insert)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(text(str(insert).partition(" VALUES ")[0] + " VALUES " + row.format("d", "NULL")))


def test_migrating_twice_is_harmless(engine: Engine) -> None:
    migrate(engine)
    with unit_of_work(engine) as connection:
        connection.execute(cursors.insert(), {"name": "store", "pos": 7})
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(select(cursors.c.pos)).scalar() == 7


def test_the_newest_file_of_the_migrations_is_the_one_that_alembic_ends_with() -> None:
    """A start compares the database with its name alone."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    newest = max(file.name for file in (Path(migrations.__file__).parent / "versions").glob("[0-9]*.py"))
    assert ScriptDirectory.from_config(config).get_heads() == [newest.partition("_")[0]]


def test_a_database_of_another_version_is_not_taken_for_a_current_one(engine: Engine) -> None:
    migrate(engine)
    with unit_of_work(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CommandError, match="9999"):
        migrate(engine)


def test_a_note_that_says_the_same_is_not_written_again(engine: Engine) -> None:
    migrate(engine)
    assert [exchange_note(engine, "filters", text) for text in ("a", "a", "b")] == ["", "a", "a"]
    writers: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        writers.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    assert exchange_note(engine, "filters", "b") == "b"
    assert not [statement for statement in writers if statement.startswith(("BEGIN IMMEDIATE", "INSERT"))]


def test_tables_made_at_once_are_the_migrated_ones(tmp_path: Path) -> None:
    first, second = open_engine("sqlite://"), open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    create_tables(first)
    migrate(second)
    made, migrated = set(inspect(first).get_table_names()), set(inspect(second).get_table_names())
    assert migrated - made == {"alembic_version"}
    assert made <= migrated
    second.dispose()


def test_a_unit_of_work_that_fails_leaves_nothing(engine: Engine) -> None:
    migrate(engine)

    def fail() -> None:
        with unit_of_work(engine) as connection:
            connection.execute(cursors.insert(), {"name": "store", "pos": 7})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with engine.connect() as connection:
        assert connection.execute(select(cursors)).all() == []


def test_a_journal_position_is_never_used_twice(engine: Engine) -> None:
    migrate(engine)
    seen = []
    for _ in range(3):
        with unit_of_work(engine) as connection:
            query = "INSERT INTO journal (now, readings, body) VALUES (1, 1, :body) RETURNING pos"
            seen.append(connection.execute(text(query), {"body": b""}).scalar())
            connection.execute(text("DELETE FROM journal"))
    assert len(set(seen)) == 3


def test_sqlite_is_durable_waits_for_others_and_lets_readers_pass(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'pantau.db'}")
    create_tables(engine)
    with engine.connect() as connection:
        pragmas = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                   for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")}  # fmt: skip
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "foreign_keys": 1}
    waited = []

    def write() -> None:
        began = time.monotonic()
        with unit_of_work(engine) as connection:
            connection.execute(cursors.insert(), {"name": "second", "pos": 2})
        waited.append(time.monotonic() - began)

    with unit_of_work(engine) as connection:
        connection.execute(cursors.insert(), {"name": "first", "pos": 1})
        other = threading.Thread(target=write)
        other.start()
        with engine.connect().execution_options(reading=True) as reader:  # would wait ten seconds as a writer
            assert reader.execute(select(cursors)).all() == []
        time.sleep(0.2)
    other.join()
    assert 0.1 < waited[0] < 5
    with engine.connect().execution_options(reading=True) as reader:
        assert len(reader.execute(select(cursors)).all()) == 2
    engine.dispose()


def waited_for(connection: Connection) -> str:
    """What the commit of the transaction in which this is asked waits for."""
    if connection.dialect.name == "postgresql":
        return {"on": "disk", "off": "nothing"}[
            str(connection.execute(text("SHOW synchronous_commit")).scalar())
        ]
    return {2: "disk", 1: "nothing", 0: "never"}[connection.execute(text("PRAGMA synchronous")).scalar() or 0]


def test_only_what_would_be_done_again_does_not_wait_for_the_disk(engine: Engine) -> None:
    """One connection after the other way round: SQLite's setting stays with the connection, and this pool has one."""
    found = []
    for repeatable in (False, True, True, False, True, False):
        with unit_of_work(engine, repeatable=repeatable) as connection:
            found.append(waited_for(connection))
    with engine.begin() as connection:
        found.append(waited_for(connection))
    assert found == ["disk", "nothing", "nothing", "disk", "nothing", "disk", "disk"]


def test_a_repeatable_transaction_is_seen_by_others_and_fails_whole(engine: Engine) -> None:
    migrate(engine)
    with unit_of_work(engine, repeatable=True) as connection:
        connection.execute(cursors.insert().values(name="store", pos=7))
    with engine.connect() as connection:
        assert connection.execute(select(cursors.c.pos)).scalar() == 7
    with pytest.raises(IntegrityError), unit_of_work(engine, repeatable=True) as connection:
        connection.execute(cursors.insert(), [{"name": "public", "pos": 1}, {"name": "store", "pos": 8}])
    with unit_of_work(engine) as connection:
        assert waited_for(connection) == "disk"
        assert connection.execute(select(cursors.c.name, cursors.c.pos)).all() == [("store", 7)]


def test_a_file_that_is_thrown_away_is_waited_for_in_no_transaction(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'thrown.db'}", durable=False)
    for repeatable in (True, False):
        with unit_of_work(engine, repeatable=repeatable) as connection:
            assert waited_for(connection) == "never"
    engine.dispose()


def test_writers_of_one_process_queue_and_none_is_locked_out_by_one_that_failed(tmp_path: Path) -> None:
    """A writer that raises, one whose connection is dropped without a word, and many that wait: all get their turn."""
    engine = open_engine(f"sqlite:///{tmp_path / 'turns.db'}", durable=False)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (n INTEGER)")
    with pytest.raises(OperationalError), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO no_such_table VALUES (1)")
    dropped = engine.connect()
    dropped.exec_driver_sql("INSERT INTO t VALUES (2)")
    dropped.close()

    def write(number: int) -> None:
        for _ in range(20):
            with engine.begin() as connection:
                connection.exec_driver_sql("INSERT INTO t VALUES (?)", (number,))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with engine.connect().execution_options(reading=True) as connection:
        assert connection.exec_driver_sql("SELECT count(*), min(n) FROM t").one() == (120, 10)
    engine.dispose()
