"""Invented surges: where they lie, what counts as false and as found, by hand; and what the plain models say."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluations import crowd, crowd_models
from models.evaluations.crowd import Model, Plan, Scorer, Surge, Trace
from models.train import series_of

HOUR = 3_600_000
T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z, a Thursday


def _daily(days: int, every: int = 60) -> list[tuple[int, float]]:
    """Counts of the hour of the day: 0 at midnight, 23 an hour before it."""
    return [(T0 + minute * 60_000, float(minute // 60 % 24)) for minute in range(0, days * 1440, every)]


def _plan(rows: list[tuple[int, float]], zone: str = "", surges: int = 30, seed: int = 1) -> Plan:
    times, counts = zip(*rows, strict=True)
    place = ZoneInfo(zone) if zone else None
    return crowd.plan("s", series_of(list(times), list(counts)), place, seed, surges)


class _Count:
    """A model whose score is the count over 100."""

    def judge(self, at: int, value: float) -> float:
        del at
        return value / 100

    def copy(self) -> Scorer:
        return self


COUNT = Model("count", lambda _times, _counts, _cadence: _Count(), 0.4)


def test_the_first_two_fifths_of_the_time_are_only_learnt_from() -> None:
    test = _plan(_daily(10))
    assert test.learnt == 96
    assert test.cadence_ms == HOUR
    assert test.weeks == pytest.approx((240 - 96) / 168)
    assert all(surge.first >= 96 for surge in test.surges)


def test_gaps_are_no_weeks() -> None:
    rows = [row for index, row in enumerate(_daily(10)) if not 120 <= index < 192]
    assert _plan(rows).weeks == pytest.approx((240 - 96 - 72 + 2) / 168)


def test_there_are_as_many_surges_of_each_kind_as_asked_for_and_the_seed_decides_where() -> None:
    test = _plan(_daily(20))
    assert {kind: sum(surge.kind == kind for surge in test.surges) for kind in crowd.KINDS} == dict.fromkeys(
        crowd.KINDS, 30
    )
    assert test.surges == _plan(_daily(20)).surges
    assert test.surges != _plan(_daily(20), seed=2).surges
    places = [{(s.first, s.last) for s in test.surges if s.kind == kind} for kind in ("x15", "x2", "x3")]
    assert places[0] == places[1] == places[2]


@pytest.mark.parametrize(
    ("zone", "day", "night"),
    [("", set(range(12, 24)), {0, 1, 2, 3, 4}), ("Asia/Jakarta", set(range(1, 13)), {17, 18, 19, 20, 21})],
)
def test_day_and_night_are_the_counts_own_or_those_of_the_clocks(
    zone: str, day: set[int], night: set[int]
) -> None:
    test = _plan(_daily(30), zone, surges=100)
    begun = {
        kind: {test.times[s.first] // HOUR % 24 for s in test.surges if s.kind == kind}
        for kind in crowd.KINDS
    }
    assert begun["x2"] <= day
    assert begun["night"] <= night
    assert len(begun["x2"]) >= 10


def test_surges_last_hours_or_forty_to_110_minutes_where_readings_are_finer() -> None:
    hourly, fine = _plan(_daily(30), surges=100), _plan(_daily(30, 10), surges=100)
    assert {s.last - s.first for s in hourly.surges if s.last < len(hourly.times)} == {1, 2, 3}
    assert {s.last - s.first for s in fine.surges if s.last < len(fine.times)} == set(range(5, 12))


def test_a_surge_by_day_lies_where_somebody_is() -> None:
    rows = [(at, value if value != 15 else 0.0) for at, value in _daily(20)]
    test = _plan(rows, surges=100)
    assert all(min(test.counts[s.first : s.last]) > 0 for s in test.surges if s.kind == "x2")


def test_what_the_camera_would_have_counted() -> None:
    assert Surge("x15", 0, 1, 1.5, 0.0).value(10) == 15
    night = next(s for s in _plan(_daily(20)).surges if s.kind == "night")
    assert night.factor == 1.0
    assert night.extra == pytest.approx(22 / 2, abs=0.5)
    assert night.value(3) == pytest.approx(14, abs=0.5)


def test_alarms_less_than_three_hours_apart_are_one() -> None:
    assert crowd.episodes([]) == 0
    assert crowd.episodes([0, HOUR, 4 * HOUR]) == 1
    assert crowd.episodes([0, HOUR, 4 * HOUR + 1, 9 * HOUR]) == 3


def test_rates_and_recalls_by_hand() -> None:
    """Counts of 0 to 23, alarm from 40 on: three times 14 and more is found, twice 20 and more, 1.5 times never."""
    (trace,) = [crowd.trace(COUNT, _plan(_daily(30), surges=200))]
    row = crowd.tally([trace])
    peak = {
        kind: [max(trace.plan.counts[s.first : s.last]) for s in trace.plan.surges if s.kind == kind]
        for kind in crowd.KINDS
    }
    assert row["false_per_week"] == 0
    assert row["recall_x15"] == 0
    assert row["recall_x2"] == pytest.approx(sum(count >= 20 for count in peak["x2"]) / 200)
    assert row["recall_x3"] == pytest.approx(sum(count >= 14 for count in peak["x3"]) / 200)
    assert 0 < row["recall_x2"] < row["recall_x3"] < 1
    assert row["recall_night"] == 0


def test_untouched_alarms_are_false_and_those_of_the_learning_part_are_not_counted() -> None:
    """Counts reach 23 once a day: from 0.23 on there is one alarm a day, which is seven a week."""
    trace = crowd.trace(COUNT._replace(threshold=0.23), _plan(_daily(10)))
    assert crowd.tally([trace])["false_per_week"] == pytest.approx(7)


def test_without_surges_a_recall_is_undefined() -> None:
    trace = Trace("m", _plan(_daily(10))._replace(surges=()), 0.5, [0.0] * 240, [])
    assert str(crowd.tally([trace])["recall_x2"]) == "nan"


def test_a_threshold_of_its_own_is_the_lowest_with_one_alarm_a_week_of_learning() -> None:
    rows = [
        (T0 + hour * HOUR, 9.0 if hour % 168 == 5 else 3.0 if hour % 24 == 5 else 1.0) for hour in range(1680)
    ]
    trace = crowd.trace(COUNT._replace(threshold=None), _plan(rows))
    assert trace.threshold == pytest.approx(0.09)
    assert crowd.tally([trace])["false_per_week"] == pytest.approx(1)


class _Sum:
    """A model that remembers: its score is all it has heard."""

    def __init__(self, heard: float = 0.0) -> None:
        self.heard = heard

    def judge(self, at: int, value: float) -> float:
        del at
        self.heard += value
        return self.heard

    def copy(self) -> Scorer:
        return _Sum(self.heard)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_surges_disturb_neither_each_other_nor_what_comes_after(seed: int) -> None:
    test = _plan(_daily(12), seed=seed)
    trace = crowd.trace(Model("sum", lambda *_: _Sum(), 1.0), test)
    assert trace.scores == [sum(test.counts[: index + 1]) for index in range(len(test.counts))]
    for surge, scores in zip(test.surges, trace.injected, strict=True):
        heard = sum(test.counts[: surge.first])
        wanted = [surge.value(test.counts[index]) for index in range(surge.first, surge.last)]
        assert scores == pytest.approx([heard + sum(wanted[: index + 1]) for index in range(len(wanted))])


@pytest.mark.parametrize("model", crowd_models.baselines(), ids=lambda model: model.name)
def test_the_plain_models_find_a_tenfold_crowd_and_are_not_moved_by_it(model: Model) -> None:
    rows = _daily(60)
    test = _plan(rows)
    scorer = model.start(test.times[: test.learnt], test.counts[: test.learnt], test.cadence_ms)
    for at, count in rows:
        scorer.judge(at, count)
    noon = T0 + (60 * 24 + 12) * HOUR
    aside = scorer.copy()
    usual = aside.judge(noon, 12)
    assert scorer.copy().judge(noon, 120) > max(3 * usual, 1.0)
    assert scorer.judge(noon, 12) == pytest.approx(usual)


def test_the_learnt_quantile_is_the_raw_threshold() -> None:
    model = crowd_models.baselines()[0]
    scorer = model.start([], [float(count) for count in range(1001)], HOUR)
    assert model.threshold == 1.0
    assert scorer.judge(0, 999.0) == pytest.approx(1.0)


def test_two_days_are_the_least() -> None:
    with pytest.raises(ValueError, match="give weeks of them"):
        _plan(_daily(1))
