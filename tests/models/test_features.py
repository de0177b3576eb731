"""Live and batch features are the same numbers."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import features
from models.train import series_of
from tests.detector_bench import MIN, T0, tide

GAP = 60 * MIN


def _live(series: "pd.Series[float]") -> dict[int, tuple[float, ...]]:
    """Reading by reading, as the forest does it."""
    rows: dict[int, tuple[float, ...]] = {}
    values: list[float] = []
    last = 0
    for at, value in zip(series.index.tolist(), series.tolist(), strict=True):
        if at - last > GAP:
            values.clear()
        values, last = [*values, features.clamp(value)][-features.WINDOW :], at
        if len(values) == features.WINDOW:
            rows[at] = features.row(values, at)
    return rows


def _same(series: "pd.Series[float]") -> None:
    live, batch = _live(series), features.frame(series, GAP)
    assert batch.columns.tolist() == list(features.NAMES)
    assert batch.index.tolist() == list(live)
    expected = np.array(list(live.values())).reshape(len(live), len(features.NAMES))
    assert batch.to_numpy().tobytes() == expected.tobytes()


def test_batch_and_live_agree_to_the_last_bit_on_a_river() -> None:
    _same(series_of(*map(list, zip(*tide(5), strict=True))))


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(1, 59 * MIN), st.just(GAP), st.just(GAP + 1), st.integers(GAP + 1, 10 * GAP)
            ),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        max_size=60,
    )
)
def test_batch_and_live_agree_to_the_last_bit_on_anything(found: list[tuple[int, float]]) -> None:
    at, times = T0, []
    for step, _ in found:
        at += step
        times.append(at)
    _same(series_of(times, [value for _, value in found]))


def test_each_feature_is_what_its_name_says() -> None:
    values = [0.0, 1, 2, 3, 4, 5, 10, 10, 10, 10, 11, 12, 20]
    row = dict(zip(features.NAMES, features.row(values, T0 + 6 * 60 * MIN), strict=True))
    assert row["off_median"] == 20 - 10
    assert (row["change_1"], row["change_3"], row["change_6"]) == (8, 10, 10)
    assert row["spread"] == pytest.approx(float(np.std(values)))
    assert row["span"] == 20
    assert (row["hour_sin"], row["hour_cos"]) == pytest.approx((1, 0), abs=1e-9)


def test_a_row_knows_nothing_of_what_comes_after() -> None:
    series = series_of(*map(list, zip(*tide(1), strict=True)))
    half = series.iloc[:70]
    assert features.frame(half, GAP).equals(features.frame(series, GAP).loc[: half.index[-1]])


def test_values_beyond_any_sensor_stay_finite() -> None:
    assert all(math.isfinite(number) for number in features.row([features.clamp(1.7e308)] * 12 + [-1e9], T0))
