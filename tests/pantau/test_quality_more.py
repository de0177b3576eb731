"""Quality control and the ladder in their corners: exact edges, and what a gap makes them forget."""

import pytest

from pantau.ladder import Ladder, Rung
from pantau.quality import Limits, Past, Revision, is_stale, judge
from pantau.reading import Flag, Reading

MIN = 60_000
T0 = 1_700_000_000_000
LIMITS = Limits(
    low=-100, high=1000, step=40, spike=25, flat_ms=60 * MIN, flat_above=5, gap_ms=30 * MIN, unit="cm"
)


def run(*points: tuple[float, float], past: Past | None = None) -> list[tuple[Reading, bool, list[Revision]]]:
    past, out = past or Past(), []
    for minute, value in points:
        at = T0 + round(minute * MIN)
        reading = Reading("s", "water_level", value, at, at)
        pending, _, revision = judge(past, reading, LIMITS)
        out.append((reading, pending, revision))
    return out


@pytest.mark.parametrize(("value", "fails"), [(-100, False), (1000, False), (-100.1, True), (1000.1, True)])
def test_the_ends_of_the_range_are_inside_it(value: float, fails: bool) -> None:
    [(reading, _, _)] = run((0, value))
    assert (reading.flag == Flag.FAIL) is fails


def test_after_a_gap_the_level_before_it_makes_no_reading_a_spike() -> None:
    *_, (_, _, [revision]) = run((0, 50), (10, 51), (60, 300), (70, 45))
    assert (revision.flag, revision.value) == (Flag.GOOD, 300)


def test_after_a_gap_the_track_begins_anew() -> None:
    past = Past()
    run((0, 50), (10, 51), (60, 300), (70, 301), past=past)
    assert past.track.values == [300, 301]


def test_a_gap_ends_the_neighbourhood_of_a_spike_too() -> None:
    past = Past()
    results = run((0, 50), (10, 50), (20, 80), (60, 51), (70, 51), past=past)
    assert [revision.flag for _, _, revisions in results for revision in revisions] == [Flag.GOOD, Flag.GOOD]


@pytest.mark.parametrize(("residual", "suspect"), [(25.0, False), (25.5, True)])
def test_the_spike_limit_itself_is_no_spike(residual: float, suspect: bool) -> None:
    [*_, (_, _, revisions)] = run((0, 50), (10, 50), (20, 50 + residual), (30, 50))
    assert [revision.flag for revision in revisions] == [Flag.SUSPECT] * suspect


def test_a_flat_reading_that_was_doubted_is_not_doubted_again_as_a_spike() -> None:
    flat = [(10.0 * n, 50.0) for n in range(9)]
    [*_, (_, _, revisions)] = run(*flat, (90, 50), (100, 80), (110, 50))
    assert [revision.value for revision in revisions] == [80]


def test_a_run_is_flat_after_its_limit_and_not_at_it() -> None:
    flags = [reading.flag for reading, _, _ in run(*((10.0 * n, 50.0) for n in range(9)))]
    assert flags[1:7] == [Flag.GOOD] * 6
    assert flags[7] == Flag.SUSPECT


@pytest.mark.parametrize(("value", "doubted"), [(5.0, False), (5.1, True)])
def test_a_low_flat_run_is_honest_up_to_its_limit(value: float, doubted: bool) -> None:
    flags = [reading.flag for reading, _, _ in run(*((10.0 * n, value) for n in range(9)))]
    assert (Flag.SUSPECT in flags) is doubted


def test_a_jump_that_goes_half_way_back_stands_and_one_through_the_other_side_does_not() -> None:
    half = run((0, 50), (10, 50), (20, 300), (30, 150))[3][2]
    through = run((0, 150), (10, 150), (20, 300), (30, 49))[3][2]
    assert [revision.flag for revision in half] == [Flag.GOOD]
    assert through == []


def test_three_cadences_are_not_stale_yet() -> None:
    assert not is_stale(T0, T0 + 30 * MIN, 10 * MIN)
    assert is_stale(T0, T0 + 30 * MIN + 1, 10 * MIN)


@pytest.mark.parametrize(("strict", "falls"), [(False, False), (True, True)])
def test_exactly_at_the_lower_edge_it_depends_on_the_boundary_rule(strict: bool, falls: bool) -> None:
    ladder, rung = Ladder((80.0, 150.0, 200.0), deadband=5.0, strict=strict), Rung()
    rung.climb(ladder, 160, 0, pending=False)
    assert rung.climb(ladder, 145, 1, pending=False) is falls


def test_below_the_limit_and_inside_the_deadband_nothing_falls() -> None:
    ladder, rung = Ladder((80.0, None, None), deadband=5.0), Rung()
    rung.climb(ladder, 80, 0, pending=False)
    assert not rung.climb(ladder, 75, 1, pending=False)
    assert rung.climb(ladder, 74.9, 2, pending=False)
