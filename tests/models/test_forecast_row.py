"""The row of one instant is the row that training makes, to the last bit, or it is not made."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.forecast_features import HOUR_MS, Gauge, Rows, levels_of, rows
from models.forecast_row import calm_row
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


def both(own: tuple[Gauge, Recent], *above: tuple[Gauge, Recent], at: int = AT) -> tuple[Rows | None, Rows]:
    pairs = [(one, levels_of(recent, one.jump)) for one, recent in (own, *above)]
    return calm_row(at, [own, *above]), rows(np.array([at], dtype=np.int64), pairs[0], pairs[1:])


def assert_same(made: Rows | None, expected: Rows) -> None:
    assert made is not None
    for name in Rows._fields:
        one, two = getattr(made, name), getattr(expected, name)
        assert one.shape == two.shape
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two, err_msg=name)


CALM = st.lists(st.tuples(st.integers(5, 200), st.floats(-30, 30)), max_size=60)
ANY = st.lists(st.tuples(st.integers(5, 200), st.floats(-150, 150)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(CALM, CALM, st.booleans(), st.integers(0, 300))
def test_a_calm_day_gives_the_row_of_training_to_the_last_bit(
    ours: list[tuple[int, float]], theirs: list[tuple[int, float]], tidal: bool, later: int
) -> None:
    own = gauge(tide=TIDE if tidal else None), heard(ours)
    above = gauge(60 * MIN), heard(theirs)
    assert_same(*both(own, above, at=AT + later * MIN))


@settings(max_examples=150, deadline=None)
@given(ANY, CALM)
def test_a_day_with_a_jump_goes_the_long_way_and_any_other_is_the_same(
    ours: list[tuple[int, float]], theirs: list[tuple[int, float]]
) -> None:
    own, above = (gauge(), heard(ours)), (gauge(60 * MIN), heard(theirs))
    made, expected = both(own, above)
    values = own[1].values
    jumped = any(abs(after - before) > 60.0 for before, after in pairwise(values))
    assert (made is None) == jumped
    if made is not None:
        assert_same(made, expected)


def test_a_jump_of_a_gauge_upstream_goes_the_long_way_too() -> None:
    jump = heard([(10, 0.0)] * 20 + [(10, 61.0)])
    assert calm_row(AT, [(gauge(), heard([(10, 1.0)])), (gauge(), jump)]) is None
    fall = heard([(10, 0.0)] * 20 + [(10, -61.0)])
    assert calm_row(AT, [(gauge(), fall)]) is None


def test_without_readings_the_gauge_has_no_level_and_upstream_is_missing() -> None:
    made, expected = both((gauge(), Recent()), (gauge(), Recent()))
    assert_same(made, expected)
    assert made is not None
    assert math.isnan(made.now[0])
    assert made.missing.tolist() == [[True]]
    assert not made.x.any()


def test_a_gap_takes_the_next_newer_level() -> None:
    recent = heard([(10, 5.0), (300, 7.0), (10, 1.0)])
    made, expected = both((gauge(), recent))
    assert_same(made, expected)
