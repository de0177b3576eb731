"""Followers that read from memory, wait for more, and save in pieces do what those that read the journal do."""

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import followers, journal
from app.database import unit_of_work
from app.followers import Forwarder, SlowFollower
from app.health import PEER
from app.journal import Recent
from app.pipeline import Inputs
from ingest.store.memory import MemoryStore
from models.all import detectors
from models.lane import SlowLane
from pantau.errors import Unavailable
from pantau.reading import Reading
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading, table_rows

STATION = "awan-1"
SENSORS = ("main", "b", "c", "d", "e", "f")


class Counting(MemoryStore):
    """A store that notes how many readings each call brought, and that can be away."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []
        self.away = False

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        if self.away:
            raise Unavailable("influxdb", "connection refused")
        self.calls.append(len(readings))
        return list(super().write(readings))


def start(store: MemoryStore, *, at: int = T0 + 60 * MIN, ring: int | None = None) -> VirtualService:
    """A service whose forwarder reads a ring with room for so many readings, or the journal."""
    service = VirtualService(fresh_database(), store=store, at=at)
    if ring is not None:
        service.pipeline.recent = Recent(ring)
        service.pipeline.restore()
        service.forwarder = Forwarder(service.engine, store, service.pipeline.recent)
    return service


def many(count: int, at: int) -> list[Reading]:
    return [reading(STATION, 20, at + index, received_at=at + count) for index in range(count)]


def stored(store: MemoryStore) -> dict[tuple[str, int], tuple[float, int, str]]:
    return {
        (one.sensor, one.observed_at): (one.value, one.flag, one.reason)
        for one in store.read(STATION, CITY.stations[STATION].kind, start=0, end=T0 * 2)
    }


# --- patience -------------------------------------------------------------------------------------------------------


def test_a_small_batch_waits_for_more_and_goes_with_it_when_patience_ends() -> None:
    store = Counting()
    service = start(store)
    patient = Forwarder(service.engine, store, service.pipeline.recent, patience_s=1.0)
    began = time.monotonic()
    for minute in range(3):
        service.process(reading(STATION, 20 + minute, T0 + minute * MIN))
        assert patient.turn() == 0
    assert store.calls == []
    while not patient.turn():
        assert time.monotonic() - began < 5
        time.sleep(0.01)
    assert time.monotonic() - began >= 1.0
    assert len(store.calls) == 1


def test_patience_begins_anew_with_the_next_batch() -> None:
    store = Counting()
    service = start(store)
    patient = Forwarder(service.engine, store, service.pipeline.recent, patience_s=0.2)
    for minute in range(2):
        service.process(reading(STATION, 20 + minute, T0 + minute * MIN))
        assert patient.turn() == 0
        time.sleep(0.25)
        assert patient.turn() == 1
        assert patient.turn() == 0
    assert len(store.calls) == 2


def test_a_stream_that_never_pauses_does_not_put_it_off() -> None:
    store = Counting()
    service = start(store)
    patient = Forwarder(service.engine, store, service.pipeline.recent, patience_s=0.3)
    service.process(reading(STATION, 20, T0))
    began, minute = time.monotonic(), 0
    while not patient.turn():
        minute += 1
        service.process(reading(STATION, 20 + minute % 2, T0 + minute * MIN))
        assert time.monotonic() - began < 3
        time.sleep(0.01)
    assert time.monotonic() - began >= 0.3
    assert len(store.calls) == 1


@pytest.mark.parametrize(("count", "goes"), [(followers._LARGE - 1, 0), (followers._LARGE, 1)])
def test_a_large_batch_goes_at_once(count: int, goes: int) -> None:
    store = Counting()
    service = start(store)
    service.process(*many(count, T0))
    patient = Forwarder(service.engine, store, service.pipeline.recent, patience_s=60)
    assert patient.turn() == goes


def test_after_a_failure_nothing_waits_so_that_an_outage_never_looks_like_patience() -> None:
    store = Counting()
    service = start(store)
    patient = Forwarder(service.engine, store, service.pipeline.recent, patience_s=0.1)
    service.read(STATION, 20)
    store.away = True
    assert patient.turn() == 0
    time.sleep(0.15)
    for _ in range(3):
        with pytest.raises(Unavailable):
            patient.turn()
    store.away = False
    assert patient.turn() == 1


def test_without_patience_nothing_waits() -> None:
    store = Counting()
    service = start(store)
    service.process(reading(STATION, 20, T0))
    assert service.forwarder.turn() == 1


# --- how much a turn takes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ring", [None, 1_000_000])
def test_a_turn_takes_no_more_readings_than_a_call_should_bring_but_for_its_last_batch(
    ring: int | None,
) -> None:
    store = Counting()
    service = start(store, ring=ring)
    size = followers._MOST_READINGS // 2 - 1
    for number in range(5):
        service.process(*many(size, T0 + number * size))
    assert [service.forwarder.turn() for _ in range(3)] == [3, 2, 0]
    assert store.calls == [3 * size, 2 * size]


@pytest.mark.parametrize("ring", [None, 1_000_000])
def test_a_batch_larger_than_a_turn_is_taken_whole(ring: int | None) -> None:
    store = Counting()
    service = start(store, ring=ring)
    size = followers._MOST_READINGS + 10
    service.process(*many(size, T0))
    service.process(reading(STATION, 21, T0 + size + 1))
    assert [service.forwarder.turn() for _ in range(3)] == [1, 1, 0]
    assert store.calls == [size, 1]


# --- the ring and the journal give the same -------------------------------------------------------------------------

MOVES = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["send"]),
            st.lists(
                st.tuples(st.integers(0, 12), st.sampled_from([20.0, 21.0, 22.0, 170.0, 9000.0])), max_size=5
            ),
        ),
        st.tuples(st.sampled_from(["turn", "one", "away", "fail", "restart"]), st.just([])),
    ),
    max_size=30,
)


def ends(
    moves: list[tuple[str, list[tuple[int, float]]]], ring: int | None
) -> tuple[dict[tuple[str, int], tuple[float, int, str]], object]:
    """What store and conflicts hold when all is done."""
    store = Counting()
    service = start(store, ring=ring)
    for move, values in moves:
        service.clock.set(service.clock.now() + MIN)
        now = service.clock.now()
        inputs = Inputs(readings=[reading(STATION, v, T0 + m * 10 * MIN, received_at=now) for m, v in values])
        if move == "send":
            service.pipeline.process(inputs)
        elif move == "fail":
            inputs.readings = [reading(STATION, 25, now)]
            fail(service, inputs)
        elif move == "restart":
            service.forwarder = Forwarder(
                service.engine, store, None if ring is None else service.pipeline.recent
            )
        else:
            store.away = move == "away"
            try:
                service.forwarder.turn(1 if move == "one" else 200)
            except Unavailable:
                assert store.away
            store.away = False
    while service.forwarder.turn():
        pass
    found = stored(store), table_rows(service.engine, "conflicts")
    service.engine.dispose()
    return found


def fail(service: VirtualService, inputs: Inputs) -> None:
    """A commit that fails; the batch is dropped, as when the process ends before the next try."""
    with unit_of_work(service.engine) as connection:
        connection.execute(text(
            "CREATE TRIGGER no BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        ))  # fmt: skip
    with pytest.raises(DBAPIError, match="disk is full"):
        service.pipeline.process(inputs)
    with unit_of_work(service.engine) as connection:
        connection.execute(text("DROP TRIGGER no"))


@settings(max_examples=40)
@given(MOVES)
def test_the_store_ends_with_the_same_from_memory_from_a_ring_that_drops_and_from_the_journal(
    moves: list[tuple[str, list[tuple[int, float]]]],
) -> None:
    from_journal = ends(moves, None)
    assert ends(moves, 1_000_000) == from_journal
    assert ends(moves, 3) == from_journal


def test_after_a_failed_commit_the_ring_has_neither_the_batch_that_failed_nor_a_hole() -> None:
    store = Counting()
    service = start(store, ring=1_000)
    service.process(reading(STATION, 20, T0))
    inputs = Inputs(readings=[reading(STATION, 21, T0 + MIN)])
    fail(service, inputs)
    assert service.forwarder.turn() == 1
    assert stored(store).keys() == {("main", T0)}
    service.pipeline.process(inputs)
    assert service.forwarder.turn() == 1
    assert stored(store).keys() == {("main", T0), ("main", T0 + MIN)}


def test_what_was_journaled_before_a_restart_is_not_in_memory_and_is_forwarded_all_the_same() -> None:
    store = Counting()
    before = start(store)
    before.process(reading(STATION, 20, T0))
    heir = VirtualService(before.engine, at=before.clock.now())
    heir.process(reading(STATION, 21, T0 + MIN, sensor="b"))
    forwarder = Forwarder(heir.engine, store, heir.pipeline.recent)
    while forwarder.turn():
        pass
    assert stored(store).keys() == {("main", T0), ("b", T0 + MIN)}


def test_the_ring_spares_the_forwarder_the_journal() -> None:
    store = Counting()
    service = start(store, ring=1_000)
    service.process(reading(STATION, 20, T0))
    with unit_of_work(service.engine) as connection:
        journal.forget(connection, journal.last_pos(connection))
    assert service.forwarder.turn() == 1


# --- saving in pieces -----------------------------------------------------------------------------------------------

VALUES = st.lists(
    st.tuples(st.sampled_from(SENSORS), st.integers(0, 40), st.integers(0, 25)), min_size=2, max_size=40
)


def heirs() -> SlowLane:
    return SlowLane(CITY, {**detectors(), PEER.name: PEER})


def scores_of(service: VirtualService) -> list[tuple[str, str, str, int, float, str]]:
    with service.engine.connect() as connection:
        return [
            (one.station, one.sensor, one.detector, one.at, one.score, one.reason)
            for _, _, row in journal.read(connection, 0, 10_000)
            for one in row.scores
        ]


def all_states(lane: SlowLane) -> list[tuple[str, str, str, str, bytes]]:
    """Every sensor's states, whatever was given before."""
    rows = []
    for key, sensor in sorted(lane._sensors.items()):
        sensor._kept = 0
        for part in sensor.parts.values():
            part._kept = 0
        rows += lane._dump([key])
    return rows


