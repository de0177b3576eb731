"""Every figure against a case counted by hand."""

from math import exp

import numpy as np
import pytest

from models.verify import (
    Table,
    coverage,
    csi_cut,
    episodes,
    events,
    is_active,
    mean_absolute_error,
    nash_sutcliffe,
    persistence_index,
    poisson_interval,
    wilson_interval,
)
from tests.models.river import HOUR, hours

OBSERVED = np.array([10.0, 20.0, 30.0, 40.0])
FORECAST = np.array([12.0, 18.0, 33.0, 39.0])


def test_errors_of_four_forecasts() -> None:
    assert mean_absolute_error(OBSERVED, FORECAST) == 2.0  # (2 + 2 + 3 + 1) / 4
    assert nash_sutcliffe(OBSERVED, FORECAST) == pytest.approx(
        1 - 18 / 500
    )  # around the mean of 25: 225+25+25+225
    stays = np.array([10.0, 10.0, 20.0, 30.0])  # off by 0, 10, 10, 10
    assert persistence_index(OBSERVED, FORECAST, stays) == pytest.approx(1 - 18 / 300)
    assert persistence_index(OBSERVED, stays, stays) == 0.0


def test_what_cannot_be_told_is_none() -> None:
    none = np.array([])
    assert mean_absolute_error(none, none) is None
    assert nash_sutcliffe(none, none) is None
    assert nash_sutcliffe(np.ones(3), np.ones(3)) is None
    assert persistence_index(np.ones(3), np.zeros(3), np.ones(3)) is None
    assert coverage(none, none, none) is None
    assert Table(0, 0, 0).csi is None
    assert Table(0, 2, 0).far is None
    assert Table(0, 0, 2).pod is None


def test_hits_misses_and_false_alarms() -> None:
    came = np.array([True, True, True, False, False, False])
    told = np.array([True, True, False, True, False, False])
    table = Table.of(came, told)
    assert table == Table(hits=2, misses=1, false_alarms=1)
    assert table.pod == pytest.approx(2 / 3)
    assert table.far == pytest.approx(1 / 3)
    assert table.csi == 0.5


def test_a_value_on_the_edge_of_the_band_is_covered() -> None:
    assert coverage(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 2.0), np.full(4, 3.0)) == 0.5


def test_the_best_cut_is_drawn_to_the_believable_one() -> None:
    chance = np.array([0.9, 0.8, 0.3, 0.2, 0.1])
    came = np.array([True, True, False, False, False])
    # The best is 0.8 with csi 1, so 1 / (1 + 1) is believable; one flood against ten: (0.8 + 10 x 0.5) / 11.
    assert csi_cut(chance, came) == pytest.approx(5.8 / 11)
    assert csi_cut(chance, np.zeros(5, dtype=bool)) == 0.35
    twice = np.array([True, False, True, False, False])  # at 0.3: 2 hits, 1 false: csi 2/3; two floods
    assert csi_cut(chance, twice) == pytest.approx((2 * 0.3 + 10 * (2 / 3) / (5 / 3)) / 12)


def test_a_cut_among_equal_probabilities_takes_all_of_them() -> None:
    chance = np.array([0.5, 0.5, 0.5, 0.1])
    came = np.array([True, False, False, False])
    assert csi_cut(chance, came) == pytest.approx((0.5 + 10 * (1 / 3) / (4 / 3)) / 11)


def test_crossings_within_twelve_hours_of_high_water_are_one_event() -> None:
    level = np.zeros(60)
    level[[5, 6, 10, 17, 40]] = 100  # 10 and 17 follow within 12 h of high water, 40 does not
    times = hours(60)
    assert events(times, level, 100.0, 12 * HOUR).tolist() == [times[5], times[40]]
    assert events(times, level, 101.0, 12 * HOUR).tolist() == []
    level[0] = 100  # high at the start: nobody saw it cross
    assert events(times, level, 100.0, HOUR).tolist() == [times[5], times[10], times[17], times[40]]


def test_an_alarm_stays_on_until_the_signal_is_below_where_it_closes() -> None:
    signal = np.array([0.0, 0.5, 0.4, 0.3, 0.29, 0.4, np.nan, 0.5, np.nan, 0.1])
    on = is_active(signal, 0.5, 0.3)
    assert on.tolist() == [False, True, True, True, False, False, False, True, True, False]
    moving = is_active(np.array([1.0, 1.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5]))
    assert moving.tolist() == [False, True]


def test_episodes_a_short_pause_apart_are_one() -> None:
    times = hours(10)
    active = np.array([1, 1, 0, 1, 0, 0, 0, 1, 0, 1], dtype=bool)
    assert episodes(times, active) == [
        (times[0], times[1]), (times[3], times[3]), (times[7], times[7]), (times[9], times[9]),
    ]  # fmt: skip
    assert episodes(times, active, 2 * HOUR) == [(times[0], times[3]), (times[7], times[9])]
    assert episodes(times, np.zeros(10, dtype=bool)) == []


def test_intervals_as_in_the_textbooks() -> None:
    low, high = wilson_interval(8, 10)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert wilson_interval(0, 0) == (None, None)
    assert wilson_interval(0, 5)[0] == 0.0
    least, most = poisson_interval(10)
    assert least == pytest.approx(4.7954, abs=1e-4)
    assert most == pytest.approx(18.3904, abs=1e-4)
    least, most = poisson_interval(0)
    assert least == 0.0
    assert exp(-most) == pytest.approx(0.025)
