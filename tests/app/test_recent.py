"""The newest batches in memory are those of the journal, word for word, or nothing at all."""

from threading import Thread

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from app import journal
from app.database import unit_of_work
from app.journal import Entry, Recent, Row
from pantau.event import Command, FlagRevised, Gone, Score, Tick
from pantau.reading import Flag
from tests.virtual_service import MIN, T0, VirtualService, fresh_database, reading

STATION = "awan-1"
BEGIN, ADD, AFTER = "begin", "add", "after"


def batch(readings: int, at: int = T0) -> Row:
    """A batch of so many readings; one without any is an operator's."""
    found = [reading(STATION, 20.0 + index, at + index) for index in range(readings)]
    return Row(readings=found) if found else Row(commands=[Command(1, "close", "sari")])


def read(connection: Connection, after: int, limit: int = 1_000) -> list[Entry]:
    return list(journal.read(connection, after, limit))


def filled(*sizes: int, most_readings: int = 10) -> Recent:
    """A ring that began at the journal's start and got batches 1, 2, 3 ..."""
    recent = Recent(most_readings)
    recent.begin(0)
    for pos, size in enumerate(sizes, 1):
        recent.add(pos, T0 + pos, batch(size))
    return recent


def positions(recent: Recent, after: int, limit: int = 1_000) -> list[int] | None:
    found = recent.after(after, limit)
    return None if found is None else [pos for pos, _, _ in found]


def test_a_ring_that_has_not_begun_knows_nothing_not_even_that_nothing_happened() -> None:
    recent = Recent()
    assert recent.after(0, 10) is None
    recent.add(1, T0, batch(1))
    assert recent.after(0, 10) is None


def test_it_gives_what_came_after_a_position_oldest_first_and_no_more_than_asked_for() -> None:
    recent = filled(1, 1, 1)
    assert positions(recent, 0) == [1, 2, 3]
    assert positions(recent, 1) == [2, 3]
    assert positions(recent, 0, limit=2) == [1, 2]
    assert positions(recent, 3) == []


def test_what_it_dropped_is_not_made_up_for_by_what_it_has() -> None:
    recent = filled(4, 4, 4, 2)
    assert positions(recent, 0) is None
    assert positions(recent, 1) == [2, 3, 4]


def test_exactly_as_many_readings_as_it_may_keep_are_kept() -> None:
    assert positions(filled(4, 6), 0) == [1, 2]
    assert positions(filled(4, 7), 0) is None


def test_one_batch_is_kept_however_large_it_is() -> None:
    recent = filled(1, 50)
    assert positions(recent, 0) is None
    assert positions(recent, 1) == [2]
    recent.add(3, T0, batch(1))
    assert positions(recent, 1) is None
    assert positions(recent, 2) == [3]


def test_begun_again_it_has_forgotten_what_was_never_committed() -> None:
    recent = filled(1, 1, 1)
    recent.begin(2)
    assert positions(recent, 1) is None
    assert positions(recent, 2) == []
    recent.add(3, T0, batch(2))
    assert positions(recent, 2) == [3]


def test_after_it_began_again_only_new_readings_count_towards_its_room() -> None:
    recent = filled(9)
    recent.begin(1)
    for pos in (2, 3):
        recent.add(pos, T0, batch(5))
    assert positions(recent, 1) == [2, 3]


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just(ADD), st.integers(0, 6)),
        st.tuples(st.just(BEGIN), st.just(0)),
        st.tuples(st.just(AFTER), st.integers(0, 12)),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(moves=MOVES, most=st.integers(0, 15), limit=st.integers(1, 6))
