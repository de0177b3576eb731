"""The journal is counted once, through restarts and failed commits, and what is shown is what was counted."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from app import journal
from app.board import Board
from app.cli import make_cli
from app.clock import VirtualClock
from app.database import unit_of_work
from app.journal import Row
from app.sequences import CURSOR, SequenceFollower
from ingest.store.embedded import EmbeddedStore
from ingest.store.sequences import load_sequences, numberings_of
from ingest.store.tables import sequences as table
from pantau.errors import ConfigError
from tests.virtual_service import CITY, MIN, T0, fresh_database, reading


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = fresh_database(tmp_path / "a.db")
    yield engine
    engine.dispose()


def write(engine: Engine, *seqs: int, station: str = "awan-1") -> None:
    """A batch a number."""
    with unit_of_work(engine) as connection:
        for seq in seqs:
            row = Row(readings=[reading(station, 1.0, T0 + seq * MIN, seq=seq)])
            journal.append(connection, T0, row)


def follow(engine: Engine, follower: SequenceFollower) -> None:
    with engine.connect() as connection:
        follower.note(journal.read(connection, 0))


def save(engine: Engine, follower: SequenceFollower, *, at_once: bool = True) -> None:
    with unit_of_work(engine) as connection:
        follower.save(connection, at_once=at_once)
    follower.saved()


def shown(engine: Engine, station: str = "awan-1") -> list[tuple[int, int, int]]:
    with engine.connect() as connection:
        return [(n.last_seq, n.received, n.missing) for n in numberings_of(connection, station)]


def restored(engine: Engine, upto: int | None = None) -> SequenceFollower:
    follower = SequenceFollower()
    with engine.connect() as connection:
        follower.restore(connection, upto)
    return follower


def test_a_batch_counts_once_however_often_it_is_brought(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1, 2, 5)
    follow(engine, follower)
    follow(engine, follower)
    save(engine, follower)
    assert shown(engine) == [(5, 3, 2)]
    assert shown(engine, "batu-1") == []


def test_a_restart_goes_on_where_the_last_save_was_and_counts_the_journal_since(engine: Engine) -> None:
    follower = restored(engine)
    write(engine, 1, 2, 5)
    follow(engine, follower)
    save(engine, follower)
    write(engine, 8, 9)
    follow(engine, follower)  # and killed before the next save
    again = restored(engine)
    assert again.pos == follower.pos == 5
    follow(engine, again)
    save(engine, again)
    assert shown(engine) == [(9, 5, 4)]


def test_a_restart_goes_no_further_than_it_is_told(engine: Engine) -> None:
    write(engine, 1, 2, 5, 8)
    follower = restored(engine, upto=3)
    assert follower.pos == 3
    follow(engine, follower)
    save(engine, follower)
    assert shown(engine) == [(8, 4, 4)]


def test_a_journal_of_many_pages_is_read_to_its_end(engine: Engine) -> None:
    write(engine, *range(450))
    assert restored(engine).pos == 450


def test_a_save_that_was_not_committed_is_made_again(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1, 4)
    follow(engine, follower)
    with engine.connect() as connection, connection.begin() as transaction:
        follower.save(connection)
        transaction.rollback()
    assert shown(engine) == []
    save(engine, follower)
    assert shown(engine) == [(4, 2, 2)]
    with engine.connect() as connection:
        assert journal.cursor(connection, CURSOR) == 2


def test_saving_costs_too_much_to_be_done_more_often_than_once_a_minute(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1, 4)
    follow(engine, follower)
    save(engine, follower, at_once=False)
    write(engine, 9)
    follow(engine, follower)
    save(engine, follower, at_once=False)
    assert shown(engine) == [(4, 2, 2)]
    with engine.connect() as connection:
        assert journal.cursor(connection, CURSOR) == 2
    again = restored(engine)
    save(engine, again, at_once=False)
    assert shown(engine) == [(9, 3, 6)]


def test_parts_that_did_not_change_are_not_written(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1)
    write(engine, 1, station="batu-1")
    follow(engine, follower)
    save(engine, follower)
    with unit_of_work(engine) as connection:
        connection.execute(table.delete())
    write(engine, 2, station="batu-1")
    follow(engine, follower)
    save(engine, follower)
    assert (shown(engine), shown(engine, "batu-1")) == ([], [(2, 2, 0)])


def test_a_part_that_cannot_be_read_is_counted_anew_and_is_no_failed_start(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1)
    write(engine, 1, station="batu-1")
    follow(engine, follower)
    save(engine, follower)
    with unit_of_work(engine) as connection:
        part = connection.execute(select(table.c.part).limit(1)).scalar_one()
        connection.execute(table.update().where(table.c.part == part).values(body=b"\xc1 of another time"))
    with engine.connect() as connection:
        assert len(load_sequences(connection)) == 1
        assert len(numberings_of(connection, "awan-1") + numberings_of(connection, "batu-1")) == 1


def gaps(engine: Engine, *arguments: str) -> list[str]:
    env = {"PANTAU_CITY": "cities/contoh", "PANTAU_DATABASE_URL": str(engine.url)}
    done = CliRunner().invoke(make_cli(), ["gaps", *arguments], env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0
    return done.stdout.splitlines()


def test_the_command_says_until_when_messages_are_counted(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1, 4)
    (total,) = gaps(engine)
    assert total.endswith("0 sensors number their messages; counted up to 2026-01-01T00:00:00.000Z, "
                          "the service saves once a minute")  # fmt: skip
    follow(engine, follower)
    save(engine, follower)
    assert gaps(engine)[-1].endswith("1 sensors number their messages; all that has come is counted")


def test_the_command_names_the_worst_first_and_leaves_out_who_lost_nothing(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1, 2, 4)
    write(engine, 1, 9, station="batu-1")
    write(engine, 1, 2, station="awan-2")
    follow(engine, follower)
    save(engine, follower)
    head, first, second, total = gaps(engine)
    assert head.split()[:4] == ["station", "sensor", "missing", "of"]
    assert first.split()[:5] == ["batu-1", "main", "7", "9", "77.8%"]
    assert second.split()[:5] == ["awan-1", "main", "1", "4", "25.0%"]
    assert total == (
        "8 messages missing, 0 restarts, 3 sensors number their messages; all that has come is counted"
    )
    assert len(gaps(engine, "--all", "--json")) == 3
    assert len(gaps(engine, "--limit", "1", "--json")) == 1
    assert json.loads(gaps(engine, "--station", "AWAN-1", "--json")[0]) == {
        "station": "awan-1", "sensor": "main", "last_seq": 4, "received": 3, "missing": 1, "resets": 0,
        "last_gap_at": "2026-01-01T00:04:00.000Z",
    }  # fmt: skip


def test_a_city_without_gaps_says_so_in_one_line(engine: Engine) -> None:
    assert gaps(engine) == [
        "0 messages missing, 0 restarts, 0 sensors number their messages; all that has come is counted"
    ]


def test_an_unknown_station_is_told_apart_from_one_without_gaps(engine: Engine) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        gaps(engine, "--station", "nowhere")


def test_the_board_shows_what_was_saved(engine: Engine) -> None:
    follower = SequenceFollower()
    write(engine, 1, 4)
    follow(engine, follower)
    save(engine, follower)
    board = Board(engine, CITY, VirtualClock(T0), EmbeddedStore(engine))
    assert board.devices("awan-1") == [("main", 4, 2, 0, T0 + 4 * MIN)]
    assert board.devices("batu-1") == []
