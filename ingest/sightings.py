"""Objects that a camera program follows: each object's latest state in, how many are in a zone now out.

Frigate tells of each object when it appears, changes and ends, never how many there are; a count is made of what is
remembered. An end that is lost would leave somebody standing there for ever, so an object that nothing is heard of for
long is left out; and a count made before everybody was heard of once would be too small, so nothing is told at first.
Pure: no clock, the same messages give the same counts.
"""

from typing import NamedTuple

__all__ = ["MOST_OBJECTS", "Sighting", "Sightings"]

MOST_OBJECTS = 10_000
"""Remembered at once, with those that ended (they must not come back with a late repeat); then the oldest go."""
_CLOSE_MS = 10_000
"""Counts of a zone that lie so close get times in their order; further apart it is a clock that was set."""


class Sighting(NamedTuple):
    """One object as it was told of last.

    Attributes:
        zones: where it is and counts; empty when it ended or does not count.
        at: the program's time, ms.
        heard_at: when the message was received, ms.
        score: 0..1, None when the program gave none.
    """

    zones: frozenset[str]
    at: int
    heard_at: int
    score: float | None


class Sightings:
    """The objects of one installation.

    Args:
        forget_ms: an object that nothing is heard of for so long is gone.
        learn_ms: so long after the first message the program has told of everybody who is there.
    """

    def __init__(self, forget_ms: int, learn_ms: int) -> None:
        self._forget_ms = forget_ms
        self._learn_ms = learn_ms
        self._began_at: int | None = None
        self._objects: dict[str, Sighting] = {}
        self._inside: dict[str, set[str]] = {}
        self._told_at: dict[str, int] = {}

    def knows_all(self, at: int) -> bool:
        """Whether counts are whole by now; the first question begins the time of learning.

        Args:
            at: when the message was received, ms.
        """
        if self._began_at is None:
            self._began_at = at
        return at - self._began_at >= self._learn_ms

    def note(self, name: str, seen: Sighting) -> frozenset[str]:
        """Take an object's state; the zones whose count it is news for, none when it is a repeat or late."""
        old = self._objects.pop(name, None)
        if old is not None and (seen.at < old.at or (seen.at == old.at and seen.zones == old.zones)):
            self._objects[name] = old
            return frozenset()
        while len(self._objects) >= MOST_OBJECTS:
            self._drop(next(iter(self._objects)))
        self._objects[name] = seen
        was = frozenset[str]() if old is None else old.zones
        for zone in was - seen.zones:
            self._inside[zone].discard(name)
        for zone in seen.zones:
            self._inside.setdefault(zone, set()).add(name)
        return was | seen.zones

    def count(self, zone: str, now: int) -> tuple[int, float | None]:
        """How many are in a zone, and the mean of their scores (None without any).

        Args:
            now: when the message that asks was received, ms.
        """
        inside = self._inside.get(zone, set())
        for name in [name for name in inside if now - self._objects[name].heard_at > self._forget_ms]:
            self._drop(name)
        scores = [score for name in inside if (score := self._objects[name].score) is not None]
        return len(inside), round(sum(scores) / len(scores), 3) if scores else None

    def moment(self, zone: str, at: int) -> int:
        """The time of a zone's next count: ``at``, but later than the count before it.

        Two people who enter in one frame are told of one after the other with the same time; the second count would
        be taken for a repeat of the first.
        """
        told = self._told_at.get(zone)
        if told is not None and 0 <= told - at < _CLOSE_MS:
            at = told + 1
        self._told_at[zone] = at
        return at

    def clear(self) -> None:
        """The program began anew: nobody is followed any more."""
        self._objects.clear()
        self._inside.clear()

    def _drop(self, name: str) -> None:
        for zone in self._objects.pop(name).zones:
            self._inside[zone].discard(name)
