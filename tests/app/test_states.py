"""States of groups in memory: their timers, what a snapshot holds, and which groups it covers."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.database import unit_of_work
from app.journal import cursor
from app.state import NOTHING, GroupState, SensorState, dump, is_calm, load
from app.states import States
from app.step import Step
from ingest.store.latest import latest_since
from ingest.store.tables import snapshots
from models.all import detectors
from pantau.alert import AlertKey, AlertState
from pantau.ladder import Rung
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, table_rows

DETECTORS = detectors()


@pytest.fixture
def states() -> States:
    return States(Step(CITY, DETECTORS), DETECTORS)


def wait_until(states: States, group: str, due: int) -> AlertState:
    key = AlertKey(group, "flood", "level", group)
    alert = AlertState(key, "id", T0, confirmed=1, state="shelved", shelved_until=due)
    states.of(group).own().alerts[str(key)] = alert
    states.note_timers()
    return alert


def test_timers_come_due_in_order_each_once(states: States) -> None:
    wait_until(states, "b", T0 + 2)
    wait_until(states, "a", T0 + 1)
    assert states.next_due() == T0 + 1
    assert states.due_ticks(T0, 5) == []
    assert [(tick.group, tick.due, tick.listening_since) for tick in states.due_ticks(T0 + 2, 5)] == [
        ("a", T0 + 1, 5), ("b", T0 + 2, 5),
    ]  # fmt: skip
    assert states.due_ticks(T0 + 9, 5) == []


def test_a_timer_that_waits_through_many_batches_is_one_tick_and_one_entry(states: States) -> None:
    """A shelf of a day over a busy group must not cost an entry a batch."""
    for _ in range(1000):
        wait_until(states, "a", T0 + 1)
    assert len(states._timers) == 1
    assert len(states.due_ticks(T0 + 1, 0)) == 1


@pytest.mark.parametrize("moved", [T0 + 5, T0 + 1])
def test_a_timer_that_was_moved_comes_due_at_its_new_time_only(states: States, moved: int) -> None:
    wait_until(states, "a", T0 + 3)
    wait_until(states, "a", moved)
    assert [tick.due for tick in states.due_ticks(T0 + 2, 0)] == ([moved] if moved < T0 + 3 else [])
    states.of("a")
    states.note_timers()
    assert {tick.due for tick in states.due_ticks(T0 + 9, 0)} <= {moved}


def test_a_timer_moved_away_and_back_still_comes_due(states: States) -> None:
    for due in (T0 + 3, T0 + 5, T0 + 3):
        wait_until(states, "a", due)
    assert [tick.due for tick in states.due_ticks(T0 + 3, 0)] == [T0 + 3]


def test_a_timer_that_was_cancelled_does_not_come_due(states: States) -> None:
    wait_until(states, "a", T0 + 3).shelved_until = 0
    assert states.due_ticks(T0 + 9, 0) == []


def test_only_groups_that_changed_are_saved_and_only_once(states: States) -> None:
    engine = fresh_database()
    states.sweep.every_s = 0
    states.of("a")
    states.of("b")
    with unit_of_work(engine) as connection:
        assert states.save(connection, 1) == 2
    states.note_timers()
    states.of("b")
    with unit_of_work(engine) as connection:
        assert states.save(connection, 2) == 1
        query = select(snapshots.c.key, snapshots.c.pos).order_by(snapshots.c.key)
        assert connection.execute(query).all() == [("a", 1), ("b", 2)]
        assert cursor(connection, "snapshot") == 2
    states.note_timers()
    with unit_of_work(engine) as connection:
        assert states.save(connection, 3) == 0


def test_peeking_makes_no_state(states: States) -> None:
    assert states.peek("a") is None
    assert states.of("a") is states.peek("a")


def test_a_restart_saves_everything_it_stepped_again() -> None:
    service = VirtualService(fresh_database())
    service.snapshot(now=False)
    service.read("awan-1", 20)
    restarted = VirtualService(service.engine)
    with unit_of_work(service.engine) as connection:
        assert restarted.pipeline.states.save(connection, 1) == 1


def test_a_reminder_comes_due_after_a_restart_too() -> None:
    service = VirtualService(fresh_database())
    for value in (20, 20, 20, 225):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.read("awan-1", value)
    restarted = VirtualService(service.engine, at=service.clock.now())
    assert restarted.process() == []
    restarted.clock.set(service.clock.now() + 15 * MIN)
    restarted.process()
    assert {transition.what for transition in restarted.log} == {"unconfirmed"}


def test_a_detector_of_another_version_starts_afresh_and_the_rest_of_the_snapshot_stays() -> None:
    service = VirtualService(fresh_database())
    for value in (20, 20, 60, 90, 120):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.read("awan-1", value)
    body = service.states()["awan"]
    assert b"rate_of_rise" in body
    without = {name: detector for name, detector in DETECTORS.items() if name != "rate_of_rise"}
    kept = load(body, without, CITY)
    assert kept is not None
    [sensor] = kept.sensors.values()
    assert (sensor.fast, sensor.seen) == ({}, 120)
    assert set(sensor.rungs) == {"level", "rate_of_rise"}


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"\x80", dump(GroupState(), {}).replace(b"version\xa12", b"version\xa10")]
)
def test_what_cannot_be_read_is_no_state(body: bytes) -> None:
    assert load(body, {}, CITY) is None


def of_version_1(body: bytes) -> bytes:
    """A snapshot as version 1 wrote it: every sensor with a ladder had a rung, none said that it was laddered."""
    old = msgspec.msgpack.decode(body)
    old["version"] = "1"
    for sensor in old["state"]["sensors"].values():
        *fields, laddered = sensor
        rungs = fields[6]
        if laddered and "level" not in rungs:
            rungs["level"] = [0, 0, None, 0, 0]
        sensor[:] = fields
    return msgspec.msgpack.encode(old)


def latest_of(service: VirtualService) -> list[tuple[object, ...]]:
    return table_rows(service.engine, "latest", without=["pos"])["latest"]


def test_a_snapshot_of_version_1_goes_on_where_it_was() -> None:
    service, other = VirtualService(fresh_database()), VirtualService(fresh_database())
    for one in (service, other):
        one.snapshot(now=True)
        for value in (20, 20, 21, 120, 121):
            one.clock.set(one.clock.now() + 10 * MIN)
            one.read("awan-1", value)
            one.read("awan-2", 20)
    with unit_of_work(service.engine) as connection:
        for key, kept in list(connection.execute(select(snapshots.c.key, snapshots.c.body))):
            query = snapshots.update().where(snapshots.c.key == key)
            connection.execute(query.values(body=of_version_1(bytes(kept))))
    restarted = VirtualService(service.engine, at=service.clock.now())
    assert restarted.pipeline.states.peek("awan") is not None
    told = len(other.log)
    for value in (122, 225, 226, 20, 20):
        for one in (restarted, other):
            one.clock.set(one.clock.now() + 10 * MIN)
            one.read("awan-1", value)
            one.read("awan-2", 21)
    assert [(t.what, t.severity, t.confirmed) for t in restarted.log] == [
        (t.what, t.severity, t.confirmed) for t in other.log[told:]
    ]
    assert restarted.log
    assert latest_of(restarted) == latest_of(other)


def test_the_shared_empty_dict_takes_nothing() -> None:
    state, sensor = GroupState(), SensorState("a", "main")
    assert all(one is NOTHING for one in (state.alerts, state.muted, sensor.rungs, sensor.fast))
    for write in (
        lambda: NOTHING.__setitem__("a", 1), lambda: NOTHING.setdefault("a", 1), lambda: NOTHING.update(a=1),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="own"):
            write()
    state.own().alerts["a"] = wait_until(States(Step(CITY, DETECTORS), DETECTORS), "a", T0)
    sensor.rung("level").severity = 2
    sensor.keep_fast("rate_of_rise", object())
    assert (NOTHING, GroupState().alerts, SensorState("b", "main").rungs) == ({}, {}, {})


def test_calm_sensors_keep_neither_rung_nor_detector_and_share_what_is_empty() -> None:
    service = VirtualService(fresh_database())
    for minute in range(20):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.read("awan-1", 20 + minute % 2)
    restored = load(service.states()["awan"], DETECTORS, CITY)
    for state in (service.pipeline.states.peek("awan"), restored):
        assert state is not None
        [sensor] = state.sensors.values()
        assert sensor.quiet
        assert sensor.laddered
        assert all(one is NOTHING for one in (sensor.rungs, sensor.fast, state.alerts, state.opened))
        assert sensor.station is CITY.stations["awan-1"].id
    with service.engine.connect() as connection:
        [record] = latest_since(connection, -1)
    assert record.severity == 0, "a station with limits has a severity, if only 0"


@given(
    st.lists(st.tuples(st.sampled_from(["alerts", "x\xa6alerts", ""]), st.floats(), st.integers(0, 1 << 40)))
)
def test_a_group_is_calm_whatever_its_sensors_say(sensors: list[tuple[str, float, int]]) -> None:
    state = GroupState()
    for station, value, at in sensors:
        state.sensors[station] = SensorState(
            station, "main", at, value, rungs={"level": Rung(2, 1, [at, None, at])}
        )
    assert is_calm(dump(state, {}))


def test_a_group_with_anything_in_force_is_not_calm() -> None:
    key = AlertKey("awan-1", "flood", "level", "awan-1")
    alert = AlertState(key, "id", T0, confirmed=1, state="unacknowledged")
    for field, value in {
        "alerts": {str(key): alert}, "muted": {"k": 1}, "out_of_service": {"awan-1": "x"}, "opened": {"k": 0},
    }.items():  # fmt: skip
        assert not is_calm(dump(msgspec.structs.replace(GroupState(), **{field: value}), {})), field
    fast = GroupState({"a": SensorState("a", "main", fast={"rate_of_rise": DETECTORS["rate_of_rise"].start(
        CITY.stations["awan-1"], CITY.kinds["water_level"])})})  # fmt: skip
    assert not is_calm(dump(fast, DETECTORS))
    assert not is_calm(b"")


def test_after_a_restart_only_groups_that_something_comes_for_are_taken_apart() -> None:
    service = VirtualService(fresh_database())
    service.snapshot(now=True)
    for station, value in (("awan-1", 20), ("batu-1", 20), ("awan-1", 225)):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.read(station, value)
    restarted = VirtualService(service.engine, at=service.clock.now())
    states = restarted.pipeline.states
    assert (set(states._states), set(states._asleep)) == ({"awan"}, {"batu"})
    restarted.read("batu-1", 21)
    assert (set(states._states), set(states._asleep)) == ({"awan", "batu"}, set())
    assert restarted.states()["awan"] == service.states()["awan"]


def test_a_calm_snapshot_that_cannot_be_read_is_a_fresh_start_when_something_comes_for_it() -> None:
    service = VirtualService(fresh_database())
    service.snapshot(now=True)
    service.read("batu-1", 20)
    [body] = service.states().values()
    with unit_of_work(service.engine) as connection:
        connection.execute(snapshots.update().values(body=b"\xc1" + body[1:]))
    restarted = VirtualService(service.engine, at=service.clock.now() + 10 * MIN)
    assert set(restarted.pipeline.states._asleep) == {"batu"}
    restarted.snapshot(now=True)
    restarted.read("batu-1", 21)
    state = restarted.pipeline.states.peek("batu")
    assert state is not None
    assert [sensor.seen for sensor in state.sensors.values()] == [21]
    again = VirtualService(service.engine, at=restarted.clock.now())
    assert again.states() == restarted.states()


def test_a_timer_that_only_the_snapshot_knows_comes_due_after_a_restart() -> None:
    service = VirtualService(fresh_database())
    for value in (20, 20, 20, 225):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.snapshot(now=True)
        service.read("awan-1", value)
    restarted = VirtualService(service.engine, at=service.clock.now())
    assert restarted.pipeline.states.next_due() == service.clock.now() + 15 * MIN


def test_after_a_snapshot_was_committed_only_later_changes_are_saved() -> None:
    service = VirtualService(fresh_database())
    for station in ("awan-1", "batu-1"):
        service.snapshot(now=True)
        service.read(station, 20)
    rows = table_rows(service.engine, "snapshots")["snapshots"]
    assert [(key, pos) for key, pos, _ in rows] == [("awan", 1), ("batu", 2)]
