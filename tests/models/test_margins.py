"""Margins that learn from their own errors, and what a band says about a limit."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.margins import Margins, beyond, crossings
from models.travel import Course
from pantau.outlook import OutlookStep
from tests.detector_bench import MIN, T0

HOUR = 60 * MIN
LEADS = (HOUR, 2 * HOUR, 3 * HOUR)


def courses(at: int, level: float, *, moving: bool = False) -> list[Course]:
    return [Course(at + lead, level, level, level, moving) for lead in LEADS]


def run(margins: Margins, errors: list[float], *, moving: bool = False, spacing: float = 100.0) -> list[bool]:
    """Forecast 0 each hour, let the level be the next error; whether it lay in the band of the first lead."""
    inside, at, last = [], T0, None
    for error in errors:
        at += HOUR
        if last is not None:
            inside.append(last.low <= error <= last.high)
        margins.learn(at, error, LEADS)
        made = courses(at, 0.0, moving=moving)
        steps = margins.widen(made, spacing)
        margins.remember(at, made, steps, LEADS)
        last = steps[0]
    return inside


@pytest.mark.parametrize("size", [5.0, 40.0, 150.0])
@pytest.mark.parametrize("moving", [False, True])
def test_nine_of_ten_levels_come_to_lie_in_the_band_whatever_the_errors(size: float, moving: bool) -> None:
    noise = random.Random(1)
    inside = run(Margins.start(LEADS, HOUR), [noise.gauss(0, size) for _ in range(6_000)], moving=moving)
    assert 0.88 <= sum(inside[2_000:]) / len(inside[2_000:]) <= 0.93


def test_a_side_that_is_missed_widens_and_the_other_narrows() -> None:
    margins = Margins.start(LEADS, HOUR)
    before = margins.widen(courses(T0, 0.0), 100.0)[0]
    run(margins, [80.0] * 5)
    after = margins.widen(courses(T0, 0.0), 100.0)[0]
    assert after.high > before.high
    assert after.low > before.low


def test_quiet_hours_do_not_narrow_the_band_of_floods() -> None:
    margins = Margins.start(LEADS, HOUR)
    before = margins.widen(courses(T0, 0.0, moving=True), 100.0)
    run(margins, [0.0] * 500)
    assert margins.widen(courses(T0, 0.0, moving=True), 100.0) == before
    assert margins.widen(courses(T0, 0.0), 100.0)[0].high < before[0].high


def test_a_forecast_for_an_instant_in_a_gap_teaches_nothing() -> None:
    margins = Margins.start(LEADS, HOUR)
    made = courses(T0, 0.0)
    margins.remember(T0, made, margins.widen(made, 100.0), LEADS)
    before = margins.sides
    margins.learn(T0 + 7 * HOUR, 500.0, LEADS)
    assert margins.sides == before
    assert margins.issues == []


def test_nothing_is_learnt_before_its_instant_has_come() -> None:
    margins = Margins.start(LEADS, HOUR)
    made = courses(T0, 0.0)
    margins.remember(T0, made, margins.widen(made, 100.0), LEADS)
    before = margins.sides
    margins.learn(T0 + HOUR - 1, 500.0, LEADS)
    assert margins.sides == before
    margins.learn(T0 + HOUR, 500.0, LEADS)
    assert margins.sides != before


def test_one_forecast_in_each_first_lead_is_remembered() -> None:
    margins = Margins.start(LEADS, HOUR)
    for minute in range(0, 180, 10):
        made = courses(T0 + minute * MIN, 0.0)
        margins.remember(T0 + minute * MIN, made, margins.widen(made, 100.0), LEADS)
    assert [issue.at for issue in margins.issues] == [T0, T0 + HOUR, T0 + 2 * HOUR]


@pytest.mark.parametrize(
    "strange",
    [Margins(b""), Margins(b"1" * 47), Margins(b"\xff" * 48), Margins(b"\x00" * 48)],
)
def test_margins_that_do_not_fit_are_seen(strange: Margins) -> None:
    assert not strange.fits(3)
    assert Margins.start(LEADS, HOUR).fits(3)
    assert not Margins.start(LEADS, HOUR).fits(2)


# --- a limit and a band ---------------------------------------------------------------------------------------------


def test_at_the_middle_a_limit_is_reached_as_often_as_not_and_at_the_edge_one_time_in_twenty() -> None:
    step = OutlookStep(T0, 80.0, 100.0, 140.0)
    assert beyond(step, 100.0) == pytest.approx(0.5)
    assert beyond(step, 140.0) == pytest.approx(0.05, abs=1e-4)
    assert beyond(step, 80.0) == pytest.approx(0.95, abs=1e-4)


def test_a_band_of_no_width_is_sure() -> None:
    step = OutlookStep(T0, 100.0, 100.0, 100.0)
    assert [beyond(step, limit) for limit in (99.0, 100.0, 101.0)] == [1.0, 1.0, 0.0]


def test_a_crossing_has_the_likeliest_steps_probability_and_the_middles_instant() -> None:
    steps = (OutlookStep(T0 + HOUR, 80, 100, 140), OutlookStep(T0 + 2 * HOUR, 150, 200, 260))
    found = crossings(100.0, T0, steps, (100.0, 150.0, 230.0))
    assert [(each.severity, each.limit) for each in found] == [(2, 150.0), (3, 230.0)], (
        "100 is reached already"
    )
    assert found[0].expected_at == T0 + HOUR + HOUR // 2
    assert found[0].probability == pytest.approx(0.95, abs=1e-3)
    assert found[1].expected_at is None
    assert 0.05 < found[1].probability < 0.5


STEPS = st.lists(
    st.tuples(st.floats(-500, 1500), st.floats(0, 400), st.floats(0, 400)), min_size=1, max_size=9
).map(
    lambda rows: tuple(
        OutlookStep(T0 + (i + 1) * HOUR, middle - low, middle, middle + high)
        for i, (middle, low, high) in enumerate(rows)
    )
)


@settings(max_examples=300)
@given(STEPS, st.floats(-500, 1500), st.lists(st.floats(-400, 1400), min_size=3, max_size=3, unique=True))
def test_probabilities_lie_between_0_and_1_fall_with_the_limit_and_come_with_an_instant_in_the_future(
    steps: tuple[OutlookStep, ...], value: float, limits: list[float]
) -> None:
    found = crossings(value, T0, steps, sorted(limits))
    assert [each.limit for each in found] == [limit for limit in sorted(limits) if limit > value]
    probabilities = [each.probability for each in found]
    assert all(0 <= p <= 1 for p in probabilities)
    assert probabilities == sorted(probabilities, reverse=True)
    for each in found:
        reached = any(step.middle >= each.limit for step in steps)
        assert (each.expected_at is not None) == reached
        assert each.expected_at is None or T0 <= each.expected_at <= steps[-1].at
        assert not reached or each.probability >= 0.5