def cursors(service: VirtualService) -> tuple[int, int]:
    with service.engine.connect() as connection:
        return journal.cursor(connection, "slow"), journal.cursor(connection, "slow_snapshot")


@settings(max_examples=30)
@given(
    values=VALUES, saves=st.sets(st.integers(0, 39)), restarts=st.sets(st.integers(0, 39)),
    dies_before_commit=st.sets(st.integers(0, 39)), piece=st.integers(1, 3),
)  # fmt: skip
def test_a_restart_in_mid_save_finds_the_same_states_and_says_the_same(
    values: list[tuple[str, int, int]],
    saves: set[int],
    restarts: set[int],
    dies_before_commit: set[int],
    piece: int,
) -> None:
    ends = []
    at_once = followers._SAVED_AT_ONCE
    for disturbed in (False, True):
        service = VirtualService(fresh_database())
        service.slow = SlowFollower(service.engine, heirs(), recent=service.pipeline.recent)
        service.slow.restore()
        service.pipeline.listening_since = T0
        followers._SAVED_AT_ONCE = piece if disturbed else at_once
        try:
            for index, (sensor, value, minutes) in enumerate(values):
                service.clock.set(service.clock.now() + minutes * MIN + 1)
                service.read(STATION, value, sensor=sensor)
                one_turn(
                    service,
                    save=disturbed and index in saves,
                    commit=not (disturbed and index in dies_before_commit),
                )
                if disturbed and index in restarts | dies_before_commit:
                    service.slow = SlowFollower(service.engine, heirs(), recent=service.pipeline.recent)
                    service.slow.restore()
            one_turn(service, save=False, commit=True)
        finally:
            followers._SAVED_AT_ONCE = at_once
        ends.append((list(dict.fromkeys(scores_of(service))), all_states(service.slow._lane)))
        service.engine.dispose()
    # Silence may be said again after a restart, with the same words for the same instant: the ladder hears it once.
    assert set(ends[1][0]) == set(ends[0][0])
    assert ends[1][1] == ends[0][1]


