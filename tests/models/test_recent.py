"""The last day of a gauge: what stood there when, however it is cut."""

import bisect

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
