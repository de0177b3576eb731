"""The hour-of-week baseline: warming up, learning, and real streets with an invented surge."""

import math
import random

import pytest

from models.detectors.hour_of_week import DETECTOR
from pantau.event import Score
from tests.detector_bench import T0, Runner
from tests.recordings import series

HOUR = 3_600_000
WEEK = 168


def _crowd(hour: int) -> float:
    """Invented: busy by day, empty at night, a little scatter."""
    return (
        max(0.0, round(200 * math.sin((hour % 24 - 6) * math.pi / 16)) if 6 <= hour % 24 <= 22 else 0)
        + hour % 3
    )


def _weeks(count: float) -> list[tuple[int, float]]:
    return [(T0 + hour * HOUR, _crowd(hour)) for hour in range(round(count * WEEK))]


def _taught(weeks: float = 5) -> Runner:
    runner = Runner(DETECTOR, "crowd_count", cadence_ms=HOUR)
    runner.run(_weeks(weeks))
    return runner


def _ask(runner: Runner, hour: int, value: float) -> Score:
    answer = runner.read(T0 + hour * HOUR, value)
    assert answer is not None
    return answer


def test_nothing_is_said_in_the_first_three_weeks_and_everything_judged_afterwards() -> None:
    answers = Runner(DETECTOR, "crowd_count", cadence_ms=HOUR).run(_weeks(4))
    assert not any(answers[: 3 * WEEK])
    assert all(answers[3 * WEEK :])


def test_an_ordinary_week_scores_nothing() -> None:
    answers = _taught().run([(T0 + hour * HOUR, _crowd(hour)) for hour in range(5 * WEEK, 6 * WEEK)])
    assert [answer.score for answer in answers if answer] == [0.0] * WEEK


def test_three_times_the_usual_is_told_with_what_is_usual() -> None:
    answer = _ask(_taught(), 5 * WEEK + 14, 600)
    assert answer.score >= 0.5
    assert answer.reason.startswith("600 persons, usually ")
    assert answer.reason.endswith(" at this hour of the week")
    low, high = map(int, answer.reason.split()[3].split("-"))
    assert low < _crowd(14) < high < 300


def test_a_crowd_at_night_is_extraordinary_though_by_day_it_would_be_nothing() -> None:
    assert _ask(_taught(), 5 * WEEK + 3, 100).score >= 0.5
    assert _ask(_taught(), 5 * WEEK + 14, 100).score == 0.0


def test_fewer_than_usual_is_not_its_business() -> None:
    assert _ask(_taught(), 5 * WEEK + 14, 0).score == 0.0


def test_a_surge_hardly_moves_what_is_usual() -> None:
    calm, surged = _taught(), _taught()
    for runner, value in ((calm, _crowd(14)), (surged, 5_000.0)):
        runner.read(T0 + (5 * WEEK + 14) * HOUR, value)
        runner.read(T0 + (5 * WEEK + 15) * HOUR, _crowd(15))
    slot = (T0 // HOUR + 14) % WEEK
    usual, after = calm.state.mean[slot] ** 2, surged.state.mean[slot] ** 2
    assert usual < after < 1.2 * usual
    assert _ask(surged, 6 * WEEK + 14, 600).score >= 0.5


def test_a_new_ordinary_is_learnt_within_two_months() -> None:
    runner = _taught()
    busier = [(T0 + hour * HOUR, 1.6 * _crowd(hour)) for hour in range(5 * WEEK, 14 * WEEK)]
    scores = [answer.score for answer in runner.run(busier) if answer]
    assert max(scores[-WEEK:]) < 0.25


def test_many_readings_an_hour_weigh_like_one() -> None:
    """Else a camera that sends each minute would forget within an hour what it knew of the week."""
    once, often = (Runner(DETECTOR, "crowd_count", cadence_ms=HOUR) for _ in range(2))
    once.run([(at, 50.0) for at, _ in _weeks(2)])
    often.run([(at + minute * 60_000, 50.0) for at, _ in _weeks(2) for minute in range(0, 60, 12)])
    assert list(once.state.mean) == pytest.approx(list(often.state.mean))
    assert once.state.weeks == often.state.weeks


def test_a_negative_count_is_taken_for_none() -> None:
    assert _ask(_taught(), 5 * WEEK + 14, -3).score == 0.0


@pytest.mark.parametrize("station", ["Briggate", "AlbionStNorth"])
def test_on_a_real_street_a_tripled_hour_is_found_and_the_rest_is_mostly_quiet(station: str) -> None:
    counts = series("crowd_leeds/leeds_2013_2014.csv")[station]
    judged_from = counts[0][0] + 26 * WEEK * HOUR
    choice = random.Random(7)
    busy = [at for at, value in counts if at >= judged_from and 8 <= at // HOUR % 24 <= 20 and value > 200]
    surges = set(choice.sample(busy, 60))
    changed = [(at, value * 3 if at in surges else value) for at, value in counts]
    found, false = 0, 0
    for answer in Runner(DETECTOR, "crowd_count", cadence_ms=HOUR).run(changed):
        if answer is None or answer.at < judged_from or answer.score < 0.5:
            continue
        found, false = (found + 1, false) if answer.at in surges else (found, false + 1)
    weeks = (counts[-1][0] - judged_from) / (WEEK * HOUR)
    assert found / len(surges) >= 0.7
    assert false / weeks <= 3, "hours, not alarms: Christmas and festivals count too"
