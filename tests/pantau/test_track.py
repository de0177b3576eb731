"""A track: fixed memory of the last hour, and the rate it gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pantau.track import SPAN_MS, Track

MIN = 60_000


def track(*points: tuple[float, float]) -> Track:
    made = Track()
    for minute, value in points:
        made.add(round(minute * MIN), value)
    return made


@pytest.mark.parametrize(
    ("points", "rate"),
    [
        ((), None), (((0, 5),), None), (((0, 5), (4.9, 9)), None), (((0, 5), (5, 6)), 12.0), (((0, 5), (60, 3)), -2.0),
        (((0, 0), (10, 10), (20, 20)), 60.0),
    ],
)  # fmt: skip
def test_the_rate_is_that_between_the_oldest_and_the_newest_point(
    points: tuple[tuple[float, float], ...], rate: float | None
) -> None:
    assert track(*points).rate_per_h() == rate


@pytest.mark.parametrize("cadence_s", [1, 30, 60, 150, 299, 300, 301, 600])
def test_however_often_readings_come_it_reaches_back_over_half_an_hour_and_not_much_over_one(
    cadence_s: int,
) -> None:
    made = Track()
    for number in range(7200 // cadence_s + 1):
        made.add(number * cadence_s * 1000, number)
    assert 30 * MIN <= made.times[-1] - made.times[0] <= SPAN_MS + 10 * MIN


def test_after_an_hour_the_oldest_ends_but_two_points_stay() -> None:
    made = track(*((10 * n, n) for n in range(12)))
    assert made.times[1] >= made.times[-1] - SPAN_MS
    assert track((0, 1), (600, 2)).times == [0, 600 * MIN]


def test_cleared_it_knows_nothing() -> None:
    made = track((0, 1), (10, 2))
    made.clear()
    assert (made.times, made.values, made.rate_per_h()) == ([], [], None)


@given(st.lists(st.tuples(st.integers(1, 40 * MIN), st.floats(-1e4, 1e5)), max_size=80))
def test_whatever_comes_it_stays_small_in_order_and_ends_with_the_newest(
    steps: list[tuple[int, float]],
) -> None:
    made, at = Track(), 0
    for after, value in steps:
        at += after
        made.add(at, value)
        assert len(made.times) == len(made.values) <= 13
        assert made.times == sorted(set(made.times))
        assert (made.times[-1], made.values[-1]) == (at, value)
        assert len(made.times) <= 2 or made.times[-1] - made.times[1] <= SPAN_MS
