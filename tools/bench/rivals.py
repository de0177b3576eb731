"""Yardsticks for the slow lane: the simplest rule there is, and a famous model, both called alone; readings in, us out.

Neither keeps states for a restart, knows neighbours, says why, or is asked through a contract. Both get the readings
that the lane gets, in the same batches.
"""

import time
from collections import deque
from collections.abc import Sequence

import numpy as np
from sklearn.ensemble import IsolationForest

from tools.bench.lane import Cost, Turn

__all__ = ["forest_alone", "range_rule"]

_LAGS = 10
_MOST_CALLS = 50
"""A call of the forest costs milliseconds, so that few of them suffice."""


def range_rule(turns: Sequence[Turn]) -> Cost:
    """Whether a value lies outside all that its sensor has shown, in plain Python."""
    ranges: dict[tuple[str, str], list[float]] = {}
    outside = readings = 0
    began = time.thread_time()
    for turn in turns:
        for reading, _ in turn.heard:
            readings += 1
            known = ranges.setdefault((reading.station, reading.sensor), [reading.value, reading.value])
            if reading.value < known[0]:
                known[0] = reading.value
                outside += 1
            elif reading.value > known[1]:
                known[1] = reading.value
                outside += 1
    return Cost(time.thread_time() - began, readings)


def forest_alone(turns: Sequence[Turn], size: int = 0) -> Cost:
    """scikit-learn's isolation forest with its defaults on ten lags, asked for whole batches or for ``size`` at a time.

    It learns the first half of what it is then asked about, which is not counted.
    """
    lags: dict[tuple[str, str], deque[float]] = {}
    batches: list[list[list[float]]] = []
    for turn in turns:
        rows = []
        for reading, _ in turn.heard:
            seen = lags.setdefault((reading.station, reading.sensor), deque(maxlen=_LAGS))
            seen.append(reading.value)
            if len(seen) == _LAGS:
                rows.append(list(seen))
        step = size or len(rows) or 1
        batches += [rows[first : first + step] for first in range(0, len(rows), step)]
    learnt = [row for rows in batches[: len(batches) // 2 or 1] for row in rows]
    if not learnt:
        return Cost(0.0, 0)
    model = IsolationForest(random_state=1).fit(np.array(learnt))
    asked = batches[-_MOST_CALLS:]
    began = time.thread_time()
    for rows in asked:
        model.score_samples(np.array(rows))
    return Cost(time.thread_time() - began, sum(map(len, asked)))
