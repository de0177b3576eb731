"""The last day of a gauge: what stood there when, however it is cut."""

import bisect
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from models.recent import SPAN_MS, Recent

MIN = 60_000
READINGS = st.lists(st.tuples(st.integers(-3, 90), st.floats(-1e4, 1e4)), max_size=80)


@given(READINGS, st.integers(0, 600))
def test_it_tells_the_newest_value_of_an_instant(readings: list[tuple[int, float]], back: int) -> None:
    recent, all_of_them, at = Recent(), dict[int, float](), 0
    for minutes, value in readings:
        at += minutes * MIN
        recent.add(at, value)
        if not all_of_them or at > max(all_of_them):
            all_of_them[at] = value
    times = sorted(all_of_them)
    assert recent.times == sorted(set(recent.times))
    asked = (times[-1] if times else 0) - back * MIN
    found = recent.at(asked, 30 * MIN)
    if found is not None:
        then = recent.times[bisect.bisect_right(recent.times, asked) - 1]
        assert found == all_of_them[then]
        assert 0 <= asked - then <= 30 * MIN
    elif times:
        assert not [then for then in recent.times if asked - 30 * MIN <= then <= asked]


def test_it_stays_small_and_reaches_a_day_back() -> None:
    recent = Recent()
    for second in range(0, 30 * 3600, 20):
        recent.add(second * 1000, 123.4)
    assert len(msgspec.msgpack.encode(recent)) < 6_500
    assert recent.times[-1] - recent.times[0] >= SPAN_MS - 10 * MIN


@given(READINGS, st.integers(0, 79))
def test_the_order_and_the_steepest_change_are_those_of_its_values_from_whichever_reading_on_they_are_asked(
    readings: list[tuple[int, float]], asked_from: int
) -> None:
    recent, at = Recent(), 0
    for number, (minutes, value) in enumerate(readings):
        at += minutes * MIN
        recent.add(at, value)
        if number >= asked_from:
            steps = [abs(after - before) for before, after in pairwise(recent.values)]
            assert recent.ordered == sorted(recent.values)
            assert recent.steepest == max(steps, default=0.0)
    assert msgspec.msgpack.encode(recent) == msgspec.msgpack.encode([recent.times, recent.values])


def test_a_jump_is_the_steepest_change_until_the_reading_before_it_is_forgotten() -> None:
    recent = Recent()
    for hour in range(60):
        recent.add(hour * 60 * MIN, 100.0 if hour >= 20 else 0.5 * hour)
        expected = max((abs(after - before) for before, after in pairwise(recent.values)), default=0.0)
        assert recent.steepest == expected
    assert recent.steepest == 0.0
