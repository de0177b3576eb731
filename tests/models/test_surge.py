"""Surges: warming up, learning, busy days, holidays, clocks, single wrong counts, and real streets."""

import math
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from models.detector import Detector
from models.detectors.surge import DETECTOR, Surge
from models.evaluations import crowd, crowd_models
from models.seasonal import CLIP, GREATEST, LEAST, Seasonal
from models.seasonal_clock import Clock
from models.train import series_of
from pantau.event import Score
from tests.detector_bench import T0, Runner, city_of
from tests.recordings import series

MIN = 60_000
HOUR = 60 * MIN
DAY, WEEK = 24, 168


def _crowd(hour: int) -> float:
    """Invented: busy by day, empty at night, a little scatter."""
    by_day = 200 * math.sin((hour % DAY - 6) * math.pi / 16) if 6 <= hour % DAY <= 22 else 0
    return round(max(0.0, by_day)) + hour * 7919 % 11


def _hours(first: float, last: float, factor: float = 1.0) -> list[tuple[int, float]]:
    return [(T0 + hour * HOUR, factor * _crowd(hour)) for hour in range(round(first), round(last))]


def _taught(weeks: float = 5, detector: Detector = DETECTOR) -> Runner:
    runner = Runner(detector, "crowd_count", cadence_ms=HOUR)
    runner.run(_hours(0, weeks * WEEK))
    return runner


def _ask(runner: Runner, hour: int, value: float) -> Score:
    answer = runner.read(T0 + hour * HOUR, value)
    assert answer is not None
    return answer


