"""Fills the time between published points of one station, so that a replay reports as often as a gauge does.

A straight line over many hours invents crossings that nobody saw. So a line is drawn only between points that are at
most three hours apart; over a longer gap the last value is held until three hours before the next point. The last
point is repeated one cadence later, so that what it says can be confirmed.
"""

import itertools
from collections.abc import Iterator, Sequence

__all__ = ["LONGEST_LINE_MS", "Point", "fill"]

LONGEST_LINE_MS = 3 * 3_600_000
"""Longest time that a straight line may span: three hours."""

Point = tuple[int, float]
"""An instant (ms since 1970 UTC) and a value."""


def fill(
    points: Sequence[Point], cadence_ms: int, start: int | None = None
) -> Iterator[tuple[int, float, bool]]:
    """Published points and what lies between them.

    Points between stand at whole multiples of the cadence since 1970; published points at their own time.

    Args:
        points: of one station, oldest first, at distinct instants; may begin before ``start``.
        cadence_ms: time between the points made here, above 0.
        start: nothing before it is given, but earlier points still say how things stood then.

    Yields:
        (instant, value, whether it was made here), in time order.
    """
    if not points:
        return
    first = points[0][0] if start is None else max(start, points[0][0])
    for before, after in itertools.pairwise(points):
        if before[0] >= first:
            yield (*before, False)
        yield from _between(before, after, cadence_ms, first)
    last_at, last = points[-1]
    if last_at >= first:
        yield last_at, last, False
        yield last_at + cadence_ms, last, True


def _between(before: Point, after: Point, cadence_ms: int, first: int) -> Iterator[tuple[int, float, bool]]:
    knee = max(before[0], after[0] - LONGEST_LINE_MS)
    slope = (after[1] - before[1]) / (after[0] - knee)
    at = (max(before[0] + 1, first) + cadence_ms - 1) // cadence_ms * cadence_ms
    while at < after[0]:
        yield at, round(before[1] + max(0, at - knee) * slope, 1), True
        at += cadence_ms
