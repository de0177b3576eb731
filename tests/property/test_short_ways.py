"""Every short way gives what the long way gives: in a burst, on the ordinary day, and over a track's lowest point."""

from math import inf

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.state import GroupState, SensorState, dump
from app.step import LEVEL, Context, Step
from models.all import detectors
from models.detector import Sample
from models.memory import Sensor
from pantau.city import FAR_FUTURE, FAR_PAST, City, DatedLadder
from pantau.event import Command, Event, Score
from pantau.ladder import Ladder
from pantau.reading import Reading
from pantau.station import Station
from pantau.track import Track
from tests.detector_bench import city_of
from tests.virtual_service import MIN, T0

# --- a track's lowest point -----------------------------------------------------------------------------------------

POINTS = st.lists(
    st.tuples(st.sampled_from([1, 4, 5, 10, 31, 70]), st.integers(-30, 60) | st.floats(-1e6, 1e6)),
    max_size=40,
)


@given(POINTS, st.sampled_from([0.0, 0.5, 10.0, 20.0, 1e3]), st.sets(st.integers(0, 39)), st.data())
def test_a_value_rises_less_than_so_much_when_it_does_so_over_the_lowest_point(
    points: list[tuple[int, float]], rise: float, clears: set[int], data: st.DataObject
) -> None:
    track, at = Track(), T0
    assert track.rises_less_than(rise, 1e9)
    for index, (minutes, value) in enumerate(points):
        at += minutes * MIN
        if index in clears:
            track.clear()
            assert track.rises_less_than(rise, value)
        track.add(at, value)
        assert track.floor <= min(track.values)
        asked = value + data.draw(st.sampled_from([0.0, -5.0, 9.5, 10.0, 25.0]), label="above")
        assert track.rises_less_than(rise, asked) == (asked - min(track.values) < rise)
        assert track.floor <= min(track.values)


@given(POINTS)
def test_a_track_that_was_kept_and_read_back_answers_the_same(points: list[tuple[int, float]]) -> None:
    track, at = Track(), T0
    for minutes, value in points:
        at += minutes * MIN
        track.add(at, value)
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(track), type=Track)
        for above in (0.0, 10.0, 25.0):
            assert again.rises_less_than(20.0, value + above) == track.rises_less_than(20.0, value + above)


def test_an_old_low_that_has_left_the_track_does_not_count_for_ever() -> None:
    track = Track()
    for minute, value in ((0, 0.0), (10, 50.0), (80, 51.0), (90, 52.0)):
        track.add(T0 + minute * MIN, value)
    assert track.rises_less_than(20, 60.0)
    assert track.floor == 50.0


# --- a burst --------------------------------------------------------------------------------------------------------

STATION = Station(id="a", name="a", kind="water_level", hazard="flood", group="g", cadence_ms=10 * MIN)
KIND = city_of(STATION).kinds["water_level"]
ARRIVALS = st.lists(
    st.tuples(
        st.sampled_from([1, 15, 60, 60, 90, 150, 299, 300, 301, 600, 1_800, 1_801, 4_000, 0, -1, -120]),
        st.integers(0, 300),
        st.booleans(),
        st.sampled_from([False] * 5 + [True]),
    ),
    max_size=60,
)


def samples(
    arrivals: list[tuple[int, int, bool, bool]], *, short: bool
) -> tuple[list[list[Sample]], bytes, int | None]:
    """What is judged after each arrival (seconds later, value, pending, whether the burst's end comes before)."""
    sensor, at, judged = Sensor(STATION, KIND), T0, []
    for seconds, value, pending, flush in arrivals:
        at += seconds * 1_000
        one = Reading("a", "water_level", float(value), at, at)
        due = sensor.flush() if flush else []
        if not (short and sensor.holds(one, pending=pending)):
            due += sensor.follow(one, pending=pending)
        judged.append(due)
    return [*judged, sensor.flush()], msgspec.msgpack.encode(sensor._past), sensor.flush_at


@settings(max_examples=300)
@given(ARRIVALS)
def test_a_burst_is_judged_the_same_with_and_without_the_short_way(
    arrivals: list[tuple[int, int, bool, bool]],
) -> None:
    assert samples(arrivals, short=True) == samples(arrivals, short=False)


