"""What every board does: the one in memory that the tests use, and the one on a real database."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, insert

import alerts.store.service as repairs
from alerts.store import commands, tokens
from alerts.store.tables import alerts, transitions
from app.board import Board
from app.clock import VirtualClock
from app.database import create_tables, open_engine, unit_of_work
from ingest.store.embedded import EmbeddedStore
from ingest.store.latest import upsert_latest, upsert_scores
from pantau.city import City
from pantau.reading import Reading
from pantau.record import AlertRecord
from status.api import create_app
from status.board import AlertQuery, Answer
from tests.fakes_board import BoardInMemory, HealthInMemory
from tests.status.client import running
from tests.status.sample import DEPOK, KATULAMPA, MANGGARAI, NOW, alert, latest, sample_board

AnyBoard = BoardInMemory | Board


def fill(engine: Engine, sample: BoardInMemory) -> None:
    """Write everything that the sample holds into the tables."""
    with unit_of_work(engine) as connection:
        upsert_latest(connection, list(sample.latest.values()))
        upsert_scores(connection, sample.score_rows)
        put_alerts(engine, *sample.by_id.values(), connection=connection)
        for rows in sample.timelines.values():
            asked = [
                {**msgspec.structs.asdict(row), "why": msgspec.json.encode(row.why).decode()} for row in rows
            ]
            connection.execute(insert(transitions), asked)
        for station, out in sample.out.items():
            repairs.take_out(connection, station, since=out.since, by=out.by, note=out.note, pos=out.pos)
    EmbeddedStore(engine).write(sample.history)


def put_alerts(engine: Engine, *records: AlertRecord, connection: object = None) -> None:
    rows = [{**msgspec.structs.asdict(r), "areas": msgspec.json.encode(r.areas).decode()} for r in records]
    if connection is not None:
        connection.execute(insert(alerts), rows)  # type: ignore[attr-defined]
        return
    with unit_of_work(engine) as own:
        own.execute(insert(alerts), rows)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = open_engine(f"sqlite:///{tmp_path / 'pantau.db'}", durable=False)
    create_tables(found)
    yield found
    found.dispose()


@pytest.fixture(params=["memory", "sqlite"])
def board(request: pytest.FixtureRequest, city: City, engine: Engine) -> AnyBoard:
    sample = sample_board(city)
    if request.param == "memory":
        return sample
    fill(engine, sample)
    return Board(engine, city, VirtualClock(NOW), EmbeddedStore(engine))


def test_the_position_is_the_newest_change_of_any_table(board: AnyBoard) -> None:
    assert board.position() == 3


def test_latest_values_come_whole_or_from_a_change_on(board: AnyBoard) -> None:
    everything = board.latest_since(-1)
    katulampa = next(record for record in everything if record.station == KATULAMPA)
    assert katulampa == latest(KATULAMPA, 160, severity=2, rate=42.5, pos=1)
    assert board.latest_since(1) == []


def test_stations_under_repair_are_told_with_the_reason(board: AnyBoard) -> None:
    (out,) = board.out_of_service().values()
    assert (out.note, out.by, out.pos) == ("sensor diganti", "Sari", 2)


def test_alerts_are_listed_open_or_all_newest_first_in_pages(board: AnyBoard) -> None:
    active, _ = board.alerts(AlertQuery())
    everything, none = board.alerts(AlertQuery(active=False))
    assert {a.id for a in everything} - {a.id for a in active} == {"f" * 20}
    assert none is None
    raised = [a.raised_at for a in everything]
    assert raised == sorted(raised, reverse=True)
    seen: list[AlertRecord] = []
    cursor: str | None = ""
    while cursor is not None:
        page, cursor = board.alerts(AlertQuery(active=False, cursor=cursor, limit=4))
        seen += page
    assert sorted(a.id for a in seen) == sorted(a.id for a in everything)


def test_alerts_are_filtered(board: AnyBoard, city: City) -> None:
    assert [a.id for a in board.alerts(AlertQuery(hazard="density"))[0]] == ["d" * 20]
    area = city.warns[KATULAMPA][0]
    assert {a.station for a in board.alerts(AlertQuery(area=area))[0]} == {DEPOK, KATULAMPA}
    assert board.alerts(AlertQuery(since=NOW))[0] == []
    with pytest.raises(ValueError, match="cursor"):
        board.alerts(AlertQuery(cursor="nonsense"))


def test_one_alert_and_its_timeline(board: AnyBoard) -> None:
    found = board.alert("b" * 20)
    assert found is not None
    assert (found.station, found.severity) == (KATULAMPA, 2)
    assert [step.n for step in board.timeline("b" * 20)] == [1, 2, 3, 4]
    assert board.timeline("b" * 20)[0].why["limits"] == [80.0, 150.0, 200.0]
    assert board.alert("nothing") is None
    assert board.timeline("nothing") == []


def test_open_and_changed_alerts(board: AnyBoard) -> None:
    assert len(board.open_alerts()) == 5
    assert len(board.alerts_since(2)) == 6
    assert board.alerts_since(3) == []


def test_scores_and_history(board: AnyBoard) -> None:
    assert [score.detector for score in board.scores(KATULAMPA)] == ["isolation_forest"]
    assert board.scores(DEPOK) == []
    found = board.readings(KATULAMPA, "water_level", start=0, end=NOW, sensor=None, limit=5)
    assert [reading.value for reading in found] == [60, 61, 62, 63, 64]
    hours = board.downsampled(KATULAMPA, "water_level", start=0, end=NOW, every_ms=3_600_000, sensor="main")
    assert sum(bucket["count"] for bucket in hours) == 100


def test_a_command_waits_until_it_is_answered(board: AnyBoard, engine: Engine) -> None:
    if isinstance(board, BoardInMemory):
        board.pipeline = lambda _verb, _body: Answer(None, "")
    number = board.command("acknowledge", {"alert": "b" * 20}, "Sari")
    assert board.answer(number) == Answer(None, "")
    assert board.answer(number + 1) is None
    if isinstance(board, BoardInMemory):
        board.pipeline = lambda _verb, _body: Answer(False, "no")
    else:
        with unit_of_work(engine) as connection:
            assert commands.waiting(connection) == [(number, "acknowledge", {"alert": "b" * 20}, "Sari")]
            commands.answer(connection, number, ok=False, text="no", applied_at=NOW)
    assert board.answer(number) == Answer(False, "no")


def test_only_a_token_in_force_names_an_operator(board: AnyBoard, engine: Engine) -> None:
    token = "right"
    if not isinstance(board, BoardInMemory):
        with unit_of_work(engine) as connection:
            token = tokens.add(connection, "Sari", "operator", NOW)
    assert board.operator_of(token) == "Sari"
    assert board.operator_of("wrong") is None
    assert board.operator_of("") is None


def test_an_impaired_peer_is_told(city: City, engine: Engine) -> None:
    put_alerts(engine, alert("s", "", 1, hazard="system", cause="", scope="system:influxdb"))
    board = Board(engine, city, VirtualClock(NOW), EmbeddedStore(engine))
    assert board.peers() == {"influxdb": "impaired since 2014-01-29T21:50:00+07:00"}


def test_an_empty_database_is_a_page_of_stations_that_never_reported(city: City, engine: Engine) -> None:
    board = Board(engine, city, VirtualClock(NOW), EmbeddedStore(engine))
    assert board.position() == 0
    with running(create_app(board, city, VirtualClock(NOW), HealthInMemory(), exercise=False)) as client:
        states = {f["properties"]["state"] for f in client.get("/api/v1/stations").json()["features"]}
        assert states == {"never_reported"}
        assert client.get("/id").status_code == 200


def test_the_whole_site_runs_on_a_real_database(city: City, engine: Engine) -> None:
    fill(engine, sample_board(city))
    board = Board(engine, city, VirtualClock(NOW), EmbeddedStore(engine))
    with running(create_app(board, city, VirtualClock(NOW), HealthInMemory(), exercise=False)) as client:
        assert client.get("/id").text == client.get("/id").text
        assert "Siaga 2 · Siaga" in client.get("/id").text
        assert client.get(f"/api/v1/stations/{KATULAMPA}/readings?format=csv").text.count("\r\n") == 101
        assert client.get("/api/v1/alerts/" + "b" * 20).json()["why"]
        refused = client.post(f"/api/v1/alerts/{'b' * 20}/close", headers={"Authorization": "Bearer x"})
        assert refused.status_code == 401


def test_pages_never_wait_for_the_pipelines_transaction(city: City, engine: Engine) -> None:
    board = Board(engine, city, VirtualClock(NOW), EmbeddedStore(engine))
    with unit_of_work(engine) as connection:
        upsert_latest(connection, [latest(MANGGARAI, 700, pos=9)])
        assert board.position() == 0
        assert board.latest_since(-1) == []
    assert board.position() == 9


def test_history_that_is_late_is_stored_and_read(city: City, engine: Engine) -> None:
    store = EmbeddedStore(engine)
    store.write([Reading(DEPOK, "water_level", 1.0, NOW - 5, NOW, flag=1)])
    board = Board(engine, city, VirtualClock(NOW), store)
    assert len(board.readings(DEPOK, "water_level", start=NOW - 5, end=NOW, sensor="main", limit=10)) == 1
