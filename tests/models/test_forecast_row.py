"""The row of one instant is the row that training makes, to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forecast_features import HOUR_MS, Gauge, Rows, rows
from models.forecast_repair import levels
from models.forecast_row import Row, Sight, row_of
from models.recent import Recent
from models.tide import Tide, fit_tide
from tests.detector_bench import MIN, T0

AT = T0 + 40 * HOUR_MS


def gauge(cadence_ms: int = 10 * MIN, *, tide: Tide | None = None) -> Gauge:
    ahead = (HOUR_MS, 3 * HOUR_MS) if tide else ()
    return Gauge(cadence_ms, 102.5, 60.0, 75.0, 80.0, 12.0, tide, ahead)


def tide() -> Tide:
    times = np.arange(T0 - 60 * 24 * HOUR_MS, T0, HOUR_MS, dtype=np.int64)
    found = fit_tide(times, 100 + 30 * np.sin(times / (12.42 * HOUR_MS) * 2 * math.pi))
    assert found is not None
    return found


TIDE = tide()


def heard(steps: list[tuple[int, float]], first: float = 100.0) -> Recent:
    """A last day of (minutes since the reading before, change)."""
    recent, at, value = Recent(), AT - sum(minutes for minutes, _ in steps) * MIN, first
    for minutes, change in steps:
        at, value = at + minutes * MIN, value + change
        recent.add(at, value)
    return recent


def both(own: tuple[Gauge, Recent], *above: tuple[Gauge, Recent], at: int = AT) -> tuple[Row, Rows]:
    pairs = [
        (one, levels(np.array(heard.times, dtype=np.int64), np.array(heard.values, dtype=float), one.jump))
        for one, heard in (own, *above)
    ]
    sights = [(Sight(one), recent) for one, recent in (own, *above)]
    return row_of(at, sights[0], sights[1:]), rows(np.array([at], dtype=np.int64), pairs[0], pairs[1:])


def assert_same(made: Row, expected: Rows) -> None:
    np.testing.assert_array_equal(np.array([made.x]), expected.x)
    np.testing.assert_array_equal(np.array([made.now]), expected.now)
    assert (made.missing, made.held) == (expected.missing[0].tolist(), bool(expected.held[0]))


CALM = st.lists(st.tuples(st.integers(5, 200), st.floats(-30, 30)), max_size=60)
ANY = st.lists(
    st.tuples(st.integers(5, 200), st.sampled_from([0.0, 1.5, 61.0, -61.0, 76.0, -81.0, 150.0, -150.0])),
    max_size=40,
)


@settings(max_examples=150)
@given(CALM, CALM, st.booleans(), st.integers(0, 300))
def test_a_calm_day_gives_the_row_of_training_to_the_last_bit(
    ours: list[tuple[int, float]], theirs: list[tuple[int, float]], tidal: bool, later: int
) -> None:
    own = gauge(tide=TIDE if tidal else None), heard(ours)
    above = gauge(60 * MIN), heard(theirs)
    assert_same(*both(own, above, at=AT + later * MIN))


@settings(max_examples=400)
@given(ANY, ANY, st.integers(0, 40))
def test_so_does_a_day_of_jumps_that_are_held_back_shown_to_be_errors_or_true(
    ours: list[tuple[int, float]], theirs: list[tuple[int, float]], later: int
) -> None:
    assert_same(*both((gauge(), heard(ours)), (gauge(60 * MIN), heard(theirs)), at=AT + later * MIN))


@pytest.mark.parametrize(
    ("steps", "held"),
    [
        ([0.0, 0.0, 80.0], True),  # a jump: the level before it stands
        ([0.0, 0.0, 80.0, 0.0], False),  # its successor stands by it
        ([0.0, 0.0, 80.0, -80.0], False),  # it was an error, and the way back is none
        ([0.0, 61.0, -61.0, 1.0], False),  # an error that is known
        ([0.0, 80.0, 61.0, -141.0, 1.0], False),  # an error of two readings
    ],
)
def test_jumps_and_errors_give_the_row_of_training(steps: list[float], held: bool) -> None:
    recent = heard([(10, 0.0)] * 20 + [(10, step) for step in steps])
    made, expected = both((gauge(), recent), (gauge(), heard([(10, 1.0)] * 9)))
    assert_same(made, expected)
    assert made.held == held


def test_water_that_rises_upstream_lets_a_jump_upwards_be_believed_and_none_downwards() -> None:
    rising = heard([(10, 0.0)] * 20 + [(10, 5.0)] * 4)
    for step in (80.0, -85.0):
        recent = heard([(10, 0.0)] * 20 + [(10, step)])
        made, expected = both((gauge(), recent), (gauge(), rising))
        assert_same(made, expected)
        assert made.held == (step < 0)


def test_without_readings_the_gauge_has_no_level_and_upstream_is_missing() -> None:
    made, expected = both((gauge(), Recent()), (gauge(), Recent()))
    assert_same(made, expected)
    assert math.isnan(made.now)
    assert made.missing == [True]
    assert not any(made.x)


def test_a_gap_takes_the_next_newer_level() -> None:
    recent = heard([(10, 5.0), (300, 7.0), (10, 1.0)])
    assert_same(*both((gauge(), recent)))
