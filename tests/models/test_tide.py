"""The tide: found where it is, from the past alone, and not found where there is none."""

import numpy as np
import pytest

from models.forecast_fit import levels_in
from models.tide import SPEEDS, fit_tide
from simulators.series import read_series
from tests.models.river import HOUR, hours
from tests.recordings import recordings


def wave(
    times: "np.ndarray[tuple[int], np.dtype[np.int64]]", name: str, amplitude: float, phase: float
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return amplitude * np.cos(np.radians(times / HOUR * SPEEDS[name] % 360) - phase)


def test_it_finds_amplitudes_and_tells_the_tide_of_the_next_month() -> None:
    times = hours(24 * 90)
    level = 250 + wave(times, "M2", 20, 1.0) + wave(times, "S2", 6, 0.3) + wave(times, "K1", 5, 2.0)
    level += np.random.default_rng(3).normal(0, 1, len(times))
    learnt = 24 * 60
    tide = fit_tide(times[:learnt], level[:learnt])
    assert tide is not None
    assert tide.explained > 0.95
    assert tide.amplitude("M2") == pytest.approx(20, abs=0.7)
    assert tide.amplitude("S2") == pytest.approx(6, abs=0.7)
    assert tide.amplitude("K1") == pytest.approx(5, abs=0.7)
    off = level[learnt:] - 250 - tide.at(times[learnt:])
    assert np.abs(off).mean() < 1.5


def test_floods_in_the_series_spoil_little() -> None:
    times = hours(24 * 40)
    level = 250 + wave(times, "M2", 20, 1.0)
    flooded = level.copy()
    for begin in range(60, 900, 87):  # 36 cm without the cut
        flooded[begin : begin + 5] += 400
    tide = fit_tide(times, flooded)
    assert tide is not None
    assert tide.amplitude("M2") == pytest.approx(20, abs=2)


def test_noise_is_no_tide_and_two_weeks_are_too_short() -> None:
    times, random = hours(24 * 60), np.random.default_rng(4)
    tide = fit_tide(times, random.normal(0, 5, len(times)))
    assert tide is not None
    assert tide.explained < 0.05
    assert fit_tide(times[: 24 * 14], np.zeros(24 * 14)) is None
    still = fit_tide(times, np.full(len(times), 3.0))
    assert still is not None
    assert still.explained == 0.0


def test_the_backwater_of_a_recorded_estuary_is_a_tide_and_the_same_one_two_years_later() -> None:
    folder = recordings() / "water_hanriver"
    found = []
    for year in (2016, 2018):
        series = levels_in(read_series(folder / f"han_{year}.csv"), "jamsu")
        found.append((series, fit_tide(series.times, series.level)))
    (_, first), (later, second) = found
    assert first is not None
    assert second is not None
    assert first.explained > 0.3
    assert first.amplitude("M2") == pytest.approx(second.amplitude("M2"), rel=0.2)
    together = np.corrcoef(first.at(later.times), second.at(later.times))[0, 1]
    assert together > 0.95
