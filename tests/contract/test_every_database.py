"""The whole unit of work gives the same rows on SQLite and PostgreSQL, and both undo all of it when a part fails."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from alerts.store import commands as command_store
from app.database import migrate, open_engine, unit_of_work
from app.followers import prune
from ingest.decode import Refused
from ingest.format import Message
from ingest.store.formats import load_format_states, save_format_states
from pantau.event import Command, Score
from tests.peers import Postgres, postgres
from tests.virtual_service import MIN, VirtualService, reading, table_rows

STATIONS = ("awan-1", "awan-2", "batu-1", "square")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'pantau.db'}"
    else:
        running: Postgres = request.getfixturevalue("server")
        url = running.new_database()
    engine = open_engine(url)
    migrate(engine)
    yield engine
    engine.dispose()


def work(engine: Engine, *, restarts: bool = False) -> dict[str, list[tuple[Any, ...]]]:
    """Floods, crowds, duplicates, conflicts, refusals, commands and outages; the rows it ends with."""
    rng = random.Random(5)
    service = VirtualService(engine)
    service.pipeline.listening_since = service.clock.now()
    for number in range(60):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.snapshot(now=number % 7 == 0)
        now = service.clock.now()
        level = 90 + 80 * ((number // 6) % 4)
        batch = [reading(station, level + rng.choice((0.0, 0.25, 1.5)), now) for station in STATIONS]
        batch += [reading("awan-1", level + 300.5, now, sensor="b")] if number % 11 == 3 else []
        batch += (
            [reading("awan-1", rng.choice((7.5, 8.5)), now - 10 * MIN), batch[0]] if number % 5 == 0 else []
        )
        refused = Refused(Message("t", bytes([number, 0, 255]), now), "bad_json", "ünreadable 🌊")
        service.process(
            *batch, refused=[refused], commands=asked(service, number, now), scores=scores(number, now)
        )
        service.turn_slow(save=number % 9 == 0)
        service.forwarder.turn()
        if restarts and number % 8 == 5:
            prune(engine)
            since, log = service.pipeline.listening_since, service.log
            service = VirtualService(engine, at=now)
            service.pipeline.listening_since, service.log = since, log
    return table_rows(engine, without=["pos"])  # a restart may cut the slow lane's batches in another way


def asked(service: VirtualService, number: int, now: int) -> list[Command]:
    verbs = {10: "acknowledge", 20: "out_of_service", 30: "in_service", 40: "close", 45: "shelve"}
    if number not in verbs:
        return []
    with unit_of_work(service.engine) as connection:
        id_ = command_store.ask(connection, verbs[number], {"note": "ä"}, "sari", now)
    alert = next((t.alert for t in reversed(service.log) if t.severity > 0), "")
    station = "batu-1" if "service" in verbs[number] else ""
    return [
        Command(
            id_, verbs[number], "sari", alert="" if station else alert, station=station, until=now + 25 * MIN
        )
    ]


def scores(number: int, now: int) -> list[Score]:
    if number % 10 not in {4, 6}:
        return []
    return [Score("system:influxdb", "influxdb", "peer", "1", now, float(number % 10 == 4), "away or not")]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'pantau.db'}", durable=False)
    migrate(engine)
    rows = work(engine)
    engine.dispose()
    return rows


def test_the_same_inputs_give_the_same_rows_in_every_table(
    engine: Engine, expected: dict[str, list[tuple[Any, ...]]]
) -> None:
    found = work(engine)
    assert {name for name, rows in found.items() if not rows} <= {
        "contacts",
        "format_states",
        "sequences",
        "tokens",
        "notes",
        "out_of_service",
    }
    for name, rows in expected.items():
        assert found[name] == rows, name


def test_restarts_and_pruning_in_between_change_no_row_that_anybody_reads(
    engine: Engine, expected: dict[str, list[tuple[Any, ...]]]
) -> None:
    found = work(engine, restarts=True)
    for name in (
        "latest",
        "readings",
        "alerts",
        "transitions",
        "outbox",
        "conflicts",
        "commands",
        "out_of_service",
    ):
        assert found[name] == expected[name], name


def test_what_formats_remember_is_replaced_part_by_part_and_forgotten_when_empty(engine: Engine) -> None:
    with unit_of_work(engine) as connection:
        save_format_states(connection, {"sparkplug_b a/#\tx": b"\x00\xff", "sparkplug_b a/#\ty": b"1"})
    with unit_of_work(engine) as connection:
        save_format_states(connection, {"sparkplug_b a/#\tx": b"2", "sparkplug_b a/#\ty": b"", "z": b""})
        save_format_states(connection, {})
    with engine.connect() as connection:
        assert load_format_states(connection) == {"sparkplug_b a/#\tx": b"2"}


def test_a_batch_that_fails_is_undone_whole(engine: Engine) -> None:
    service = VirtualService(engine)
    for _ in range(3):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.read("awan-1", 20)
    before, states = table_rows(engine), service.states()
    service.clock.set(service.clock.now() + 10 * MIN)
    with unit_of_work(engine) as connection:
        connection.execute(text("ALTER TABLE outbox RENAME TO elsewhere"))
    with pytest.raises(DBAPIError):
        service.read("awan-1", 225)
    with unit_of_work(engine) as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO outbox"))
    assert (table_rows(engine), service.states()) == (before, states)
    service.read("awan-1", 225)
    assert len(table_rows(engine, "outbox")["outbox"]) > 0