def _usual(runner: Runner, hour: int) -> float:
    return float(runner.state.seasonal.mean[(T0 // HOUR + hour) % WEEK])


def _local(zone: str, *holidays: date) -> Surge:
    return DETECTOR.of(replace(city_of(), timezone=zone, holidays=dict.fromkeys(holidays, "holiday")))


def test_nothing_is_said_in_the_first_three_weeks_and_everything_judged_afterwards() -> None:
    answers = Runner(DETECTOR, "crowd_count", cadence_ms=HOUR).run(_hours(0, 4 * WEEK))
    assert not any(answers[: 3 * WEEK])
    assert all(answers[3 * WEEK :])


def test_ordinary_weeks_have_at_most_one_alarm_each() -> None:
    answers = _taught(15).run(_hours(15 * WEEK, 25 * WEEK))
    assert crowd.episodes([answer.at for answer in answers if answer and answer.score >= 0.5]) <= 10


def test_three_times_the_usual_is_told_with_what_was_expected() -> None:
    runner = _taught(5 + 13 / WEEK)
    answer = _ask(runner, 5 * WEEK + 13, 600)
    assert answer.score >= 0.5
    assert answer.reason.startswith("600 persons, expected up to ")
    assert "usual at this hour of the week " in answer.reason
    most = float(answer.reason.split()[5])
    assert _crowd(13) < most < 400


@pytest.mark.parametrize(("hour", "alarm"), [(3, True), (14, False)])
def test_a_crowd_at_night_is_extraordinary_though_by_day_it_would_be_nothing(hour: int, alarm: bool) -> None:
    assert (_ask(_taught(5 + hour / WEEK), 5 * WEEK + hour, 120).score >= 0.5) is alarm


def test_fewer_than_expected_is_not_its_business() -> None:
    assert _ask(_taught(), 5 * WEEK, 0).score == 0.0


def test_a_negative_count_is_taken_for_none() -> None:
    assert _ask(_taught(), 5 * WEEK, -3).score == 0.0


def test_a_busy_day_stays_busy_and_a_surge_that_sets_in_does_not() -> None:
    """Half more from the morning on is expected at noon; the same count out of an ordinary day is not."""
    busy, ordinary = _taught(), _taught()
    busy.run(_hours(5 * WEEK, 5 * WEEK + 13, 1.5))
    ordinary.run(_hours(5 * WEEK, 5 * WEEK + 13))
    count = 1.7 * _crowd(5 * WEEK + 13)
    calm, told = _ask(busy, 5 * WEEK + 13, count), _ask(ordinary, 5 * WEEK + 13, count)
    assert calm.score < 0.5 <= told.score
    assert " % above it)" in calm.reason


@given(count=st.floats(0, 1e12), hour=st.integers(0, WEEK - 1))
@settings(max_examples=40)
def test_no_surge_raises_what_is_usual_by_more_than_its_clip(count: float, hour: int) -> None:
    runner = _TAUGHT.again()
    runner.run(_hours(5 * WEEK, 5 * WEEK + hour))
    before, seasonal = _usual(runner, hour), runner.state.seasonal
    seasonal.enter(T0 + (5 * WEEK + hour) * HOUR, holiday=False)
    expected = seasonal.expect(0.0, None)
    _ask(runner, 5 * WEEK + hour, count)
    runner.run(_hours(5 * WEEK + hour + 1, 5 * WEEK + hour + 2))
    most = max(expected.expected + CLIP * expected.spread - before, 0.0)
    assert _usual(runner, hour) - before <= 0.2 * most + 1e-4


class _Taught:
    """Five weeks learnt once, for many questions."""

    def __init__(self) -> None:
        self._body: bytes | None = None

    def again(self) -> Runner:
        if self._body is None:
            self._body = DETECTOR.dump(_taught().state)
        runner = Runner(DETECTOR, "crowd_count", cadence_ms=HOUR)
        runner.state = DETECTOR.load(DETECTOR.version, self._body, runner.station, runner.kind)
        return runner


_TAUGHT = _Taught()


@given(
    readings=st.lists(
        st.tuples(st.integers(1, 40 * HOUR), st.floats(allow_nan=False, allow_infinity=False)), max_size=60
    )
)
@settings(max_examples=60)
def test_any_counts_at_any_times_give_scores_and_a_state_that_comes_back(
    readings: list[tuple[int, float]],
) -> None:
    kept, moved, at = _TAUGHT.again(), _TAUGHT.again(), T0 + 5 * WEEK * HOUR
    for step, value in readings:
        at += step
        moved.reload()
        answers = kept.read(at, value), moved.read(at, value)
        assert answers[0] == answers[1]
        assert answers[0] is None or 0.0 <= answers[0].score <= 1.0
    assert DETECTOR.dump(kept.state) == DETECTOR.dump(moved.state)
    assert len(DETECTOR.dump(kept.state)) < 2_000


def test_a_new_ordinary_is_learnt_within_two_months() -> None:
    runner = _taught()
    answers = runner.run(_hours(5 * WEEK, 14 * WEEK, 1.6))
    by_day = [answer.score for answer in answers if answer and (answer.value or 0) > 50]
    assert max(by_day[-90:]) < 0.5
    assert _usual(runner, 13) ** 2 == pytest.approx(1.6 * _crowd(13), rel=0.1)


def test_many_readings_an_hour_weigh_like_one() -> None:
    """Else a camera that sends each minute would forget within an hour what it knew of the week."""
    once, often = (Runner(DETECTOR, "crowd_count", cadence_ms=HOUR) for _ in range(2))
    once.run([(at, 50.0) for at, _ in _hours(0, 2 * WEEK)])
    often.run([(at + minute * MIN, 50.0) for at, _ in _hours(0, 2 * WEEK) for minute in range(0, 60, 12)])
    assert list(once.state.seasonal.mean) == pytest.approx(list(often.state.seasonal.mean))
    assert once.state.seasonal.seen == often.state.seasonal.seen


def test_a_place_with_matches_gets_a_limit_of_its_own() -> None:
    """Three times as many people each tenth hour of every other day: ordinary there, a surge elsewhere."""
    quiet, venue = _taught(), Runner(DETECTOR, "crowd_count", cadence_ms=HOUR)
    for hour in range(20 * WEEK):
        match = hour % DAY == 10 + hour // DAY % 7 and hour // DAY % 3 == 0
        venue.read(T0 + hour * HOUR, _crowd(hour) * (3 if match else 1))
    assert LEAST <= quiet.state.seasonal.limit < venue.state.seasonal.limit <= GREATEST
    hour = 20 * WEEK
    venue.run(_hours(hour, hour + 13))
    assert _ask(venue, hour + 13, 2 * _crowd(hour + 13)).score < 0.5
    quiet.run(_hours(5 * WEEK, hour + 13))
    assert _ask(quiet, hour + 13, 2 * _crowd(hour + 13)).score >= 0.5


# --- the city's calendar and clocks ---------------------------------------------------------------------------------


def _market(hour: int, *, free: bool) -> float:
    """A place that is busy when others are free."""
    return (400.0 if free else 40.0) * (9 <= hour % DAY <= 17) + hour * 7919 % 11


def test_a_holiday_is_judged_as_a_sunday_and_then_by_its_own_past() -> None:
    wednesday = date(2026, 2, 11)
    told = {}
    for name, holidays in (("known", (wednesday,)), ("unknown", ())):
        runner = Runner(_local("UTC", *holidays), "crowd_count", cadence_ms=HOUR)
        scores = []
        for hour in range(7 * WEEK):
            at = T0 + hour * HOUR
            day = datetime.fromtimestamp(at / 1000, ZoneInfo("UTC")).date()
            answer = runner.read(at, _market(hour, free=day.weekday() == 6 or day == wednesday))
            scores += [answer.score] if answer and day == wednesday else []
        told[name] = max(scores)
        sunday, own = runner.state.seasonal.seen[72 + 12], runner.state.seasonal.seen[WEEK + 12]
        assert (sunday, own) == (7, 1 if name == "known" else 0)
    assert told["known"] < 0.55
    assert told["unknown"] > 0.8


def test_holidays_outgrow_the_sunday_they_began_as() -> None:
    holidays = tuple(date(2026, 2, day) for day in (4, 10, 18, 26))
    runner = Runner(_local("UTC", *holidays), "crowd_count", cadence_ms=HOUR)
    for hour in range(9 * WEEK):
        at = T0 + hour * HOUR
        free = datetime.fromtimestamp(at / 1000, ZoneInfo("UTC")).date() in holidays
        runner.read(at, 900.0 if free else 100.0)
    seasonal: Seasonal = runner.state.seasonal
    level, known = seasonal._level(WEEK + 12)
    own, sunday = seasonal.mean[WEEK + 12], seasonal.mean[72 + 12]
    assert (sunday, own) == pytest.approx((10.0, 30.0), rel=0.25)
    assert level == pytest.approx((4 * own + 2 * sunday) / 6)
    assert known >= 3


def _london(at: int) -> float:
    """People who live by London's clocks: nobody before seven, all at once from then on."""
    hour = datetime.fromtimestamp(at / 1000, ZoneInfo("Europe/London")).hour
    return 300.0 * (7 <= hour <= 19) + at // HOUR * 7919 % 5


SPRING = round(datetime(2026, 3, 29, 1, tzinfo=ZoneInfo("UTC")).timestamp() * 1000)


@pytest.mark.parametrize(("zone", "hours_of_alarm"), [("Europe/London", 0), ("UTC", 3)])
def test_where_clocks_change_the_city_knows_and_others_find_out_within_days(
    zone: str, hours_of_alarm: int
) -> None:
    runner = Runner(_local(zone), "crowd_count", cadence_ms=HOUR)
    alarms = 0
    for at in range(SPRING - 8 * WEEK * HOUR, SPRING + 4 * WEEK * HOUR, HOUR):
        answer = runner.read(at, _london(at))
        alarms += answer is not None and answer.score >= 0.5
    assert alarms <= hours_of_alarm
    assert runner.state.seasonal.shift == (0 if hours_of_alarm == 0 else 1)


def test_an_offset_holds_for_an_hour_and_a_holiday_for_a_local_day() -> None:
    clock = Clock("Asia/Jakarta", [date(2026, 1, 1)])
    midnight = T0 // HOUR - 7
    assert [clock.at(hour) for hour in (midnight - 1, midnight, midnight + 23, midnight + 24)] == [
        (7 * HOUR, False), (7 * HOUR, True), (7 * HOUR, True), (7 * HOUR, False),
    ]  # fmt: skip


# --- readings that come often ---------------------------------------------------------------------------------------


def _minutes(weeks: int, every: int) -> list[tuple[int, float]]:
    return [(at + m * MIN, count) for at, count in _hours(0, weeks * WEEK) for m in range(0, 60, every)]


def test_one_wrong_count_of_a_camera_is_no_alarm_and_a_crowd_is_one() -> None:
    runner = Runner(DETECTOR, "crowd_count", cadence_ms=MIN)
    runner.run(_minutes(4, 5))
    noon = T0 + (4 * WEEK + 13) * HOUR
    usual = _crowd(4 * WEEK + 13)
    calm = [usual + minute % 3 for minute in range(10)]
    scores = [
        runner.read(noon + minute * MIN, value) for minute, value in enumerate([*calm, 9_000.0, *calm[:5]])
    ]
    assert all(answer is not None and answer.score < 0.5 for answer in scores)
    crowd_of = [runner.read(noon + (20 + minute) * MIN, 3 * usual) for minute in range(3)]
    assert [answer is not None and answer.score >= 0.5 for answer in crowd_of][1:] == [True, True]


def test_an_hour_that_was_never_open_is_judged_by_the_same_hour_of_other_days() -> None:
    runner = Runner(DETECTOR, "crowd_count", cadence_ms=HOUR)
    sunday = 3 * DAY  # T0 is a Thursday
    runner.run(
        [row for index, row in enumerate(_hours(0, 6 * WEEK)) if not sunday <= index % WEEK < sunday + DAY]
    )
    assert _ask(runner, 6 * WEEK + sunday + 13, 900).score >= 0.5
    assert _ask(runner, 6 * WEEK + sunday + 14, _crowd(14)).score < 0.5


# --- real counters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "station", "false", "doubled"),
    [
        ("crowd_leeds/leeds_2013_2014.csv", "Briggate", 1.1, 0.75),
        ("crowd_melbourne/melbourne_2013_2014.csv", "Melbourne Central", 1.1, 0.95),
        ("crowd_gym/gym_2015-08_2016-08.csv", "campus-gym", 1.1, 0.9),
    ],
)
def test_on_a_real_counter_doubled_crowds_are_found_and_the_rest_is_mostly_quiet(
    file: str, station: str, false: float, doubled: float
) -> None:
    times, counts = zip(*series(file)[station], strict=True)
    test = crowd.plan(station, series_of(list(times), list(counts)), None, 1, 60)
    row = crowd.tally([crowd.trace(crowd_models.product(DETECTOR, 0.5), test)])
    assert row["false_per_week"] <= false
    assert row["recall_x2"] >= doubled
    assert row["recall_night"] >= 0.9
