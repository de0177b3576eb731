"""The same journal gives the same alert log, byte for byte; and the same readings give the same alerts."""

import json

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app import journal
from app.backtest import PRINTED, object_of
from app.journal import Row
from app.states import States
from app.step import Step
from models.all import detectors
from pantau.event import Command, Event, FlagRevised, Score, Tick, Transition
from pantau.reading import Reading
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading, table_rows

DETECTORS = detectors()
VALUES = st.sampled_from([0.0, 20.0, 60.0, 95.0, 105.0, 130.0, 165.0, 171.0, 225.0, 330.0, 900.0])
COURSE = st.lists(
    st.tuples(
        st.sampled_from(["awan-1", "awan-2", "awan-3", "batu-2"]), VALUES, st.sampled_from([0, 1, 5, 10, 10, 31])),
    min_size=1, max_size=60,
)  # fmt: skip


def course_of(steps: list[tuple[str, float, int]]) -> list[Reading]:
    at, found = T0, []
    for station, value, minutes in steps:
        at += minutes * MIN
        found.append(reading(station, value, at))
    return found


def judge(readings: list[Reading], sizes: list[int]) -> VirtualService:
    """Readings in batches of these sizes, over and over; each batch arrives with its last reading."""
    service, start, turn = VirtualService(fresh_database()), 0, 0
    while start < len(readings):
        batch = [msgspec.structs.replace(one) for one in readings[start : start + sizes[turn % len(sizes)]]]
        service.clock.set(batch[-1].observed_at)
        service.process(*batch)
        start, turn = start + len(batch), turn + 1
    return service


@settings(max_examples=40)
@given(
    COURSE,
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_at_any_batch_size_the_same_readings_give_the_same_alert_log(
    steps: list[tuple[str, float, int]], one: list[int], other: list[int]
) -> None:
    readings = course_of(steps)
    logs = []
    for sizes in (one, other):
        log = [t for t in judge(readings, sizes).log if t.what in PRINTED]
        logs.append("\n".join(json.dumps({**object_of(t, CITY), "alert": t.alert}) for t in log))
    assert logs[0] == logs[1]


@settings(max_examples=25)
@given(COURSE, st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_stepping_the_journal_again_gives_the_log_byte_for_byte(
    steps: list[tuple[str, float, int]], sizes: list[int]
) -> None:
    service = judge(course_of(steps), sizes)
    states, events = States(Step(CITY, DETECTORS), DETECTORS), list[Event]()
    with service.engine.connect() as connection:
        for _, now, row in journal.read(connection, 0, 1000):
            states.step(row, now, events)
    again = [event for event in events if isinstance(event, Transition)]
    assert msgspec.json.encode(again) == msgspec.json.encode(service.log)
    assert len(again) == len(table_rows(service.engine, "transitions")["transitions"])


TEXT = st.text(max_size=8)
INSTANT = st.integers(-(2**50), 2**50)
READINGS = st.builds(
    Reading, TEXT, TEXT, st.floats(allow_nan=False), INSTANT, INSTANT, TEXT, seq=st.none() | st.integers(0, 2**40),
    time_source=st.sampled_from(["device", "received"]), retained=st.booleans(), source=TEXT, flag=st.integers(1, 9),
    reason=TEXT,
)  # fmt: skip
ROWS = st.builds(
    Row,
    ticks=st.lists(st.builds(Tick, TEXT, INSTANT, INSTANT), max_size=2),
    commands=st.lists(st.builds(Command, st.integers(0, 9), TEXT, TEXT, note=TEXT, until=INSTANT), max_size=2),
    readings=st.lists(READINGS, max_size=3),
    scores=st.lists(
        st.builds(Score, TEXT, TEXT, TEXT, TEXT, INSTANT, st.floats(0, 1), TEXT, st.booleans()), max_size=2
    ),
    unstepped=st.lists(st.integers(0, 2), max_size=3), late=st.lists(st.integers(0, 2), max_size=3),
    pending=st.lists(st.integers(0, 2), max_size=3),
    revisions=st.lists(
        st.builds(FlagRevised, TEXT, TEXT, TEXT, INSTANT, st.floats(allow_nan=False), INSTANT, st.integers(1, 9), TEXT),
        max_size=2,
    ),
    listening_since=INSTANT,
)  # fmt: skip


@settings(max_examples=40)
@given(st.lists(ROWS, min_size=1, max_size=4))
def test_what_was_journaled_is_read_back_as_it_was(rows: list[Row]) -> None:
    engine = fresh_database()
    with engine.begin() as connection:
        positions = [journal.append(connection, now, row) for now, row in enumerate(rows)]
        assert list(journal.read(connection, 0)) == list(zip(positions, range(len(rows)), rows, strict=True))
        assert list(journal.read(connection, positions[0], 1)) == list(
            zip(positions[1:2], [1], rows[1:2], strict=False)
        )
        assert journal.last_pos(connection) == positions[-1]
        assert journal.forget(connection, positions[0]) == 1
        assert [pos for pos, _, _ in journal.read(connection, 0)] == positions[1:]


def test_an_empty_journal_stands_at_zero_and_an_unknown_reader_too() -> None:
    with fresh_database().begin() as connection:
        assert (journal.last_pos(connection), journal.cursor(connection, "x")) == (0, 0)
        for pos in (3, 5):
            journal.move_cursor(connection, "x", pos)
            assert journal.cursor(connection, "x") == pos
