"""What makes two readings the same, and how one bad reading is found in a batch."""

from collections.abc import Callable, Sequence

from pantau.reading import Reading

__all__ = ["EverythingRefusedError", "Identity", "bisect", "identity", "newest"]

Identity = tuple[str, str, str, int]
"""(station, sensor, kind, observed_at)."""


_SUSPICIOUS = 16


def identity(reading: Reading) -> Identity:
    """A reading's key: twice delivered is once stored."""
    return (reading.station, reading.sensor, reading.kind, reading.observed_at)


def newest(readings: Sequence[Reading]) -> list[Reading]:
    """One reading a key, the last one of the batch, for stores that cannot take a key twice at once."""
    return list({identity(reading): reading for reading in readings}.values())


class EverythingRefusedError(Exception):
    """So many readings were refused alone and none was stored: they are not to blame; with the first refusal."""


def bisect(
    readings: Sequence[Reading], attempt: Callable[[Sequence[Reading]], str]
) -> list[tuple[Reading, str]]:
    """Store all but the bad ones, which are found by halving.

    Args:
        attempt: stores a batch and returns why it was refused, empty when it was stored. It may be repeated.

    Returns:
        The readings that are refused alone, with the reason.

    Raises:
        EverythingRefusedError: sixteen were refused alone, and not one of the batch was taken.
    """
    bad: list[tuple[Reading, str]] = []
    taken = False
    waiting = [readings]
    while waiting:
        part = waiting.pop()
        refusal = attempt(part) if part else ""
        taken = taken or not refusal
        if refusal and len(part) == 1:
            bad.append((part[0], refusal))
            if len(bad) >= _SUSPICIOUS and not taken:
                raise EverythingRefusedError(refusal)
        elif refusal:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
    return bad
