"""What makes two readings the same, and how one bad reading is found in a batch."""

from collections.abc import Callable, Sequence

from pantau.reading import Reading

__all__ = ["Identity", "bisect", "identity", "newest"]

Identity = tuple[str, str, str, int]
"""(station, sensor, kind, observed_at)."""


def identity(reading: Reading) -> Identity:
    """A reading's key: twice delivered is once stored."""
    return (reading.station, reading.sensor, reading.kind, reading.observed_at)


def newest(readings: Sequence[Reading]) -> list[Reading]:
    """One reading a key, the last one of the batch, for stores that cannot take a key twice at once."""
    return list({identity(reading): reading for reading in readings}.values())


def bisect(
    readings: Sequence[Reading], attempt: Callable[[Sequence[Reading]], str]
) -> list[tuple[Reading, str]]:
    """Store all but the bad ones, which are found by halving.

    Args:
        attempt: stores a batch and returns why it was refused, empty when it was stored. It may be repeated.

    Returns:
        The readings that are refused alone, with the reason.
    """
    bad: list[tuple[Reading, str]] = []
    waiting = [readings]
    while waiting:
        part = waiting.pop()
        refusal = attempt(part) if part else ""
        if refusal and len(part) == 1:
            bad.append((part[0], refusal))
        elif refusal:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
    return bad
