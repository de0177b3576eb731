"""A station that never reported although readings arrive: the doctor finds the clock that is ahead."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from app.board import Board
from app.cli import make_cli
from app.doctor.checks.future import ahead
from ingest.store.embedded import EmbeddedStore
from pantau.reading import Reading
from status.clocks import Clocks
from status.watch import Watch
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading

NOW = T0 + 600 * MIN


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = fresh_database(tmp_path / "a.db")
    yield engine
    engine.dispose()


def sent(station: str, *, by: int, at: int = NOW) -> Reading:
    """A reading that came at ``at`` and says that it was observed ``by`` later, ms."""
    return Reading(station, "water_level", 100.0, at + by, at, flag=3)


@pytest.mark.parametrize(("by", "status"), [(120_000, "ok"), (120_001, "warning"), (15 * MIN, "warning")])
def test_a_clock_is_ahead_when_its_readings_came_more_than_two_minutes_before_their_time(
    engine: Engine, by: int, status: str
) -> None:
    store = EmbeddedStore(engine)
    store.write([sent("awan-1", by=by), sent("batu-1", by=0)])
    (found,) = ahead(store, CITY, NOW + 60 * MIN)
    assert found.status == status
    assert "batu-1" not in found.text
    if status == "warning":
        assert f"awan-1 ({CITY.stations['awan-1'].name}, {by / MIN:.0f} min)" in found.text
        assert "NTP" in found.do


def test_a_clock_that_was_set_right_a_day_ago_is_not_told(engine: Engine) -> None:
    store = EmbeddedStore(engine)
    store.write([sent("awan-1", by=15 * MIN, at=NOW - 30 * 60 * MIN), sent("awan-1", by=0)])
    assert [one.status for one in ahead(store, CITY, NOW)] == ["ok"]


def test_the_page_finds_what_the_doctor_finds_from_the_message_to_the_sentence(engine: Engine) -> None:
    service = VirtualService(engine)
    service.process(reading("awan-1", 100, T0 + 15 * MIN, received_at=T0), reading("batu-1", 100, T0))
    while service.forwarder.turn():
        pass
    store = EmbeddedStore(engine)
    board = Board(engine, CITY, service.clock, store)
    watch = Watch(board, CITY, service.clock, exercise=True, report=print)
    watch.stations.refresh(T0)
    clocks = Clocks(board, CITY, service.clock, watch, print)
    clocks.turn()
    assert clocks.ahead == {"awan-1": 15 * MIN}
    (found,) = ahead(store, CITY, T0)
    assert "awan-1" in found.text
    service.clock.set(T0 + 10 * MIN)
    service.read("awan-1", 101)
    watch.stations.refresh(service.clock.now())
    assert clocks.look_at(CITY.stations["awan-1"]) == 0, "its clock was set right"


def test_the_command_asks_the_database_of_the_settings(engine: Engine, tmp_path: Path) -> None:
    EmbeddedStore(engine).write([sent("awan-1", by=15 * MIN)])
    env = {"PANTAU_CITY": "cities/contoh", "PANTAU_DATABASE_URL": str(engine.url),
           "PANTAU_CLOCK": "2026-01-01T11:00:00Z,1"}  # fmt: skip
    done = CliRunner().invoke(make_cli(), ["doctor", "--only", "future"], env=env)
    assert done.exit_code == 1
    assert "awan-1" in done.stdout
    none = env | {"PANTAU_DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}
    assert CliRunner().invoke(make_cli(), ["doctor", "--only", "future"], env=none).exit_code == 0
