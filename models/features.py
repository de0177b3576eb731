"""Features of one reading in the light of the ones before it: the same numbers from pandas (training) and live.

Everything is causal: the newest reading and the twelve before it. Training makes all rows of a series at once, the slow
lane makes one row as a reading comes; both do the same operations in the same order, so that the numbers are equal to
the last bit and a trained model sees live what it has learnt.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["GAP_CADENCES", "NAMES", "WINDOW", "clamp", "frame", "row"]

WINDOW = 13
"""Readings that a row looks at; odd, so that the median is one of them."""
GAP_CADENCES = 6
"""After a longer silence than so many cadences the window starts anew."""
NAMES = ("off_median", "change_1", "change_3", "change_6", "spread", "span", "hour_sin", "hour_cos")
"""value - median; changes over 1, 3, 6 readings; standard deviation and range of the window; hour of day (UTC)."""

_HOUR_MS = 3_600_000
_MOST = 1e9
# Tables instead of sin() per reading: numpy's sine and the C library's may differ in the last bit.
_SIN = tuple(math.sin(math.tau * hour / 24) for hour in range(24))
_COS = tuple(math.cos(math.tau * hour / 24) for hour in range(24))


def clamp(value: float) -> float:
    """A value that squares without overflow; no sensor of ours reaches the bound."""
    return min(max(value, -_MOST), _MOST)


def row(values: Sequence[float], at: int) -> tuple[float, ...]:
    """Features of the newest of ``WINDOW`` values, in the order of ``NAMES``.

    Args:
        values: the kind's unit, oldest first, each through ``clamp``.
        at: when the newest was so, ms since 1970 UTC.
    """
    newest = values[-1]
    ordered = sorted(values)
    mean = 0.0
    for value in values:
        mean += value
    mean /= WINDOW
    squares = 0.0
    for value in values:
        squares += (value - mean) * (value - mean)
    hour = at // _HOUR_MS % 24
    return (
        newest - ordered[WINDOW // 2],
        newest - values[-2],
        newest - values[-4],
        newest - values[-7],
        math.sqrt(squares / WINDOW),
        ordered[-1] - ordered[0],
        _SIN[hour],
        _COS[hour],
    )


def frame(series: "pd.Series[float]", gap_ms: int) -> "pd.DataFrame":
    """Features of every reading of one sensor that has a whole window behind it.

    Args:
        series: values, index = ms since 1970 UTC, rising.
        gap_ms: a longer interval starts the window anew.

    Shapes:
        result: (n, len(NAMES)) float64, index = the readings' instants.
    """
    import numpy as np  # noqa: PLC0415 - only training needs it, and every start of the service would wait for it
    import pandas as pd  # noqa: PLC0415 - (the same)

    values = series.astype("float64").clip(-_MOST, _MOST)
    times = pd.Series(series.index.to_numpy(dtype="int64"), index=series.index)
    run = times.diff().gt(gap_ms).cumsum()
    whole = values.groupby(run).cumcount() >= WINDOW - 1
    window = pd.DataFrame({lag: values.shift(lag) for lag in range(WINDOW - 1, -1, -1)})[whole]
    ordered = np.sort(window.to_numpy(), axis=1)
    mean = np.zeros(len(window))
    for lag in window:
        mean += window[lag].to_numpy()
    mean /= WINDOW
    squares = np.zeros(len(window))
    for lag in window:
        apart = window[lag].to_numpy() - mean
        squares += apart * apart
    hour = window.index.to_numpy(dtype="int64") // _HOUR_MS % 24
    columns = (
        window[0].to_numpy() - ordered[:, WINDOW // 2],
        window[0] - window[1],
        window[0] - window[3],
        window[0] - window[6],
        np.sqrt(squares / WINDOW),
        ordered[:, -1] - ordered[:, 0],
        np.array(_SIN)[hour],
        np.array(_COS)[hour],
    )
    return pd.DataFrame(dict(zip(NAMES, columns, strict=True)), index=window.index)
