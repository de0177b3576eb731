"""Whatever arrives, in whatever order: the fast lane keeps its promises."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.state import GroupState, dump, load
from app.step import Fate, Step
from models.all import detectors
from pantau.event import Event, FlagRevised, Transition
from pantau.reading import Flag, Reading
from tests.virtual_service import CITY, MIN, T0, reading

DETECTORS = detectors()
ARRIVALS = st.lists(
    st.tuples(
        st.integers(-40, 400), st.floats(-50, 700, allow_nan=False), st.sampled_from(["main", "main", "b"]),
        st.integers(-3, 200), st.booleans(),
    ),
    max_size=50,
)  # fmt: skip


def play(
    arrivals: list[tuple[int, float, str, int, bool]], *, kept: bool = False
) -> tuple[Step, GroupState, list[tuple[Reading, str, list[Event]]]]:
    """Arrivals (minute observed, value, sensor, minutes under way, delivered twice) at one station."""
    step, state, now = Step(CITY, DETECTORS), GroupState(), T0
    steps = []
    for minute, value, sensor, way, twice in arrivals:
        at = T0 + minute * MIN
        now = max(now, at + way * MIN)
        for _ in range(1 + twice):
            one = reading("awan-1", value, at, received_at=at + way * MIN, sensor=sensor)
            events: list[Event] = []
            steps.append((one, step.reading(state, one, now, events), events))
            if kept:
                again = load(dump(state, DETECTORS), DETECTORS, CITY)
                assert again is not None
                state = again
    return step, state, steps


@settings(max_examples=60)
@given(ARRIVALS)
def test_only_what_is_newer_moves_the_state_and_a_second_delivery_moves_nothing(
    arrivals: list[tuple[int, float, str, int, bool]],
) -> None:
    newest: dict[str, int] = {}
    _, _, steps = play(arrivals)
    for one, fate, events in steps:
        if one.observed_at - one.received_at > 2 * MIN:
            assert (fate, events, one.flag) == (Fate.FUTURE, [], Flag.FAIL)
        elif one.observed_at > newest.get(one.sensor, 0):
            assert fate in {Fate.STEPPED, Fate.PENDING}
            newest[one.sensor] = one.observed_at
        else:
            assert fate in {Fate.DUPLICATE, Fate.CONFLICT, Fate.LATE}
            assert events == []
        assert (fate == Fate.PENDING) <= (one.flag in {Flag.SUSPECT, Flag.NOT_EVALUATED})
        assert bool(one.reason) >= (one.flag in {Flag.SUSPECT, Flag.FAIL} and fate != Fate.DUPLICATE)


@settings(max_examples=60)
@given(ARRIVALS)
def test_no_alert_has_two_lives_and_no_two_are_open_for_one_condition(
    arrivals: list[tuple[int, float, str, int, bool]],
) -> None:
    _, state, steps = play(arrivals)
    last: dict[str, Transition] = {}
    open_now: dict[tuple[str, str, str], str] = {}
    for event in (event for _, _, events in steps for event in events if isinstance(event, Transition)):
        before = last.get(event.alert)
        assert event.n == (before.n if before else 0) + 1
        assert before is None or before.severity > 0
        key = (event.scope, event.hazard, event.cause)
        assert open_now.get(key, event.alert) == event.alert
        open_now[key] = event.alert
        if event.severity == 0:
            del open_now[key]
        assert event.confirmed_severity <= event.severity
        last[event.alert] = event
    assert set(open_now.values()) == {alert.id for alert in state.alerts.values() if alert.is_open}


@settings(max_examples=40)
@given(ARRIVALS)
def test_a_state_that_is_kept_and_read_back_after_every_reading_says_the_same(
    arrivals: list[tuple[int, float, str, int, bool]],
) -> None:
    first, second = play(arrivals), play(arrivals, kept=True)
    assert [(fate, events) for _, fate, events in first[2]] == [
        (fate, events) for _, fate, events in second[2]
    ]
    assert dump(first[1], DETECTORS) == dump(second[1], DETECTORS)


@settings(max_examples=40)
@given(ARRIVALS)
def test_a_revision_is_of_a_reading_that_was_sent_and_never_changes_its_value(
    arrivals: list[tuple[int, float, str, int, bool]],
) -> None:
    sent: set[tuple[str, int, float]] = set()
    for one, _, events in play(arrivals)[2]:
        for event in events:
            if isinstance(event, FlagRevised):
                assert (event.sensor, event.observed_at, event.value) in sent
        sent.add((one.sensor, one.observed_at, one.value))


@settings(max_examples=40)
@given(ARRIVALS)
def test_what_nobody_was_told_of_ends_without_a_word(
    arrivals: list[tuple[int, float, str, int, bool]],
) -> None:
    told: set[str] = set()
    for event in (
        event for _, _, events in play(arrivals)[2] for event in events if isinstance(event, Transition)
    ):
        if event.late:
            continue
        if event.what in {"raised", "retold"}:
            told.add(event.alert)
        assert event.alert in told, event
