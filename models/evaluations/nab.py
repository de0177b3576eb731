"""The published rule of the Numenta Anomaly Benchmark: scores and labelled windows in, 0 (silent) .. 100 (perfect) out.

A detection is a score that reaches the threshold. Of all detections in a window only the first counts, and the earlier
the better; every detection outside costs, and less just behind a window. The rule only sees scores that were made
before: nothing here runs a detector, and no detector ever gets what is in here.

Source:
    A. Lavin, S. Ahmad: Evaluating Real-time Anomaly Detection Algorithms, ICMLA 2015; numenta/NAB, its sweeper,
    optimizer and normalisation (version 1.1). The steps are theirs, the code is not.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = [
    "PROFILES",
    "Marked",
    "Profile",
    "Result",
    "best",
    "judge",
    "points",
    "probation",
    "scaled_sigmoid",
    "windows_at",
]

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

SILENT = 1.1
"""A threshold that no score reaches."""
_PROBATION = 0.15
_LONGEST_PROBATION = 750
_FAR = 3.0
"""So many windows behind the last one a false detection costs all of its weight."""


class Profile(NamedTuple):
    """What a false detection and a missed window cost where a window found at once is worth 1."""

    name: str
    false_positive: float
    missed: float


PROFILES = (Profile("standard", 0.11, 1.0), Profile("low_fp", 0.22, 1.0), Profile("low_fn", 0.11, 2.0))
"""NAB's standard, reward_low_FP_rate and reward_low_FN_rate."""


class Marked(NamedTuple):
    """One file: what a detector said, and afterwards where it should have spoken.

    Attributes:
        scores: (n,) float64, 0..1, one a row.
        windows: first and last row of each labelled window, rising, not overlapping.
    """

    scores: Floats
    windows: Sequence[tuple[int, int]]


class Result(NamedTuple):
    """Of one profile: normalised score and the threshold it was reached at; NaN where no window is labelled."""

    score: float
    threshold: float


class _Sweep(NamedTuple):
    """All scorable rows of all files: score, what its detection adds at once, and the windows' totals."""

    scores: Floats
    gains: Floats
    null: float
    perfect: float


def probation(rows: int) -> int:
    """How many rows at the start of a file are not scored: 15 %, at most 750."""
    return min(int(_PROBATION * rows), _LONGEST_PROBATION)


def scaled_sigmoid(position: Floats) -> Floats:
    """What a detection is worth by its place: -1 a window's start (0.987), 0 its end (0), positive behind it (to -1).

    Shapes:
        position: (n,) in window lengths.
    """
    near = np.minimum(position, _FAR)
    return np.where(position > _FAR, -1.0, 2.0 / (1.0 + np.exp(5.0 * near)) - 1.0)


def windows_at(times: Ints, limits: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """First and last row of windows that are given by their times.

    Args:
        times: (n,) of the file's rows, ms.
        limits: start and end of each window, ms; both belong to it.

    Returns:
        A window whose limits are no row's time shrinks to the rows inside; as in NAB the first of two rows of one
        time is meant.

    Raises:
        ValueError: a window holds no row, or two overlap.
    """
    found: list[tuple[int, int]] = []
    for start, end in sorted(limits):
        inside = np.flatnonzero((times >= start) & (times <= end))
        if not len(inside):
            raise ValueError("holds no row of the file")
        at_end = np.flatnonzero(times == end)
        first, last = int(inside[0]), int(at_end[0] if len(at_end) else inside[-1])
        if last < first or (found and first <= found[-1][1]):
            raise ValueError("overlaps another one or ends before it starts")
        found.append((first, last))
    return found


def judge(files: Sequence[Marked], profile: Profile, threshold: float) -> float:
    """Normalised score of all files together at one threshold; NaN where no window is labelled."""
    sweep = _sweep(files, profile)
    return _normal(sweep.null + float(sweep.gains[sweep.scores >= threshold].sum()), sweep)


def points(file: Marked, profile: Profile, threshold: float) -> tuple[float, float]:
    """What one file adds to the score at a threshold, and what it could add at most."""
    sweep = _sweep([file], profile)
    return float(sweep.gains[sweep.scores >= threshold].sum()), sweep.perfect - sweep.null


def best(files: Sequence[Marked], profile: Profile) -> Result:
    """The score at the threshold that suits all files together best; of equal ones the highest."""
    sweep = _sweep(files, profile)
    falling = np.argsort(-sweep.scores, kind="stable")
    scores = sweep.scores[falling]
    ends = np.flatnonzero(np.diff(scores, append=-np.inf))  # a threshold takes all rows of equal score
    points = np.concatenate([[0.0], np.cumsum(sweep.gains[falling])[ends]])
    top = int(np.argmax(points))
    threshold = SILENT if top == 0 else float(scores[ends[top - 1]])
    return Result(_normal(sweep.null + float(points[top]), sweep), threshold)


def _normal(points: float, sweep: _Sweep) -> float:
    """0 for the detector that never speaks, 100 for the one that finds every window at its first row."""
    span = sweep.perfect - sweep.null
    return 100.0 * (points - sweep.null) / span if span else float("nan")


def _sweep(files: Sequence[Marked], profile: Profile) -> _Sweep:
    scores, gains, seen, total = [], [], 0, 0
    for scored, windows in files:
        quiet = probation(len(scored))
        gain = profile.false_positive * _behind(len(scored), windows)
        for first, last in windows:
            rows = np.arange(max(first, quiet), last + 1)
            gain[rows] = _first_found(scored[rows], _inside(rows, first, last) + profile.missed)
            seen += len(rows) > 0
        total += len(windows)
        scores.append(scored[quiet:])
        gains.append(gain[quiet:])
    # A window that lies wholly in probation cannot be found, and yet the perfect detector is said to: so NAB.
    empty = np.zeros(0)
    return _Sweep(
        np.concatenate([empty, *scores]),
        np.concatenate([empty, *gains]),
        -profile.missed * seen,
        float(total),
    )


def _inside(rows: Ints, first: int, last: int) -> Floats:
    """What finding a window at these rows is worth: 1 at its first row, falling to almost nothing at its last."""
    at_once = scaled_sigmoid(np.array([-1.0]))
    return scaled_sigmoid(-(last - rows + 1) / (last - first + 1)) / at_once


def _behind(rows: int, windows: Sequence[tuple[int, int]]) -> Floats:
    """What a false detection costs at each row: -1 before the first window, less just behind one."""
    cost = np.full(rows, -1.0)
    for first, last in windows:
        after = np.arange(last + 1, rows)
        cost[after] = scaled_sigmoid((after - last) / max(last - first, 1))
    return cost


def _first_found(scores: Floats, worth: Floats) -> Floats:
    """What each row of a window adds when the threshold falls to its score: only a row before all found ones does."""
    falling = np.argsort(-scores, kind="stable")
    reached = np.maximum.accumulate(worth[falling])
    gains = np.empty(len(scores))
    gains[falling] = np.diff(reached, prepend=0.0)
    return gains