def test_the_short_way_is_taken_in_a_burst() -> None:
    """Else the comparison above would compare nothing."""
    sensor = Sensor(STATION, KIND)
    taken = []
    for second in range(0, 240, 30):
        at = T0 + second * 1_000
        one = Reading("a", "water_level", 20.0, at, at)
        taken.append(sensor.holds(one, pending=False))
        if not taken[-1]:
            sensor.follow(one, pending=False)
    assert taken == [False, False, True, True, True, True, True, True]


# --- the ordinary day -----------------------------------------------------------------------------------------------

HOUR = 60 * MIN
LOW = Ladder((80.0, 150.0, 200.0), deadband=5.0, hold_ms=20 * MIN)
LOWER = Ladder((40.0, None, 90.0), strict=True)
CHANGES_AT = T0 + HOUR
GROUP = (
    STATION,
    Station(id="b", name="b", kind="water_level", hazard="flood", group="g", cadence_ms=10 * MIN),
    Station(id="c", name="c", kind="water_level", hazard="flood", group="g", cadence_ms=10 * MIN),
)
CITY: City = msgspec.structs.replace(
    city_of(*GROUP),
    ladders={
        "a": (DatedLadder(FAR_PAST, FAR_FUTURE, LOW),),
        # limits fall, then there are none, then they are back: all in the run of a test
        "c": (DatedLadder(FAR_PAST, CHANGES_AT, LOW), DatedLadder(CHANGES_AT, CHANGES_AT + HOUR, LOWER),
              DatedLadder(CHANGES_AT + 2 * HOUR, FAR_FUTURE, LOW)),
    },
)  # fmt: skip
DETECTORS = detectors()
WHERE = st.tuples(st.sampled_from("abc"), st.sampled_from(["main", "main", "other"]))
CHANGE = st.sampled_from([0.0, 0.0, 0.5, 1.0, -1.0, 4.0, 9.0, 11.0, -11.0, 19.0, 21.0, -30.0, 45.0, 120.0])
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("read"), WHERE, CHANGE, st.sampled_from([0, 1, 5, 10, 10, 31, -15, -40])),
        st.tuples(
            st.sampled_from(["mark_wrong", "close", "acknowledge", "confirm", "out_of_service", "in_service", "score"]),
            WHERE, st.just(0.0), st.just(0),
        ),
    ),
    max_size=60,
)  # fmt: skip


class LongWay(Step):
    """A step that asks every voice about every reading."""

    def judge(
        self, state: GroupState, sensor: SensorState, context: Context, reading: Reading, now: int,
        events: list[Event],
    ) -> str:  # fmt: skip
        sensor.quiet = False
        return super().judge(state, sensor, context, reading, now, events)


def play(
    step: Step, moves: list[tuple[str, tuple[str, str], float, int]], start: float
) -> tuple[list[object], GroupState, int]:
    """What was said about each move, the state at the end, and how often a sensor was quiet before its reading."""
    state, now, quiet = GroupState(), T0, 0
    values: dict[tuple[str, str], float] = {}
    last: dict[tuple[str, str], Reading] = {}
    told: list[object] = []
    for number, (what, where, change, minutes) in enumerate(moves):
        events: list[Event] = []
        if what == "read":
            now = max(now, now + minutes * MIN)
            at = now + min(minutes, 0) * MIN
            value = values[where] = min(max(values.get(where, start) + change, -100.0), 250.0)
            one = last[where] = Reading(where[0], "water_level", value, at, now, where[1])
            quiet += step.sensor(state, *where).quiet
            fate = step.reading(state, one, now, events)
            told.append((fate, one.flag, one.reason, events))
        elif what == "score":
            score = float(number % 2)
            step.score(state, Score(*where, "silent", "1", now, score, "as told"), now, events)
            told.append(events)
        else:
            alert = next((alert.id for alert in state.alerts.values()), "")
            one = last.get(where, Reading(where[0], "water_level", 0.0, now, now, where[1]))
            command = Command(
                number, what, "sari", alert=alert, station=where[0], sensor=where[1], kind="water_level",
                observed_at=one.observed_at, value=one.value, received_at=one.received_at,
            )  # fmt: skip
            step.command(state, command, now, events)
            told.append(events)
    return told, state, quiet


def plain(state: GroupState) -> GroupState:
    """The state without what only the short way knows."""
    for sensor in state.sensors.values():
        sensor.quiet, sensor.past.track.floor = False, -inf
        # A rung at rest says nothing: the short way does not make one before it is needed.
        rung = sensor.rungs.get(LEVEL)
        if rung is not None and not (
            rung.severity or rung.tentative or rung.raised_at or any(rung.since or ())
        ):
            del sensor.rungs[LEVEL]
    return state


