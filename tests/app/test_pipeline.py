"""The one transaction of a batch: all of it or nothing, and a restart at any point finds the same state."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from alerts.store import commands as command_store
from app import journal
from app.database import unit_of_work
from app.followers import prune
from app.pipeline import Inputs
from app.step import Fate
from ingest.decode import Refused
from ingest.format import Message
from ingest.store.latest import latest_since
from pantau.event import Command, Score, Told, Transition
from pantau.reading import Flag, Reading
from pantau.record import LatestRecord
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading, table_rows

STATION = "awan-1"


@pytest.fixture(params=["memory", "file"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    engine = fresh_database(tmp_path / "pantau.db" if request.param == "file" else None)
    yield engine
    engine.dispose()


@pytest.fixture
def service(engine: Engine) -> VirtualService:
    return calm(VirtualService(engine))


def calm(service: VirtualService, value: float = 20) -> VirtualService:
    for _ in range(3):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.read(STATION, value)
    service.log.clear()
    return service


def flood(service: VirtualService) -> Inputs:
    """A batch that touches every table: readings, a jump, a refused message, a score, a command with its answer."""
    service.clock.set(service.clock.now() + 10 * MIN)
    now = service.clock.now()
    with unit_of_work(service.engine) as connection:
        asked = command_store.ask(connection, "out_of_service", {"station": "pond"}, "sari", now)
    return Inputs(
        readings=[reading(STATION, 170, now), reading("awan-2", 30, now)],
        refused=[
            Refused(Message("pantau/v1/contoh/rain/nowhere", b"{", now), "unknown_station", "no such station")
        ],
        scores=[Score("batu-1", "main", "silent", "1", now, 1.0, "nothing heard")],
        commands=[Command(asked, "out_of_service", "sari", station="pond", note="repair")],
        slow_pos=3,
        slow_states=[(STATION, "main", "silent", "1", b"state")],
        slow_saved=3,
    )


def everything_but(engine: Engine, *names: str) -> dict[str, list[tuple[object, ...]]]:
    return {name: rows for name, rows in table_rows(engine).items() if name not in names}


def test_a_batch_is_one_transaction_with_all_that_follows_from_it(service: VirtualService) -> None:
    commits: list[int] = []
    inputs = flood(service)
    service.snapshot(now=True)
    event.listen(service.engine, "commit", lambda _: commits.append(1))
    service.pipeline.process(inputs)
    assert len(commits) == 1
    rows = table_rows(service.engine)
    filled = {"journal", "latest", "refused", "scores", "alerts", "transitions", "outbox", "out_of_service", "commands",
              "cursors", "snapshots", "slow_states"}  # fmt: skip
    assert {name for name, found in rows.items() if found} == filled
    assert len(rows["alerts"]) == 3  # the level, its rise, the silent sensor
    assert rows["commands"][0][-2:] == (True, "out of service")
    assert dict(row for row in rows["cursors"]) == {"snapshot": 4, "latest": 4, "slow": 3, "slow_snapshot": 3}


WRITTEN = ["journal", "latest", "refused", "scores", "alerts", "transitions", "outbox", "out_of_service", "cursors",
           "snapshots", "slow_states"]  # fmt: skip


@pytest.mark.parametrize("table", WRITTEN)
def test_when_one_statement_fails_nothing_is_stored_and_the_same_batch_works_later(table: str) -> None:
    service, undisturbed = (calm(VirtualService(fresh_database())) for _ in range(2))
    inputs = flood(service)
    service.snapshot(now=True)
    before, states = table_rows(service.engine), service.states()
    with unit_of_work(service.engine) as connection:
        connection.execute(text(
            f"CREATE TRIGGER no BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        ))  # fmt: skip
    with pytest.raises(DBAPIError, match="disk is full"):
        service.pipeline.process(inputs)
    assert table_rows(service.engine) == before
    assert service.states() == states
    with unit_of_work(service.engine) as connection:
        connection.execute(text("DROP TRIGGER no"))
    undisturbed.snapshot(now=True)
    assert service.pipeline.process(inputs) == undisturbed.pipeline.process(flood(undisturbed))
    assert service.states() == undisturbed.states()
    assert everything_but(service.engine, "journal") == everything_but(undisturbed.engine, "journal")
    numbers = table_rows(service.engine, "journal", without=["pos"])
    assert numbers == table_rows(undisturbed.engine, "journal", without=["pos"])


def test_while_the_database_is_away_the_states_cannot_be_read_back_either_and_are_before_the_next_try() -> (
    None
):
    """The retry must not take the batch for a duplicate of what was judged and never stored."""
    service, undisturbed = (calm(VirtualService(fresh_database())) for _ in range(2))
    away = False

    @event.listens_for(service.engine, "begin")
    def _begin(_: object) -> None:
        if away:
            raise OperationalError("BEGIN", {}, Exception("server closed the connection"))

    for one in (service, undisturbed):
        one.clock.set(T0 + 40 * MIN)
    late_tide = Inputs(readings=[reading(STATION, 190, T0 + 40 * MIN)])
    for _ in range(3):
        away = True
        with pytest.raises(OperationalError):
            service.pipeline.process(late_tide)
    away = False
    assert service.pipeline.process(late_tide) == undisturbed.read(STATION, 190)
    assert service.states() == undisturbed.states()
    assert table_rows(service.engine) == table_rows(undisturbed.engine)


def test_after_a_commit_whose_answer_got_lost_the_retry_changes_nothing(service: VirtualService) -> None:
    inputs = flood(service)
    service.pipeline.process(inputs)
    rows, states = table_rows(service.engine), service.states()
    service.pipeline.restore()  # what a failed commit leads to
    again = Inputs(readings=inputs.readings, scores=inputs.scores)
    assert [e for e in service.pipeline.process(again) if isinstance(e, Transition)] == []
    assert everything_but(service.engine, "journal", "scores", "cursors") == {
        name: found for name, found in rows.items() if name not in {"journal", "scores", "cursors"}
    }
    assert service.states() == states


def test_a_duplicate_leaves_no_trace_and_its_company_is_kept(service: VirtualService) -> None:
    old, new = reading(STATION, 20, service.clock.now()), reading("awan-2", 30, service.clock.now())
    service.process(old, new, reading("awan-2", 30, service.clock.now()))
    with service.engine.connect() as connection:
        *_, (_, _, row) = journal.read(connection, 0)
    assert [kept.station for kept in row.readings] == ["awan-2"]
    assert service.pipeline.counts[Fate.DUPLICATE] == 2
    positions = len(table_rows(service.engine, "journal")["journal"])
    service.process(old)
    assert len(table_rows(service.engine, "journal")["journal"]) == positions


def test_the_journal_says_of_each_reading_what_became_of_it(service: VirtualService) -> None:
    now = service.clock.now()
    service.process(
        reading(STATION, 20, now), reading(STATION, 55, now), reading(STATION, 66, now - 5 * MIN),
        reading("awan-2", 1, now), reading("awan-3", 1, now + 5 * MIN, received_at=now), reading("awan-2", 2, now + 1),
    )  # fmt: skip
    row = service.pipeline.last
    assert [kept.value for kept in row.readings] == [55, 66, 1, 1, 2]
    assert (row.unstepped, row.late, row.pending) == ([0, 1, 3], [1], [2])
    assert [revision.station for revision in row.revisions] == ["awan-2"]
    assert [kept.value for kept, _ in row.heard()] == [1, 2]


def test_a_reading_that_was_only_stored_never_becomes_the_latest(service: VirtualService) -> None:
    now = service.clock.now()
    service.process(reading(STATION, 55, now), reading(STATION, 66, now - MIN),
                    reading(STATION, 999, now + 5 * MIN, received_at=now))  # fmt: skip
    with service.engine.connect() as connection:
        [record] = [record for record in latest_since(connection, -1) if record.station == STATION]
    assert (record.value, record.observed_at) == (20, now)


def test_a_revised_flag_reaches_the_latest_value_when_it_is_still_the_newest(service: VirtualService) -> None:
    now = service.clock.now()
    told = service.command("mark_wrong", station=STATION, sensor="main", observed_at=now, value=20.0,
                           kind="water_level", received_at=now)  # fmt: skip
    assert told.ok
    with service.engine.connect() as connection:
        [record] = latest_since(connection, -1)
    assert (record.flag, record.reason) == (Flag.FAIL, "marked wrong by an operator")


@pytest.mark.parametrize(
    ("value", "after_min", "ok", "words"),
    [
        (30, 10, True, "stored and judged"),
        (20, 0, True, "this reading was stored already"),
        (25, 0, True, "stored in place of another value for the same instant; not judged again"),
        (30, -5, True, "stored as history: a newer reading is there already"),
        (5000, 10, True, "5000 cm is outside the range 0 to 600"),
        (30, 30, False, "the device's clock is 20 min ahead of receipt: stored, never live"),
    ],
)
def test_whoever_enters_a_reading_by_hand_hears_what_became_of_it(
    service: VirtualService, value: float, after_min: int, ok: bool, words: str
) -> None:
    before = service.clock.now()
    service.clock.set(before + 10 * MIN)
    with unit_of_work(service.engine) as connection:
        asked = command_store.ask(connection, "reading", {}, "sari", before)
    at = before + after_min * MIN
    entered = reading(STATION, value, at, received_at=before + 10 * MIN, source="operator:sari")
    [told] = [e for e in service.process(entered, answers=[(asked, 0)]) if isinstance(e, Told)]
    assert (told.command, told.ok, told.text) == (asked, ok, words)
    with service.engine.connect() as connection:
        assert command_store.answered(connection, asked) == (ok, words)


def test_a_refused_command_changes_no_table_but_its_own(service: VirtualService) -> None:
    service.command("out_of_service", station="pond", note="repair")
    before = everything_but(service.engine, "journal", "cursors")
    assert not service.command("out_of_service", station="pond", note="another hand").ok
    assert everything_but(service.engine, "journal", "cursors") == before


def test_a_refused_message_alone_needs_no_journal_row(service: VirtualService) -> None:
    before = len(table_rows(service.engine, "journal")["journal"])
    service.process(refused=[Refused(Message("x", b"{", T0), "unknown_topic", "nobody reads it")])
    rows = table_rows(service.engine, "journal", "refused")
    assert (len(rows["journal"]), len(rows["refused"])) == (before, 1)


def test_an_empty_batch_writes_nothing(service: VirtualService) -> None:
    service.sweep("all")
    assert service.process() == []
    before = table_rows(service.engine)
    assert service.process() == []
    assert table_rows(service.engine) == before


def test_time_never_runs_backwards_in_the_journal(service: VirtualService) -> None:
    service.read("awan-2", 10)
    service.clock.at = T0
    service.read("awan-3", 10)
    nows = [row[1] for row in table_rows(service.engine, "journal")["journal"]]
    assert nows == sorted(nows)


def test_a_reading_of_a_station_that_left_the_city_is_stored_and_moves_nothing(
    service: VirtualService,
) -> None:
    states = service.states()
    service.process(Reading("gone", "water_level", 1.0, T0, T0))
    assert service.states() == states
    assert service.pipeline.last.unstepped == [0]


# --- a restart at any point -----------------------------------------------------------------------------------------

STATIONS = ("awan-1", "awan-2", "batu-1", "square")
READING = st.tuples(
    st.sampled_from(STATIONS), st.sampled_from([0.0, 20.0, 105.0, 110.0, 165.0, 171.0, 225.0, 330.0, 900.0]),
    st.sampled_from([-11, -1, 0, 1, 10, 10, 10, 45]), st.sampled_from(["main", "main", "b"]),
)  # fmt: skip
ABOUT_STATIONS = ["mark_wrong", "out_of_service", "in_service"]
VERBS = ["", "", "", "acknowledge", "close", "confirm", "shelve", *ABOUT_STATIONS]
BATCH = st.tuples(
    st.sampled_from([0, 1, 10, 10, 10, 40]), st.lists(READING, max_size=4),
    st.sampled_from(VERBS),
    st.booleans(), st.sampled_from(["all", "one", "none"]), st.booleans(),
)  # fmt: skip


def play(
    service: VirtualService, batch: tuple[int, list[tuple[str, float, int, str]], str, bool, str, bool]
) -> None:
    after_min, values, verb, silent, swept, pruned = batch
    service.clock.set(service.clock.now() + after_min * MIN)
    now = service.clock.now()
    service.sweep(swept)
    commands = []
    if verb:
        opened = service.log[-1].alert if service.log else "none"
        command = Command(1, verb, "sari", "" if verb in ABOUT_STATIONS else opened, STATION, "main", now)
        commands = [replace(command, until=now + 30 * MIN, kind="water_level")]
    scores = (
        [Score(STATION, "main", "silent", "1", now, float(bool(values)), "heard or not")] if silent else []
    )
    readings = [reading(station, value, now + at * MIN, received_at=now, sensor=sensor)
                for station, value, at, sensor in values]  # fmt: skip
    service.process(*readings, commands=commands, scores=scores)
    if pruned:
        with unit_of_work(service.engine) as connection:  # everybody else has read all
            for name in ("store", "slow_snapshot"):
                journal.move_cursor(connection, name, journal.last_pos(connection))
        prune(service.engine)


def newest(service: VirtualService) -> dict[str, LatestRecord | None]:
    """Latest values as notices see them, but for the position, which says when they were looked at."""
    books, states = service.pipeline.books, service.pipeline.states
    with service.engine.connect() as connection:
        found = {station: books.newest(connection, station, {}, states, 0) for station in CITY.stations}
    return {station: record and replace(record, pos=0) for station, record in found.items()}


def first_due(service: VirtualService) -> int | None:
    return min(
        (state.due() for state in service.pipeline.states._states.values() if state.due()), default=None
    )


@settings(max_examples=25)
@given(st.lists(BATCH, min_size=1, max_size=12))
def test_killed_after_any_batch_a_restart_finds_the_same_state_timers_and_latest_values(
    batches: list[tuple[int, list[tuple[str, float, int, str]], str, bool, str, bool]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = fresh_database(Path(folder) / "pantau.db")
        service = VirtualService(engine)
        for batch in batches:
            play(service, batch)
            restarted = VirtualService(engine, at=service.clock.now())
            assert restarted.states() == service.states()
            assert restarted.pipeline.states.next_due() == first_due(service)
            assert newest(restarted) == newest(service)
        engine.dispose()


@settings(max_examples=15)
@given(st.lists(BATCH, min_size=1, max_size=10), st.sets(st.integers(0, 9)))
def test_with_restarts_in_between_the_tables_end_the_same(
    batches: list[tuple[int, list[tuple[str, float, int, str]], str, bool, str, bool]], kills: set[int]
) -> None:
    calm_engine, killed_engine = fresh_database(), fresh_database()
    undisturbed, killed = VirtualService(calm_engine), VirtualService(killed_engine)
    for index, batch in enumerate(batches):
        play(undisturbed, (*batch[:4], "all", False))
        play(killed, batch)
        if index in kills:
            log = killed.log
            killed = VirtualService(killed_engine, at=killed.clock.now())
            killed.log = log
    assert killed.log == undisturbed.log
    for service in (killed, undisturbed):  # both: a timer may have come due behind another one of its group
        service.sweep("all")
        service.process()
    assert killed.log == undisturbed.log
    without = {"latest": {"pos"}}  # when it was written, which may be later than what it says
    for name in ("latest", "alerts", "transitions", "outbox", "scores", "out_of_service"):
        left_out = without.get(name, set())
        found, expected = (
            table_rows(engine, name, without=left_out) for engine in (killed_engine, calm_engine)
        )
        assert found == expected, name


def test_pruning_waits_for_the_slowest_reader(service: VirtualService) -> None:
    service.snapshot(now=True)
    service.read("awan-2", 10)
    assert prune(service.engine) == 0  # nobody has stored or judged anything yet
    service.forwarder.turn()
    assert prune(service.engine) == 0  # the slow lane has not kept its states
    service.turn_slow(save=True)
    kept = table_rows(service.engine, "journal")["journal"]
    assert prune(service.engine) == 4
    assert [row[0] for row in table_rows(service.engine, "journal")["journal"]] == [
        row[0] for row in kept[4:]
    ]


def test_a_snapshot_of_another_version_is_a_fresh_start_of_its_group_only(service: VirtualService) -> None:
    service.read("batu-1", 10)
    service.snapshot(now=True)
    service.read("batu-2", 10)
    with unit_of_work(service.engine) as connection:
        connection.execute(text("UPDATE snapshots SET body = x'00' WHERE key = 'awan'"))
    restarted = VirtualService(service.engine)
    assert "awan" not in restarted.states()
    assert restarted.states()["batu"] == service.states()["batu"]


def test_a_group_that_starts_afresh_keeps_its_open_alert_and_goes_on_with_it(service: VirtualService) -> None:
    """A second open alert of the same key would be refused by the database, and so would every batch after it."""
    service.snapshot(now=True)
    service.clock.set(service.clock.now() + 10 * MIN)
    service.read(STATION, 165)
    with unit_of_work(service.engine) as connection:
        connection.execute(text("UPDATE snapshots SET body = x'00'"))
    restarted = VirtualService(service.engine, at=service.clock.now())
    for value in (166, 167, 225):
        restarted.clock.set(restarted.clock.now() + 10 * MIN)
        restarted.read(STATION, value)
    mine = [(t.alert, t.n, t.what, t.severity) for t in restarted.log if t.cause == "level"]
    opened = next(t.alert for t in service.log if t.cause == "level")
    assert (
        mine
        == [(opened, 2, "confirmed", 2), (opened, 3, "raised", 3), (opened, 4, "confirmed", 3)][: len(mine)]
    )
    assert len(mine) >= 2


def test_a_station_that_moved_to_another_group_takes_its_open_alert_along(service: VirtualService) -> None:
    service.snapshot(now=True)
    service.clock.set(service.clock.now() + 10 * MIN)
    service.read(STATION, 165)
    moved = replace(CITY.stations[STATION], group="upper")
    city = replace(CITY, stations={**CITY.stations, STATION: moved})
    restarted = VirtualService(service.engine, at=service.clock.now(), city=city)
    restarted.clock.set(
        restarted.clock.now() + 15 * MIN
    )  # its reminder is due in the old group: nobody may send it twice
    restarted.read(STATION, 166)
    restarted.clock.set(restarted.clock.now() + 10 * MIN)
    restarted.read(STATION, 167)
    assert {t.alert for t in restarted.log if t.cause == "level"} <= {t.alert for t in service.log}
    assert not restarted.pipeline.states._states["awan"].alerts


def test_a_second_sensor_may_raise_for_an_instant_whose_first_alert_has_ended(
    service: VirtualService,
) -> None:
    """Both alerts open at the same ``observed_at``; with one id for both no batch would ever be committed again."""
    at = service.clock.now() + 10 * MIN
    service.clock.set(at + 10 * MIN)
    service.process(reading(STATION, 225, at), reading(STATION, 21, at + 10 * MIN))
    service.process(reading(STATION, 225, at, sensor="b"))
    level = [(t.what, t.severity, t.sensor) for t in service.log if t.cause == "level"]
    assert level == [("raised", 3, "main"), ("withdrawn", 0, "main"), ("raised", 3, "b")]
    assert len({t.alert for t in service.log if t.what == "raised" and t.cause == "level"}) == 2


def test_what_is_late_hangs_on_the_clock_as_it_runs_now(service: VirtualService) -> None:
    """An exercise goes on at real speed: what a message needs on its way is a second then, and not half an hour."""

    def lateness(station: str) -> list[bool]:
        service.clock.set(service.clock.now() + 60 * MIN)
        now = service.clock.now()
        service.log.clear()
        service.process(reading(station, 300, now - 50 * MIN, received_at=now))
        return [
            one.late
            for one in service.log
            if (one.scope, one.cause, one.what) == (station, "level", "raised")
        ]

    service.clock.slack_ms = 30 * MIN
    assert lateness(STATION) == [False]
    service.clock.slack_ms = 0
    assert lateness("awan-2") == [True]


def test_every_station_of_the_city_is_judged_in_its_own_group() -> None:
    service = VirtualService(fresh_database())
    service.process(*(reading(station, 1.0, T0) for station in CITY.stations))
    assert set(service.states()) == {station.group for station in CITY.stations.values()}
