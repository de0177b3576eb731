from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simulators.interpolate import fill

MINUTE = 60_000
CADENCE = 10 * MINUTE
HOUR = 60 * MINUTE


def test_a_short_gap_is_a_straight_line_on_the_cadence() -> None:
    points = [(0, 100.0), (40 * MINUTE, 140.0)]
    assert list(fill(points, CADENCE)) == [
        (0, 100.0, False),
        (10 * MINUTE, 110.0, True),
        (20 * MINUTE, 120.0, True),
        (30 * MINUTE, 130.0, True),
        (40 * MINUTE, 140.0, False),
        (50 * MINUTE, 140.0, True),
    ]


def test_a_long_gap_is_held_until_three_hours_before_the_next_point() -> None:
    values = {at: value for at, value, _ in fill([(0, 100.0), (10 * HOUR, 280.0)], CADENCE)}
    assert {values[at] for at in range(0, 7 * HOUR + 1, CADENCE)} == {100.0}
    assert values[7 * HOUR + CADENCE] == 110.0
    assert values[8 * HOUR] == 160.0
    assert values[10 * HOUR] == 280.0


def test_exactly_three_hours_are_still_a_line() -> None:
    values = {at: value for at, value, _ in fill([(0, 0.0), (3 * HOUR, 180.0)], CADENCE)}
    assert values[10 * MINUTE] == 10.0


def test_a_point_off_the_cadence_stands_at_its_own_time() -> None:
    points = [(0, 0.0), (39 * MINUTE, 39.0), (50 * MINUTE, 50.0)]
    assert [at // MINUTE for at, _, _ in fill(points, CADENCE)] == [0, 10, 20, 30, 39, 40, 50, 60]


def test_a_later_start_takes_the_course_from_earlier_points() -> None:
    rows = list(fill([(0, 100.0), (10 * HOUR, 280.0)], CADENCE, start=HOUR + MINUTE))
    assert rows[0] == (HOUR + 10 * MINUTE, 100.0, True)
    rows = list(fill([(0, 0.0), (HOUR, 60.0)], CADENCE, start=30 * MINUTE))
    assert rows[0] == (30 * MINUTE, 30.0, True)


def test_nothing_is_made_before_the_first_point_nor_from_points_that_all_lie_before_the_start() -> None:
    assert next(fill([(HOUR, 5.0)], CADENCE, start=0)) == (HOUR, 5.0, False)
    assert list(fill([(0, 5.0)], CADENCE, start=1)) == []
    assert list(fill([], CADENCE)) == []


POINTS = st.dictionaries(st.integers(0, 40 * HOUR), st.integers(-500, 1000), min_size=1, max_size=8)


@given(POINTS, st.integers(MINUTE, HOUR), st.none() | st.integers(0, 40 * HOUR))
def test_every_published_point_stays_and_nothing_leaves_their_span(
    given_points: dict[int, int], cadence: int, start: int | None
) -> None:
    points = [(at, float(value)) for at, value in sorted(given_points.items())]
    rows = list(fill(points, cadence, start))
    assert [at for at, _, _ in rows] == sorted({at for at, _, _ in rows})
    assert [(at, value) for at, value, made in rows if not made] == [
        point for point in points if start is None or point[0] >= start
    ]
    low, high = min(value for _, value in points), max(value for _, value in points)
    assert all(low <= value <= high for _, value, _ in rows)
    last = points[-1][0] + cadence
    assert all((start or 0) <= at <= last for at, _, _ in rows)
    gaps = [after[0] - before[0] for before, after in pairwise(rows)]
    assert all(gap <= cadence for gap in gaps)