def one_turn(service: VirtualService, *, save: bool, commit: bool) -> None:
    """What the slow lane's thread does once; without ``commit`` the process ends before its result is committed."""
    result = service.slow.turn(service.clock.now(), service.pipeline.listening_since, save=save)
    if result is not None and commit:
        service.process(
            scores=result.scores, slow_pos=result.pos, slow_states=result.states, slow_saved=result.saved
        )


def test_the_journal_is_needed_from_where_the_save_began_until_its_last_piece_is_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(followers, "_SAVED_AT_ONCE", 2)
    service = VirtualService(fresh_database())
    service.clock.set(T0 + 1)
    now = service.clock.now()
    service.process(*(reading(STATION, 20, now, sensor=name) for name in SENSORS[:5]))
    seen = []
    for minute in range(4):
        result = service.slow.turn(now, 0, save=minute == 0)
        assert result is not None
        service.clock.set(T0 + 2 + minute)
        # Another batch comes in the midst of the save: it is after where the save began.
        service.process(
            reading(STATION, 21, now + 1 + minute), slow_pos=result.pos, slow_states=result.states,
            slow_saved=result.saved,
        )  # fmt: skip
        seen.append((result.saved, cursors(service)[1]))
    assert seen == [(0, 0), (0, 0), (1, 1), (0, 1)]
