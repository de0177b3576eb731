"""Typing errors: a series in, which readings were errors and from when on that was known, without looking ahead.

An error jumps away and is back within two readings. So it is known one or two readings late; until then the jump is
pending. A pending jump that is larger than anything that ever stood is held back for one reading, unless a gauge
upstream has risen as well: a true flash rise is never lost, at the most it enters one reading later.

Source:
    Hourly bulletins of three gauges read by eye, 2021-2024: docs/models.md, "Forecasts".
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = ["JUMP_CM", "QUICK_MS", "RETURN", "Bools", "Floats", "Ints", "Levels", "errors", "levels"]

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Ints: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

JUMP_CM = 60.0
"""A smaller jump is never called an error (issue: "jump more than 60 cm and return within two")."""
RETURN = 0.25
"""Back to so much of the jump, it was an error."""
QUICK_MS = 5_400_000
"""After a longer silence a jump is not a jump: the water had its time."""


class Levels(NamedTuple):
    """A series with what is known of its errors.

    Attributes:
        times: (n,) ms since 1970 UTC, rising.
        level: (n,) as it came.
        after: (n,) so many readings later it was known to be an error; 0: it is none.
        instead: (n,) the level to use once that is known, or while a jump is held back: the one before the jump.
    """

    times: Ints
    level: Floats
    after: Ints
    instead: Floats


def levels(times: Ints, values: Floats, jump: float = JUMP_CM) -> Levels:
    """A series with its errors marked."""
    after, instead = errors(times, values, jump)
    return Levels(times, values, after, instead)


def errors(times: Ints, values: Floats, jump: float = JUMP_CM) -> tuple[Ints, Floats]:
    """Which readings were typing errors.

    Every answer depends on one reading before and two after it only, so that any part of a series gives the same.

    Args:
        times: ms, rising.
        values: in the gauge's unit.
        jump: smaller steps are no errors.

    Returns:
        (after, instead), see ``Levels``.
    """
    count = len(values)
    after = np.zeros(count, dtype=np.int64)
    instead = np.concatenate([values[:1], values[:-1]])
    if count < 3:
        return after, instead
    before = values[:-2]
    step = np.abs(values[1:-1] - before)
    jumps = step > jump
    if not jumps.any():  # nearly always, and the service asks at every reading
        return after, instead
    jumps &= np.diff(times)[:-1] <= QUICK_MS
    off_one = np.abs(values[2:] - before)
    one = jumps & (off_one <= RETURN * step)
    after[1:-1][one] = 1
    if count < 4:
        return after, instead
    off_two = np.abs(values[3:] - before[:-1])
    two = jumps[:-1] & ~one[:-1] & (off_one[:-1] > jump) & (off_two <= RETURN * step[:-1])
    first = np.flatnonzero(two) + 1
    first = first[after[first + 1] == 0]
    after[first] = 2
    after[first + 1] = 1
    instead[first + 1] = values[first - 1]
    return after, instead