def test_whatever_happens_it_says_what_the_journal_says_or_that_it_cannot(
    moves: list[tuple[str, int]], most: int, limit: int
) -> None:
    recent = Recent(most)
    engine = fresh_database()
    with engine.connect() as connection:
        begun = False
        for number, (move, size) in enumerate(moves):
            newest = journal.last_pos(connection)
            if move == BEGIN:
                recent.begin(newest)
                begun = True
            elif move == ADD:
                row = batch(size, T0 + number * MIN)
                recent.add(journal.append(connection, T0 + number, row), T0 + number, row)
            else:
                found = recent.after(min(size, newest), limit)
                assert found is None or found == read(connection, min(size, newest), limit)
            if begun:  # who is close is never sent to the database
                assert recent.after(journal.last_pos(connection), limit) == []
                kept = read(connection, newest, limit)
                assert recent.after(newest, limit) == kept
    engine.dispose()


JUMPS = st.lists(
    st.tuples(
        st.sampled_from([STATION, "batu-1", "square"]),
        st.sampled_from([20.0, 21.0, 22.0, 170.0, 300.0, 9000.0]),
        st.integers(-20, 30),
    ),
    max_size=30,
)


@settings(max_examples=40)
@given(JUMPS, st.integers(1, 4))
def test_what_the_pipeline_committed_is_in_memory_as_it_is_on_disk_whatever_became_of_it_later(
    values: list[tuple[str, float, int]], size: int
) -> None:
    """Flags are revised, latest values kept and written later: none of that may reach into a batch that is shared."""
    service = VirtualService(fresh_database(), at=T0 + 60 * MIN)
    for start in range(0, len(values), size):
        service.clock.set(service.clock.now() + 5 * MIN)
        now = service.clock.now()
        service.sweep(("all", "one", "none")[start % 3])
        part = values[start : start + size]
        service.process(
            *(reading(name, value, now + minute * MIN, received_at=now) for name, value, minute in part)
        )
    with service.engine.connect() as connection:
        assert service.pipeline.recent.after(0, 1_000) == read(connection, 0)
    service.engine.dispose()


def test_every_part_of_a_batch_comes_back_from_the_journal() -> None:
    row = Row(
        ticks=[Tick("awan", T0, T0)], commands=[Command(1, "close", "sari", alert="a")],
        readings=[reading(STATION, 20, T0), reading(STATION, 21, T0 - 1)],
        scores=[Score(STATION, "main", "silent", "1", T0, 1.0, "nothing heard")], unstepped=[1], late=[1], pending=[0],
        revisions=[FlagRevised(STATION, "water_level", "main", T0, 20.0, T0, int(Flag.GOOD), "")],
        listening_since=T0, gone=[Gone(STATION, "main", T0, "the gateway says so")],
    )  # fmt: skip
    engine = fresh_database()
    with engine.connect() as connection:
        journal.append(connection, T0, row)
        assert read(connection, 0) == [(1, T0, row)]
    engine.dispose()


def test_readers_never_see_half_a_change() -> None:
    recent = Recent(50)
    recent.begin(0)
    broken: list[object] = []

    def follow() -> None:
        pos = 0
        while pos < 3_000:
            found = recent.after(pos, 1_000)
            if found is None:  # it was overtaken, as by a slow store
                pos += 1
                continue
            if [entry[0] for entry in found] != list(range(pos + 1, pos + 1 + len(found))):
                broken.append(found)
                return
            pos += len(found)

    threads = [Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    row = batch(5)
    for pos in range(1, 3_001):
        recent.add(pos, T0, row)
    for thread in threads:
        thread.join(20)
    assert not broken
    assert not any(thread.is_alive() for thread in threads)


def test_the_journals_size_is_what_waits_in_it() -> None:
    engine = fresh_database()
    with unit_of_work(engine) as connection:
        assert journal.size(connection) == 0
        journal.append(connection, T0, batch(1))
        one = journal.size(connection)
        assert one > 0
        journal.append(connection, T0, batch(1))
        assert journal.size(connection) == 2 * one
        journal.append(connection, T0, batch(500))
        assert journal.size(connection) > 200 * one
        journal.forget(connection, 1)
        journal.forget(connection, 3)
        assert journal.size(connection) == 0
    engine.dispose()