@settings(max_examples=400)
@given(moves=MOVES, start=st.sampled_from([20.0, 39.5, 79.0]))
def test_the_ordinary_day_is_judged_as_if_every_voice_had_been_asked(
    moves: list[tuple[str, tuple[str, str], float, int]], start: float
) -> None:
    short, state, _ = play(Step(CITY, DETECTORS), moves, start)
    long, other, _ = play(LongWay(CITY, DETECTORS), moves, start)
    assert short == long
    assert dump(plain(state), DETECTORS) == dump(plain(other), DETECTORS)


def test_an_ordinary_day_is_quiet_with_limits_without_and_where_they_change() -> None:
    """Else the comparison above would compare nothing."""
    for station in "abc":
        moves = [("read", (station, "main"), 0.5 * (-1) ** number, 10) for number in range(30)]
        told, _, quiet = play(Step(CITY, DETECTORS), moves, 20.0)
        assert quiet > 20
        assert told == play(LongWay(CITY, DETECTORS), moves, 20.0)[0]


def test_a_limit_that_falls_below_a_quiet_sensor_speaks_with_its_next_reading() -> None:
    moves = [("read", ("c", "main"), 0.5 * (-1) ** number, 10) for number in range(9)]
    told, state, quiet = play(Step(CITY, DETECTORS), moves, 60.0)
    assert quiet
    assert [alert.severity for alert in state.alerts.values()] == [1]
    assert told == play(LongWay(CITY, DETECTORS), moves, 60.0)[0]


def test_a_second_sensor_that_finds_the_new_limits_first_does_not_keep_them_from_the_other() -> None:
    calm = [("read", ("c", name), 0.5 * (-1) ** n, 5) for n in range(12) for name in ("main", "other")]
    told, state, _ = play(Step(CITY, DETECTORS), calm, 60.0)
    assert told == play(LongWay(CITY, DETECTORS), calm, 60.0)[0]
    assert {sensor.rungs[LEVEL].severity for sensor in state.sensors.values()} == {1}


def test_a_limit_is_reached_from_just_below_it() -> None:
    steps = (
        (("a", "main"), 0.0, 10),
        (("a", "main"), 0.5, 10),
        (("a", "main"), -0.5, 10),
        (("a", "main"), 0.5, 10),
    )
    moves = [("read", *step) for step in (*steps, *steps, (("a", "main"), 1.0, 10))]
    told, state, quiet = play(Step(CITY, DETECTORS), moves, 78.5)
    assert quiet
    assert told == play(LongWay(CITY, DETECTORS), moves, 78.5)[0]
    assert [alert.severity for alert in state.alerts.values()] == [1]


def test_what_an_operator_closed_is_told_again_when_it_ended_and_came_back() -> None:
    """Its end must be noticed although no alert is there any more and the value is below every limit."""
    where = ("a", "main")
    high = [("read", where, change, 10) for change in (0.0, 0.5, 10.0, 0.5)]
    closed = [("close", where, 0.0, 0), ("acknowledge", where, 0.0, 0)]
    low = [("read", where, change, 10) for change in (-12.0, -0.5, 0.5, -0.5, 0.5, -0.5)]
    again = [("read", where, change, 10) for change in (15.0, 0.5)]
    told, state, _ = play(Step(CITY, DETECTORS), [*high, *closed, *low, *again], 72.0)
    assert told == play(LongWay(CITY, DETECTORS), [*high, *closed, *low, *again], 72.0)[0]
    assert [alert.severity for alert in state.alerts.values()] == [1]
    assert state.muted == {}


def test_a_rise_that_an_operator_closed_is_told_again_when_it_ended_and_came_back() -> None:
    where = ("b", "main")  # no limits there: only the rise speaks
    rise = [("read", where, change, 10) for change in (0.0, 0.5, 19.0, 19.0, 19.0)]
    closed = [("close", where, 0.0, 0), ("acknowledge", where, 0.0, 0)]
    fall = [("read", where, change, 10) for change in (-19.0, -19.0, -19.0, 0.5, -0.5, 0.5, -0.5, 0.5)]
    moves = [*rise, *closed, *fall, *rise[2:]]
    told, state, quiet = play(Step(CITY, DETECTORS), moves, 10.0)
    assert quiet
    assert told == play(LongWay(CITY, DETECTORS), moves, 10.0)[0]
    assert [str(alert.key.cause) for alert in state.alerts.values()] == ["rise"]
    assert state.muted == {}
