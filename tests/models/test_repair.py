"""Typing errors: what jumps and returns is one, what stays is the flood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.forecast_features import gauge_of, rows
from models.forecast_repair import levels
from tests.models.river import HOUR, hours

LEVELS = st.lists(st.sampled_from([0.0, 10.0, 50.0, 80.0, 120.0, 300.0]), min_size=1, max_size=40)


def marked(values: list[float], jump: float = 60.0) -> list[int]:
    found: list[int] = levels(hours(len(values)), np.array(values), jump).after.tolist()
    return found


@pytest.mark.parametrize(
    ("values", "after"),
    [
        ([580, 580, 10, 580, 590], [0, 0, 1, 0, 0]),  # back after one reading
        ([580, 580, 700, 710, 580, 580], [0, 0, 2, 1, 0, 0]),  # back after two
        ([80, 80, 140, 80, 80], [0, 0, 0, 0, 0]),  # 60 cm are no jump of more than 60
        ([80, 80, 141, 80, 80], [0, 0, 1, 0, 0]),
        ([90, 90, 215, 300, 270, 220], [0, 0, 0, 0, 0, 0]),  # a flood stays
        ([90, 90, 260, 200, 170, 150], [0, 0, 0, 0, 0, 0]),  # a flash flood falls, but not to where it was
        ([90, 90, 300, 300, 300, 90], [0, 0, 0, 0, 0, 0]),  # three readings are no slip of a pen
        ([90, 300], [0, 0]),  # nobody knows yet
    ],
)
def test_an_error_is_what_jumps_and_is_back_within_two_readings(
    values: list[float], after: list[int]
) -> None:
    assert marked(values) == after


def test_a_jump_after_a_long_silence_is_no_error() -> None:
    times = hours(5)
    times[2:] += 10 * HOUR
    assert levels(times, np.array([90.0, 90, 300, 90, 90])).after.tolist() == [0, 0, 0, 0, 0]


def test_the_level_used_instead_is_the_one_before_the_jump() -> None:
    found = levels(hours(6), np.array([580.0, 585, 700, 710, 580, 580]))
    assert found.instead[2] == 585
    assert found.instead[3] == 585


@given(LEVELS, st.integers(0, 40))
def test_what_comes_later_changes_nothing_that_was_known(values: list[float], cut: int) -> None:
    whole, part = marked(values), marked(values[:cut])
    for place, after in enumerate(part):
        known = after > 0
        assert not known or whole[place] == after
        if whole[place] and place + whole[place] < cut:
            assert known


def test_a_row_sees_an_error_only_until_the_next_reading_shows_it() -> None:
    values = np.full(400, 600.0)
    values[::50] = 680.0  # true jumps: up for three readings
    values[1::50] = 690.0
    values[2::50] = 650.0
    values[20::50] = 400.0  # errors
    series = levels(hours(400), values)
    gauge = gauge_of(series, 60.0)
    assert gauge.hold_fall == 200.0
    assert gauge.hold_rise > 80.0
    made = rows(series.times, (gauge, series), [])
    errors = np.flatnonzero(values == 400.0)
    assert (made.now[errors] == 600.0).all()
    assert made.held[errors].all()
    assert (np.abs(made.x[errors + 1]).max(axis=1) <= 90.0).all()  # nothing of the 200 cm is left in the lags
    rises = np.flatnonzero(values == 680.0)
    assert (made.now[rises] == 680.0).all()


def test_a_record_rise_is_held_back_one_reading_and_not_at_all_when_the_water_upstream_rose() -> None:
    quiet = np.full(600, 100.0)
    quiet[::60] = 170.0
    quiet[1::60] = 170.0
    quiet[2::60] = 170.0
    past = levels(hours(600), quiet)
    gauge = gauge_of(past, 60.0)
    assert gauge.hold_rise == pytest.approx(105.0)
    flash = levels(hours(40), np.array([100.0] * 30 + [400.0] * 10))
    alone = rows(flash.times, (gauge, flash), [])
    assert alone.now[29:32].tolist() == [100.0, 100.0, 400.0]
    wave = levels(hours(40), np.array([20.0] * 27 + [150.0] * 13))
    above = gauge_of(levels(hours(600), np.where(np.arange(600) % 60 < 5, 90.0, 20.0)), 60.0)
    together = rows(flash.times, (gauge, flash), [(above, wave)])
    assert together.now[29:32].tolist() == [100.0, 400.0, 400.0]
