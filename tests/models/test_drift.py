"""Drift: slow means by hand, silence without an artifact, and what a shifted zero or a spoilt forecast comes to."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.artifact import Shelf
from models.baseline import DAY_MS, DAYS, Band, Baseline, Days, baseline_of, month_of
from models.card import Card, Note, Stored
from models.detector import Sample
from models.detectors.drift import Drift
from models.drift import Errors, Slow, Watched, of_errors, of_readings, of_share
from models.lane import SlowLane
from models.untimed import Untimed
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.outlook import Outlook, OutlookStep
from pantau.reading import Reading
from pantau.station import Station
from pantau.track import Track
from tests.detector_bench import KINDS, MIN, T0, city_of
from tests.recordings import series

HOUR = 60 * MIN
A, B = "a" * 12, "b" * 12
STATION = Station(id="uji-1", name="Uji 1", kind="water_level", hazard="flood", group="uji", cadence_ms=HOUR)


def hourly(
    days: int, *, low: float = 100, span: float = 10, start: int = T0, seed: int = 1
) -> list[tuple[int, float]]:
    """Every hour; a day goes up by ``span`` and back, its lowest value scatters by 2."""
    noise = np.random.default_rng(seed).normal(0, 2, days)
    return [
        (start + day * DAY_MS + hour * HOUR, low + float(noise[day]) + span * math.sin(math.pi * hour / 23))
        for day in range(days)
        for hour in range(24)
    ]


# --- slow means by hand ----------------------------------------------------------------------------------------------


def test_the_base_level_is_the_mean_of_daily_lows() -> None:
    days = Days()
    for low in (10.0, 20.0, 30.0):
        for hour in range(24):
            days.add((20_000 + int(low) // 10) * DAY_MS + hour * HOUR, low + hour)
    days.add(20_004 * DAY_MS, 0.0)
    assert days.lows == [10.0, 20.0, 30.0]
    assert days.base == pytest.approx(20.0)
    assert days.span == pytest.approx(23.0)
    assert not days.ready


def test_a_day_with_few_readings_does_not_count_and_a_long_gap_begins_anew() -> None:
    days = Days()
    for at, value in hourly(10):
        days.add(at, value)
    assert len(days.lows) == 9
    days.add(T0 + 10 * DAY_MS, 1.0)
    days.add(T0 + 11 * DAY_MS, 1.0)
    assert len(days.lows) == 10  # day 10 had one reading
    days.add(T0 + 30 * DAY_MS, 1.0)
    assert days.lows == days.reaches == []


def test_no_more_than_two_weeks_are_remembered() -> None:
    days = Days()
    for at, value in [*hourly(40, low=500), *hourly(DAYS, start=T0 + 40 * DAY_MS), (T0 + 54 * DAY_MS, 0.0)]:
        days.add(at, value)
    assert len(days.lows) == len(days.reaches) == DAYS
    assert days.base == pytest.approx(100, abs=3)


def around(base: float, reach: float = 2.5, known: int = DAYS) -> Days:
    """Two weeks that were all alike."""
    return Days(day=T0 // DAY_MS, lows=[base] * known, reaches=[reach] * known)


def test_widths_outside_a_band() -> None:
    band = Band(10.0, 20.0)
    assert [band.beyond(value, 1.0) for value in (5.0, 10.0, 15.0, 20.0, 40.0)] == [-0.5, 0, 0, 0, 2.0]
    assert Band(10.0, 10.0).beyond(12.0, 4.0) == 0.5


def test_months_that_training_never_saw_are_not_judged() -> None:
    found = baseline_of(hourly(60))
    assert found is not None
    assert found.months == (1, 2)
    assert [month_of(day) for day in (0, 31, 59, 364)] == [1, 2, 3, 12]
    strange = around(500.0)
    assert found.strangeness(strange)[0] > 1
    assert found.strangeness(replace(strange, day=strange.day + 120)) == (0.0, "")


def test_a_short_history_gives_no_baseline() -> None:
    assert baseline_of(hourly(2 * DAYS - 1)) is None
    assert baseline_of(hourly(2 * DAYS + 1)) is not None


def test_a_slow_mean_weighs_values_with_their_time() -> None:
    """Two hours of 1 and one hour of 4 are 2 on average; no value stands for more than six hours."""
    slow = Slow(at=T0)
    for at, value in ((T0 + HOUR, 1.0), (T0 + 2 * HOUR, 1.0), (T0 + 3 * HOUR, 4.0)):
        slow.add(at, value)
    assert slow.mean == pytest.approx(2.0)
    slow.add(T0 + 100 * HOUR, 0.0)
    assert slow.seen == 9 * HOUR
    assert not slow.ready


@given(st.lists(st.tuples(st.integers(1, 50 * HOUR), st.floats(0, 1000)), min_size=1, max_size=60))
def test_a_slow_mean_stays_among_its_values(steps: list[tuple[int, float]]) -> None:
    slow, at = Slow(), T0
    for step, value in steps:
        at += step
        slow.add(at, value)
    values = [value for _, value in steps]
    assert min(values) - 1e-6 <= slow.mean <= max(values) + 1e-6


def outlook(at: int, value: float, middle: float, version: str = A) -> Outlook:
    return Outlook(
        at, "trained", version, value, (OutlookStep(at + 3 * HOUR, middle - 1, middle, middle + 1),)
    )


def test_forecasts_are_judged_by_what_came_beside_no_change() -> None:
    """Expected 110 from 100, 108 came: off by 2, no change by 8; a forecast that no reading came for is forgotten."""
    errors = Errors()
    errors.expect(outlook(T0, 100.0, 110.0))
    errors.came(T0 + 3 * HOUR, 108.0, HOUR)
    assert (errors.model.mean, errors.still.mean, errors.pending) == (2.0, 8.0, [])
    errors.expect(outlook(T0 + 3 * HOUR, 108.0, 110.0))
    errors.came(T0 + 30 * HOUR, 0.0, HOUR)
    assert (errors.model.mean, errors.pending) == (2.0, [])


def test_no_more_than_eight_forecasts_wait() -> None:
    errors = Errors()
    for minute in range(0, 180, 10):
        errors.expect(outlook(T0 + minute * MIN, 100.0, 100.0))
    assert len(errors.pending) <= 8


WATCHED = Watched(
    "forecast/uji-1",
    A,
    Baseline(Band(90.0, 110.0), Band(2.0, 3.0), 40.0, 300, tuple(range(1, 13))),
    0.02,
    2.0,
)


def test_scores_by_hand() -> None:
    shifted = of_readings(WATCHED, around(125.0), "cm")
    assert shifted.score == pytest.approx(0.5)  # three quarters of the width of 20 outside
    assert "lowest value of a day 125 cm over two weeks, in training 90 to 110" in shifted.words
    stuck = of_readings(WATCHED, around(100.0, 0.5), "cm")
    assert stuck.score == 1.0  # 1.5 widths of 1
    assert "a day spans 0.649 cm over two weeks, in training 6.39 to 19.1" in stuck.words
    assert of_readings(WATCHED, around(999.0, known=DAYS - 1), "cm").score == 0
    whole = 14 * DAY_MS
    assert of_share(WATCHED, Slow(seen=whole, mean=0.1)).score == pytest.approx(0.5)  # the limit itself
    assert of_share(replace(WATCHED, share=0.2), Slow(seen=whole, mean=0.1)).score == pytest.approx(0.125)
    assert of_share(WATCHED, Slow(seen=whole - 1, mean=1.0)).score == 0
    errors = Errors(3 * HOUR, [], Slow(seen=whole, mean=10.0), Slow(seen=whole, mean=6.0))
    assert of_errors(WATCHED, errors, "cm").score == pytest.approx((12 / 8 - 1) / 1.5)
    assert (
        "3 h ahead off by 10 cm over two weeks, no change at all by 6; in training 2"
        in of_errors(WATCHED, errors, "cm").words
    )
    assert of_errors(WATCHED, replace(errors, still=Slow(seen=whole, mean=30.0)), "cm").score == 0


# --- the detector in the lane ----------------------------------------------------------------------------------------


class Fixed(Untimed):
    """Stands for a model: says the same of every reading, with a forecast that is off by ``off``."""

    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({"water_level"})
    hazard = ""
    cause = "anomaly"
    ladder = Ladder(limits=(0.5, None, None))
    shadow = True

    def __init__(self, name: str, score: float, off: float | None = None) -> None:
        self.name, self._score, self._off = name, score, off

    def start(self, station: Station, kind: Kind) -> bytes:
        return b""

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        return [self._one(sample.reading) for sample in samples]

    def _one(self, reading: Reading) -> Score:
        made = (
            None
            if self._off is None
            else outlook(reading.observed_at, reading.value, reading.value + self._off)
        )
        return Score(reading.station, reading.sensor, self.name, "1", reading.observed_at, self._score, "1 word",
                     shadow=True, outlook=made)  # fmt: skip

    def dump(self, state: bytes) -> bytes:
        return state

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> bytes:
        return body


def shelf(data: Path, family: str, *, inputs: bool = True) -> Shelf:
    """A promoted artifact that was learnt from a calm year."""
    known = baseline_of(hourly(365)) if inputs else None
    name = "water_level" if family == "forest" else "uji-1"
    card = Card(
        version=A, family=family, name=name, kind="water_level", estimator="E", features=("x",), data="0", start=0,
        end=1, stations={"uji-1": 1}, params={}, metrics={"mae_3h": 2.0}, libraries={},
        inputs={"uji-1": known} if known else {}, shares={"uji-1": 0.01},
    )  # fmt: skip
    found = Shelf(data / "models", family, name)
    found.save(card, b"{}", "")
    found.promote(A, _any, Note(T0))
    return found


def _any(stored: Stored) -> Stored:
    return stored


def drift(data: Path) -> Drift:
    found = Drift()
    found.configure(data)
    return found


def run(
    data: Path, readings: list[tuple[int, float]], *others: Fixed, size: int = 24, restart: int = -1
) -> list[Score]:
    """What drift tells of readings that come in batches of ``size``; the lane restarts before batch ``restart``."""

    def fresh() -> SlowLane:
        return SlowLane(city_of(STATION), {"drift": drift(data), **{one.name: one for one in others}})

    lane, told = fresh(), []
    for number, first in enumerate(range(0, len(readings), size)):
        if number == restart:
            rows = lane.dump_changed()
            lane = fresh()
            assert lane.restore(rows) == []
        part = [
            (Reading("uji-1", "water_level", value, at, at), False)
            for at, value in readings[first : first + size]
        ]
        told += [score for score in lane.take(part, part[-1][0].received_at, T0) if score.detector == "drift"]
    assert not lane.errors
    assert len(lane._answers) <= size  # what was said is forgotten with its batch
    return told


YEAR_LATER = T0 + 365 * DAY_MS


def test_without_an_artifact_nothing_is_said(tmp_path: Path) -> None:
    assert run(tmp_path, hourly(60, low=500)) == []
    assert drift(tmp_path).kinds == {"none"}


def test_a_model_that_is_not_promoted_watches_nothing(tmp_path: Path) -> None:
    (shelf(tmp_path, "forecast").path / "CURRENT").unlink()
    assert run(tmp_path, hourly(60, low=500)) == []


def test_ordinary_readings_are_like_training(tmp_path: Path) -> None:
    shelf(tmp_path, "forecast")
    assert {score.score for score in run(tmp_path, hourly(120, start=YEAR_LATER, seed=2))} == {0.0}


@pytest.mark.parametrize("change", [{"low": 140.0}, {"low": 60.0}, {"span": 0.0}, {"span": 200.0}])
def test_a_shifted_zero_or_another_scale_is_told_within_two_weeks_in_words_and_numbers(
    tmp_path: Path, change: dict[str, float]
) -> None:
    shelf(tmp_path, "forecast")
    good = hourly(30, start=YEAR_LATER)
    bad = hourly(30, start=YEAR_LATER + 30 * DAY_MS, **change)  # type: ignore[arg-type]
    told = run(tmp_path, good + bad)
    first = next(score for score in told if score.score >= 0.5)
    assert 0 < (first.at - bad[0][0]) / DAY_MS <= 14
    assert "over two weeks, in training" in first.reason
    assert f"forecast/uji-1 {A}" in first.reason


def test_it_ends_when_the_readings_are_as_before(tmp_path: Path) -> None:
    shelf(tmp_path, "forecast")
    bad = hourly(30, start=YEAR_LATER, low=160)
    told = run(tmp_path, bad + hourly(60, start=YEAR_LATER + 30 * DAY_MS))
    assert max(score.score for score in told) >= 0.5
    assert told[-1].score == 0.0


def test_a_forest_that_finds_everything_strange_is_told(tmp_path: Path) -> None:
    shelf(tmp_path, "forest", inputs=False)
    assert {score.score for score in run(tmp_path, hourly(30), Fixed("forest", 0.2))} == {0.0}
    told = run(tmp_path, hourly(30), Fixed("forest", 0.7))
    assert told[-1].score == 1.0
    assert "100% of the readings of two weeks unlike training, at most 1% then" in told[-1].reason


def test_forecasts_that_are_worse_than_none_are_told(tmp_path: Path) -> None:
    shelf(tmp_path, "forecast", inputs=False)
    assert {score.score for score in run(tmp_path, hourly(30), Fixed("forecast", 0.0, 0.5))} == {0.0}
    told = run(tmp_path, hourly(30), Fixed("forecast", 0.0, 25.0))
    assert told[-1].score >= 0.5
    assert "forecasts 3 h ahead off by" in told[-1].reason


def test_forecasts_of_another_version_are_not_held_against_this_one(tmp_path: Path) -> None:
    found = shelf(tmp_path, "forecast", inputs=False)
    found.save(replace(found.card(A), version=B), b"{}", "")
    found.promote(B, _any, Note(T0))
    assert {score.score for score in run(tmp_path, hourly(30), Fixed("forecast", 0.0, 25.0))} == {0.0}


def test_a_challenger_is_not_watched(tmp_path: Path) -> None:
    shelf(tmp_path, "forecast", inputs=False)
    assert {score.score for score in run(tmp_path, hourly(30), Fixed("forecast_challenger", 0.0, 25.0))} == {
        0.0
    }


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_however_the_readings_are_cut_into_batches_the_scores_are_the_same(tmp_path: Path, size: int) -> None:
    shelf(tmp_path, "forecast")
    readings = hourly(25) + hourly(20, start=T0 + 25 * DAY_MS, low=150)
    others = Fixed("forecast", 0.0, 25.0)
    assert run(tmp_path, readings, others, size=size) == run(tmp_path, readings, others)


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    shelf(tmp_path, "forecast")
    readings = hourly(25) + hourly(20, start=T0 + 25 * DAY_MS, low=150)
    others = Fixed("forecast", 0.0, 25.0)
    assert run(tmp_path, readings, others, restart=20) == run(tmp_path, readings, others)


def test_a_pending_jump_teaches_nothing(tmp_path: Path) -> None:
    shelf(tmp_path, "forecast")
    shelf(tmp_path, "forest")
    found = drift(tmp_path)
    state = found.start(STATION, KINDS["water_level"])
    for at, value in hourly(20):
        found.score([Sample(Reading("uji-1", "water_level", value, at, at), Track(), False, state)])
    before = found.dump(state)
    reading = Reading("uji-1", "water_level", -900.0, T0 + 20 * DAY_MS, 0)
    said = {"forest": Score("uji-1", "main", "forest", "1", reading.observed_at, 1.0)}
    assert found.score([Sample(reading, Track(), True, state, said=said)]) == [None]
    assert found.dump(state) == before
    assert len(before) < 700


def test_a_state_of_another_version_or_broken_begins_anew(tmp_path: Path) -> None:
    found = drift(tmp_path)
    state = found.start(STATION, KINDS["water_level"])
    body = found.dump(state)
    assert found.load("0", body, STATION, KINDS["water_level"]) is None
    assert found.load(found.version, b"\xc1", STATION, KINDS["water_level"]) is None
    again = found.load(found.version, body, STATION, KINDS["water_level"])
    assert again is not None
    assert msgspec.structs.asdict(again) == msgspec.structs.asdict(state)


def test_a_broken_card_is_left_out(tmp_path: Path) -> None:
    found = shelf(tmp_path, "forecast")
    (found.path / A / "card.json").write_bytes(b"{}")
    assert drift(tmp_path).kinds == {"none"}


def test_three_real_gauges_of_two_and_a_half_years_raise_no_false_drift() -> None:
    """Learnt on the first 60 %, watched on the rest; a unit mistaken for ten times as much is told in two weeks."""
    for readings in series("water_ciliwung/ciliwung_2021-10_2024-05.csv").values():
        cut = len(readings) * 6 // 10
        known = baseline_of(readings[:cut])
        assert known is not None
        for factor, expected in ((1.0, False), (10.0, True)):
            days, worst = Days(), 0.0
            for at, value in readings[cut:]:
                if days.add(at, value * factor):
                    worst = max(worst, known.strangeness(days)[0])
            assert (worst >= 0.75) == expected
