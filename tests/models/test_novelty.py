"""The novelty detector: what is new is told once and in words, and its parts are what they say."""

import math
import random
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detectors.novelty import DETECTOR, LARGEST
from models.novelty import DAY_MS, Events, Phase, Range, Recent, Window
from pantau.event import Score
from tests.detector_bench import MIN, T0, Runner, tide
from tests.recordings import series

values = st.floats(-1e6, 1e6, allow_nan=False)
many = st.lists(values, min_size=1, max_size=80)


def said(runner: Runner, at: int, value: float) -> Score:
    answer = runner.read(at, value)
    assert answer is not None
    return answer


def taught(days: float = 10, kind: str = "water_level") -> tuple[Runner, int]:
    """A runner that knows a calm tide between about 77 and 123, and the instant of its next reading."""
    runner = Runner(DETECTOR, kind)
    calm = tide(days)
    runner.run(calm)
    return runner, calm[-1][0] + 10 * MIN


# --- the detector ---------------------------------------------------------------------------------------------------


def test_a_value_beyond_all_that_was_seen_is_told_with_the_former_bound() -> None:
    runner, at = taught()
    high = runner.state.ranges[0].high
    answer = said(runner, at, 160)
    assert answer.score >= 0.7
    assert answer.reason == f"highest since 2026-01-01: 160 cm, before at most {high:,.0f} cm"
    assert answer.value == 160


def test_lower_than_ever_is_new_too() -> None:
    runner, at = taught()
    answer = said(runner, at, 20)
    assert answer.score >= 0.7
    assert answer.reason.startswith("lowest since 2026-01-01: 20 cm, before at least ")


def test_an_ordinary_day_after_ten_others_says_nothing() -> None:
    runner = Runner(DETECTOR)
    days = runner.run(tide(20))
    assert [answer.score for answer in days[10 * 144 :] if answer and answer.score >= 0.7] == []


def test_the_same_once_more_is_not_told_and_much_more_is() -> None:
    runner, at = taught()
    assert said(runner, at, 160).score > 0
    assert said(runner, at + 10 * MIN, 162).score == 0
    assert said(runner, at + 20 * MIN, 400).score > 0.6


def test_each_time_it_happens_it_weighs_less() -> None:
    runner, at = taught()
    scores = []
    for step in range(4):
        scores.append(said(runner, at, 160 * 1.6**step).score)
        for _ in range(100):
            at += 10 * MIN
            runner.read(at, 100)
        at += 10 * MIN
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < scores[0]


def test_within_its_range_a_value_may_be_new_for_the_time_of_day() -> None:
    """A square that is full each noon and empty each night: full at night is new though by day it is not."""
    runner = Runner(DETECTOR, "crowd_count", cadence_ms=60 * MIN)
    for hour in range(24 * 12):
        runner.read(T0 + hour * 60 * MIN, 500.0 + hour % 3 if 10 <= hour % 24 < 20 else 10.0 + hour % 3)
    night = T0 + (24 * 12 + 3) * 60 * MIN
    for hour in range(24 * 12, 24 * 12 + 3):
        runner.read(T0 + hour * 60 * MIN, 10.0)
    answer = said(runner, night, 480)
    assert answer.score >= 0.5
    assert "this time of day" in answer.reason
    assert answer.reason.startswith("480 persons, further above")


def test_the_first_twenty_readings_are_never_new() -> None:
    runner = Runner(DETECTOR)
    scores = [said(runner, T0 + step * 10 * MIN, 10.0**step).score for step in range(20)]
    assert scores == [0.0] * 20


def test_scores_come_in_steps_of_a_twentieth() -> None:
    runner, at = taught(3)
    for step in range(300):
        score = said(runner, at + step * 10 * MIN, 100 + (step * 37 % 101) * 1.1**step % 5_000).score
        assert score == round(20 * score) / 20
        assert 0 <= score <= 1


def test_after_a_day_without_readings_the_recent_level_starts_afresh() -> None:
    runner, at = taught()
    runner.read(at + DAY_MS + 10 * MIN, 118.0)
    assert runner.state.level == pytest.approx(118.0)
    assert runner.state.window.values == [118.0]


def test_a_value_too_large_to_square_is_cut() -> None:
    runner, at = taught(2)
    assert said(runner, at, 1.7e308).score <= 1
    assert runner.state.ranges[0].high == LARGEST
    assert said(runner, at + 10 * MIN, -1.7e308).score <= 1


def test_times_that_stand_still_or_run_back_are_taken() -> None:
    runner, at = taught(2)
    for jump in (0, -10 * MIN, 0):
        assert 0 <= said(runner, at + jump, 100.0).score < 0.7


@given(st.lists(st.tuples(st.integers(1, 3 * DAY_MS), values), min_size=1, max_size=120), st.data())
def test_a_restart_anywhere_changes_nothing_and_the_future_is_unknown(
    steps: list[tuple[int, float]], data: st.DataObject
) -> None:
    at, readings = T0, []
    for gap, value in steps:
        at += gap
        readings.append((at, value))
    cut = data.draw(st.integers(0, len(readings)))
    whole, parted, prefix = (Runner(DETECTOR) for _ in range(3))
    undisturbed = whole.run(readings)
    before = parted.run(readings[:cut])
    parted.reload()
    assert before + parted.run(readings[cut:]) == undisturbed
    assert DETECTOR.dump(parted.state) == DETECTOR.dump(whole.state)
    assert prefix.run(readings[:cut]) == undisturbed[:cut]


def test_a_full_state_keeps_below_eight_kilobytes() -> None:
    runner, at = taught(12)
    for step in range(2_000):  # grows without end, so that every slot and every event is long in bytes
        runner.read(at + step * 5 * MIN, math.pi * 1.02**step)
    body = DETECTOR.dump(runner.state)
    assert len(runner.state.events.sizes) <= 60
    assert 6_000 < len(body) <= 8_000


