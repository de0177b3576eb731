"""Objects that a camera program follows: each object's latest state in, how many are in a zone now out.

Frigate tells of each object when it appears, changes and ends, never how many there are; a count is made of what is
remembered. An end that is lost would leave somebody standing there for ever, so an object that nothing is heard of for
long is left out; and a count made before everybody was heard of once would be too small, so nothing is told at first.
All this outlives a restart if the events were sent at QoS 1: only then the broker kept those that came while we were
away. Pure: no clock, the same messages give the same counts.
"""

from collections.abc import Mapping
from operator import itemgetter
from typing import Literal, NamedTuple
from zlib import crc32

import msgspec

__all__ = ["MOST_OBJECTS", "Sighting", "Sightings"]

MOST_OBJECTS = 10_000
"""Remembered at once, with those that ended (they must not come back with a late repeat); then the oldest go."""
_CLOSE_MS = 10_000
"""Counts of a zone that lie so close get times in their order; further apart it is a clock that was set."""

_PARTS = 256
"""Objects are kept in so many parts, each of at most some 40: an event writes one of them, 3 kB at the most usual."""
_MAIN = "main"


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


class _Main(msgspec.Struct, array_like=True):
    """What is kept beside the objects; they count only when ``whole``: events come at QoS 1."""

    version: Literal[1]
    about: str
    whole: bool
    began_at: int | None
    told_at: dict[str, int]


class _Part(msgspec.Struct, array_like=True):
    """Some objects as they are kept: (turn, name, sighting)."""

    version: Literal[1]
    objects: list[tuple[int, str, Sighting]]


_encode = msgspec.msgpack.Encoder().encode
_main = msgspec.msgpack.Decoder(_Main)
_part = msgspec.msgpack.Decoder(_Part)


class Sightings:
    """The objects of one installation.

    Args:
        forget_ms: an object that nothing is heard of for so long is gone.
        learn_ms: so long after the first message the program has told of everybody who is there.
        about: what counts and where, as a text; what was kept about something else is not taken over.
    """

    def __init__(self, forget_ms: int, learn_ms: int, about: str = "") -> None:
        self._forget_ms = forget_ms
        self._learn_ms = learn_ms
        self._about = about
        self._began_at: int | None = None
        self._objects: dict[str, Sighting] = {}
        self._inside: dict[str, set[str]] = {}
        self._told_at: dict[str, int] = {}
        self._whole = True
        self._turn = 0
        self._parts: list[dict[str, int]] = [{} for _ in range(_PARTS)]
        self._changed: set[int] = set()
        self._main_changed = False

    def knows_all(self, at: int) -> bool:
        """Whether counts are whole by now; the first question begins the time of learning.

        Args:
            at: when the message was received, ms.
        """
        if self._began_at is None:
            self._began_at = at
            self._main_changed = True
        return at - self._began_at >= self._learn_ms

    def note(self, name: str, seen: Sighting, qos: int = 1) -> frozenset[str]:
        """Take an object's state; the zones whose count it is news for, none when it is a repeat or late.

        Args:
            qos: at 0, what comes while we are away is lost.
        """
        if self._whole != (qos > 0):
            self._whole, self._main_changed = qos > 0, True
        self._touch(name)
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

    def count(self, zone: str, now: int, at: int) -> tuple[int, float | None]:
        """How many are in a zone, and the mean of their scores (None without any).

        Args:
            now: when the message that asks was received, ms.
            at: its time by the program's clock, ms. Who is near in one of the two is there: what waited at the broker
                is received long after it was so, and a clock may be set.
        """
        inside = self._inside.get(zone, set())
        for name in [name for name in inside if self._is_gone(self._objects[name], now, at)]:
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
        self._main_changed = True
        return at

    def clear(self) -> None:
        """The program began anew: nobody is followed any more."""
        self._changed.update(number for number, part in enumerate(self._parts) if part)
        for part in self._parts:
            part.clear()
        self._objects.clear()
        self._inside.clear()

    def _is_gone(self, seen: Sighting, now: int, at: int) -> bool:
        return now - seen.heard_at > self._forget_ms and abs(at - seen.at) > self._forget_ms

    def _touch(self, name: str) -> None:
        """Note that an object changes, and that it is the newest: the oldest go first."""
        number = crc32(name.encode()) % _PARTS
        self._turn += 1
        self._parts[number][name] = self._turn
        self._changed.add(number)

    def _drop(self, name: str) -> None:
        number = crc32(name.encode()) % _PARTS
        del self._parts[number][name]
        self._changed.add(number)
        for zone in self._objects.pop(name).zones:
            self._inside[zone].discard(name)

    def dump_changed(self) -> dict[str, bytes]:
        """The parts that changed since the last call, as ``ingest.format.Remembers`` wants them."""
        if not (self._changed or self._main_changed):
            return {}
        found = {}
        if self._main_changed:
            self._main_changed = False
            found[_MAIN] = _encode(_Main(1, self._about, self._whole, self._began_at, self._told_at))
        if self._whole:  # else the objects are not taken over: what changed is written when they are again
            for number in self._changed:
                part = self._parts[number]
                objects = [(turn, name, self._objects[name]) for name, turn in part.items()]
                found[str(number)] = _encode(_Part(1, objects)) if objects else b""
            self._changed.clear()
        return found

    def load(self, kept: Mapping[str, bytes]) -> None:
        """Take over what ``dump_changed`` gave; of events at QoS 0 only the times of the counts.

        Raises:
            msgspec.DecodeError: it is of another version.
        """
        if _MAIN not in kept:
            return
        main = _main.decode(kept[_MAIN])
        parts = [_part.decode(body) for name, body in kept.items() if name != _MAIN]
        self._told_at, self._whole = main.told_at, main.whole
        self._changed.update(int(name) for name in kept if name != _MAIN)  # those that nobody is in any more
        if not main.whole or main.about != self._about:
            return
        self._began_at = main.began_at
        for _, name, seen in sorted((one for part in parts for one in part.objects), key=itemgetter(0)):
            self.note(name, seen)
        self._changed.clear()
        self._main_changed = False
