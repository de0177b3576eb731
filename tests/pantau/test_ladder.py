"""The ladder and where a voice stands on it."""

import pytest

from pantau.ladder import Ladder, Rung

MIN = 60_000
LADDER = Ladder((80.0, 150.0, 200.0), deadband=5.0, hold_ms=10 * MIN)


@pytest.mark.parametrize(
    ("value", "severity"), [(-20, 0), (79.9, 0), (80, 1), (149, 1), (150, 2), (200, 3), (999, 3)]
)
def test_a_value_on_a_limit_reaches_it(value: float, severity: int) -> None:
    assert LADDER.severity_at(value) == severity


def test_a_strict_ladder_needs_more_than_the_limit() -> None:
    strict = Ladder((80.0, 150.0, 200.0), strict=True)
    assert (strict.severity_at(80), strict.severity_at(80.1), strict.severity_at(200)) == (0, 1, 2)


def test_zero_and_negative_limits_are_limits() -> None:
    ladder = Ladder((-50.0, 0.0, 45.0))
    assert [ladder.severity_at(value) for value in (-51, -50, -1, 0, 44, 45)] == [0, 1, 1, 2, 2, 3]


def test_a_partial_ladder_skips_what_it_does_not_have() -> None:
    ladder = Ladder((None, 150.0, None), deadband=5.0)
    assert [ladder.severity_at(value) for value in (0, 149, 150, 9999)] == [0, 0, 2, 2]
    rung = Rung()
    rung.climb(ladder, 160, 0, pending=False)
    rung.climb(ladder, 100, MIN, pending=False)
    assert rung.severity == 0  # severity 1 has no limit to hang on


def test_a_jump_over_all_limits_raises_the_highest_at_once() -> None:
    rung = Rung()
    assert rung.climb(LADDER, 250, 0, pending=False)
    assert rung.severity == 3


def test_a_falling_river_keeps_its_severity_until_below_the_deadband_for_the_hold() -> None:
    rung = Rung()
    rung.climb(LADDER, 160, 0, pending=False)
    for at, value in ((1, 149), (5, 146), (9, 145)):  # 145 is not below 150 - 5
        assert not rung.climb(LADDER, value, at * MIN, pending=False)
    assert not rung.climb(LADDER, 144, 10 * MIN, pending=False)
    assert not rung.climb(LADDER, 144, 19 * MIN, pending=False)
    assert rung.climb(LADDER, 144, 20 * MIN, pending=False)
    assert rung.severity == 1


def test_one_value_back_in_the_band_starts_the_hold_anew() -> None:
    rung = Rung()
    rung.climb(LADDER, 160, 0, pending=False)
    rung.climb(LADDER, 140, 1 * MIN, pending=False)
    rung.climb(LADDER, 146, 9 * MIN, pending=False)
    rung.climb(LADDER, 140, 10 * MIN, pending=False)
    assert not rung.climb(LADDER, 140, 19 * MIN, pending=False)
    assert rung.climb(LADDER, 140, 20 * MIN, pending=False)


def test_a_gap_breaks_the_hold() -> None:
    rung = Rung()
    rung.climb(LADDER, 160, 0, pending=False)
    rung.climb(LADDER, 10, 1 * MIN, pending=False)
    rung.break_hold()
    assert not rung.climb(LADDER, 10, 60 * MIN, pending=False)
    assert rung.climb(LADDER, 10, 70 * MIN, pending=False)
    assert rung.severity == 0


def test_falling_below_several_limits_lowers_by_what_was_held_below_each() -> None:
    rung = Rung()
    rung.climb(LADDER, 250, 0, pending=False)
    rung.climb(LADDER, 120, 10 * MIN, pending=False)  # below 2 and 3
    rung.climb(LADDER, 10, 15 * MIN, pending=False)  # below 1 only from here
    rung.climb(LADDER, 10, 20 * MIN, pending=False)
    assert rung.severity == 1
    rung.climb(LADDER, 10, 25 * MIN, pending=False)
    assert rung.severity == 0


def test_without_deadband_and_hold_it_falls_at_once() -> None:
    rung = Rung()
    bare = Ladder((80.0, 150.0, 200.0))
    rung.climb(bare, 150, 0, pending=False)
    rung.climb(bare, 149, 1, pending=False)
    assert rung.severity == 1


def test_the_next_value_confirms_the_lesser_of_the_two() -> None:
    rung = Rung()
    rung.climb(LADDER, 250, 0, pending=True)
    assert (rung.severity, rung.tentative) == (0, 3)
    rung.climb(LADDER, 160, MIN, pending=False)
    assert (rung.severity, rung.tentative) == (2, 0)


def test_a_pending_jump_that_returns_leaves_nothing() -> None:
    rung = Rung()
    rung.climb(LADDER, 250, 0, pending=True)
    rung.climb(LADDER, 20, MIN, pending=False)
    assert (rung.severity, rung.tentative) == (0, 0)


def test_a_pending_fall_does_not_lower() -> None:
    rung = Rung()
    bare = Ladder((80.0, 150.0, 200.0))
    rung.climb(bare, 160, 0, pending=False)
    rung.climb(bare, 0, MIN, pending=True)
    assert rung.severity == 2
    rung.climb(bare, 0, 2 * MIN, pending=False)
    assert rung.severity == 0


def test_a_wrong_reading_is_taken_back_to_what_was_before() -> None:
    rung = Rung()
    rung.climb(LADDER, 90, 0, pending=False)
    rung.climb(LADDER, 210, MIN, pending=False)
    assert rung.take_back()
    assert rung.severity == 1