def test_another_versions_state_starts_afresh() -> None:
    runner, _ = taught(1)
    assert DETECTOR.load("0", DETECTOR.dump(runner.state), runner.station, runner.kind) is None


@pytest.mark.parametrize(
    ("file", "most_a_week"),
    [("water_ciliwung/ciliwung_2021-10_2024-05.csv", 0.1), ("crowd_leeds/leeds_2013_2014.csv", 0.1)],
)
def test_on_real_rivers_and_streets_it_would_alarm_less_than_once_in_ten_weeks(
    file: str, most_a_week: float
) -> None:
    alarms, weeks = 0, 0.0
    for readings in list(series(file).values())[:2]:
        half = readings[: len(readings) // 2]
        answers = Runner(DETECTOR).run(half)
        alarms += sum(DETECTOR.ladder.severity_at(answer.score) > 0 for answer in answers if answer)
        weeks += (half[-1][0] - half[0][0]) / (7 * DAY_MS)
    assert alarms / weeks <= most_a_week


def test_a_state_that_lacks_a_part_starts_afresh() -> None:
    runner, _ = taught(1)
    runner.state.phase.lows.pop()
    assert DETECTOR.load(DETECTOR.version, DETECTOR.dump(runner.state), runner.station, runner.kind) is None
    runner, _ = taught(1)
    runner.state.ranges.pop()
    assert DETECTOR.load(DETECTOR.version, DETECTOR.dump(runner.state), runner.station, runner.kind) is None


# --- its parts ------------------------------------------------------------------------------------------------------


def test_an_excess_is_measured_in_widths() -> None:
    """Between 0 and 10 thirty times, then 20: e = 10, w = 10 but for what was forgotten, the scatter by hand."""
    known = Range()
    level, scatter = 0.0, 0.0
    for step in range(30):
        value = 10.0 * (step % 2)
        assert known.excess(value) == 0 or step < 2 or abs(known.edge - value) < 0.01
        if step:
            scatter += 0.01 * (abs(value - level) - scatter)
            level += 0.01 * (value - level)
    width = known.high - known.low
    assert width == pytest.approx(10, abs=0.01)
    excess = 20 - known.high
    assert known.excess(20.0) == pytest.approx(excess / (width + excess + 3 * scatter), rel=1e-9)
    assert known.excess(-10.0) < 0


@given(many)
def test_inside_its_range_nothing_is_in_excess_and_outside_everything(numbers: list[float]) -> None:
    known = Range()
    for count, value in enumerate(numbers):
        low, high = known.low, known.high
        told = known.excess(value)
        assert abs(told) <= 1
        if count < 20 or low <= value <= high:
            assert told == 0
        else:
            assert math.copysign(1, told) == (1 if value > high else -1)


def test_recently_means_the_last_thousand_or_a_block_more() -> None:
    luck = random.Random(1)
    known, last = Recent(), deque[float](maxlen=1_000)
    for step in range(3_000):
        value = luck.gauss(0, 1 + step % 700)
        known.excess(value)
        last.append(value)
        assert known.range.low <= min(last)
        assert known.range.high >= max(last)


def test_what_is_older_than_eleven_blocks_is_new_again() -> None:
    known = Recent()
    known.excess(50.0)
    for step in range(1_100):
        known.excess(float(step % 2))
    assert known.range.high == 1.0
    assert known.excess(50.0) > 0.5


@given(many)
def test_the_window_has_the_means_of_the_last_values(numbers: list[float]) -> None:
    window = Window()
    for count in range(1, len(numbers) + 1):
        window.add(numbers[count - 1])
        last = numbers[:count]
        expected = sum(last[-20:]) / len(last[-20:]), sum(last[-5:]) / len(last[-5:])
        assert window.means() == pytest.approx(expected, abs=1e-6)


def test_a_huge_value_leaves_no_rounding_error_behind() -> None:
    window = Window()
    for step in range(60):
        window.add(1e100 if step == 25 else 3.0)
    assert window.means() == (3.0, 3.0)


def test_each_five_minutes_of_the_day_have_a_range_of_their_own() -> None:
    phase = Phase()
    assert phase.outside(T0, 10.0) is None
    assert phase.outside(T0 + 5 * MIN, 90.0) is None
    assert phase.outside(T0 + DAY_MS, 12.0) == 2.0
    assert phase.outside(T0 + 2 * DAY_MS + 4 * MIN, 9.0) == pytest.approx(9.0 - 10.2)
    assert phase.outside(T0 + 3 * DAY_MS, 11.0) == 0.0


def test_an_event_weighs_by_how_often_its_like_has_been() -> None:
    events = Events()
    assert events.weigh(0, 0.4) == 0.4
    assert events.weigh(74, 0.5) == 0, "not a quarter louder, and not yet 75 readings ago"
    assert events.weigh(74, 0.51) == pytest.approx(0.51 / (1 + 2 * math.exp(-74 / 4_000)))
    assert events.weigh(1_000, 0.9) == 0.9, "what is far weaker does not count"
    assert events.weigh(5_000, 0.9) == pytest.approx(0.9 / (1 + 2 * math.exp(-1)))
    assert events.places == [0, 74, 1_000, 5_000]


def test_a_weak_event_right_after_a_strong_one_leaves_no_trace() -> None:
    events = Events()
    events.weigh(0, 0.5)
    events.weigh(10, 0.5)
    assert events.sizes == [0.5]


def test_only_the_newest_sixty_events_are_remembered() -> None:
    events = Events()
    for step in range(100):
        assert events.weigh(step * 100, 0.001 * 1.05**step) > 0
    assert events.places == [step * 100 for step in range(40, 100)]
