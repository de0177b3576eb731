"""Whatever the voices say and operators do, the machine stays consistent."""

from hypothesis import given
from hypothesis import strategies as st

from pantau.alert import AlertKey, AlertState, Occasion, operate, update
from pantau.event import Transition
from pantau.ladder import Ladder, Rung

KEY = AlertKey("s", "flood", "level", "s")
TRIGGERS = ("acknowledge", "shelve", "unshelve", "out_of_service", "in_service")

steps = st.lists(
    st.one_of(
        st.tuples(st.floats(-50, 300), st.booleans(), st.integers(1, 60)),
        st.sampled_from(TRIGGERS),
    ),
    max_size=60,
)


def play(moves: list[tuple[float, bool, int] | str]) -> list[Transition]:
    ladder = Ladder((80.0, 150.0, 200.0), deadband=5.0, hold_ms=10)
    rung, alert, at = Rung(), None, 0
    log: list[Transition] = []
    for move in moves:
        if isinstance(move, str):
            if alert is not None:
                done = operate(alert, move, Occasion(at=at, now=at), until=at + 50)
                log += [done] if done else []
            continue
        value, pending, after = move
        at += after
        rung.climb(ladder, value, at, pending=pending)
        alert, transitions = update("c", KEY, alert, rung.severity, rung.tentative, Occasion(at=at, now=at))
        log += transitions
        check(alert, rung)
    return log


def check(alert: AlertState | None, rung: Rung) -> None:
    if alert is not None and alert.is_open:
        assert (alert.confirmed, alert.tentative) == (rung.severity, rung.tentative)
    else:
        assert (rung.severity, rung.tentative) == (0, 0)


@given(steps)
def test_the_log_tells_a_life_that_makes_sense(moves: list[tuple[float, bool, int] | str]) -> None:
    open_alert, n, severity = "", 0, 0
    for transition in play(moves):
        if transition.alert != open_alert:
            assert severity == 0, "a second alert was opened while the first was open"
            assert transition.what == "raised"
            open_alert, n, severity = transition.alert, 0, 0
        assert transition.n == n + 1
        assert transition.previous == severity
        n, severity = transition.n, transition.severity
        match transition.what:
            case "raised":
                assert transition.severity > transition.previous
            case "lowered":
                assert 0 < transition.severity < transition.previous
            case "closed":
                assert transition.severity == 0
            case "confirmed":
                assert transition.confirmed
                assert transition.severity <= transition.previous
            case "withdrawn":
                assert transition.severity < transition.previous


@given(steps)
def test_the_same_moves_give_the_same_log(moves: list[tuple[float, bool, int] | str]) -> None:
    assert play(moves) == play(moves)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_a_higher_level_never_gives_a_lower_severity(value: float, more: float) -> None:
    ladder = Ladder((-10.0, None, 45.0))
    assert ladder.severity_at(value + more) >= ladder.severity_at(value)


@given(st.lists(st.floats(145.0, 149.99), max_size=30))
def test_nothing_flaps_inside_the_band(values: list[float]) -> None:
    ladder = Ladder((80.0, 150.0, 200.0), deadband=5.0, hold_ms=0)
    rung = Rung()
    rung.climb(ladder, 150, 0, pending=False)
    for at, value in enumerate(values, 1):
        assert not rung.climb(ladder, value, at, pending=False)
