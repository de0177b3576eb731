"""What a Sparkplug edge node said at its births, and how far it has counted since: messages in, their meaning out.

Births are not retained and messages name their metrics by alias only, so this dictionary is kept across restarts, and
is asked for again (a rebirth) whenever it may be wrong. An alias is never guessed: a dictionary counts from its birth
to the death of its session, and where a later birth gave an alias another meaning, older messages that come again are
not read with it. One thing cannot be seen from here: that a death and the births after it were both lost, and the new
births gave an old alias another meaning; until the gap in ``seq`` has brought them again, values are read with the old
dictionary. While we were away much can be lost, so a dictionary that was read back counts only if the node's numbering
goes on where it was left. Pure: no clock, the same messages give the same answers.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Literal, NamedTuple

import msgspec

from ingest.sparkplug import Metric

__all__ = ["ASK_MS", "Meaning", "Node", "Order"]

ASK_MS = 10_000
"""An edge node is asked for its births at most once in so many ms: one that is broken must not be flooded."""
_NUMBERS = 256
_REMEMBERED = 8
"""Births by which a repeat is known; a broker sends again what it was not told to have arrived, which is little."""
_AGAIN_MS = 60_000
"""After a restart: what the broker delivers again is hardly older; what is may be of a session that we missed."""
_MOST_FORMER = 10_000
"""Aliases of earlier births that are remembered of a device, so that nobody can fill the memory with births."""

_MOST_KEPT = 400_000
"""Bytes of the births of one device (some 8,000 metrics); of a larger one we know nothing after a restart, and ask."""


class Order(Enum):
    """How a message stands to the one before it."""

    NEXT = "next"
    AGAIN = "again"
    GAP = "gap"


class Meaning(NamedTuple):
    """What an alias stands for; ``since``: time (ms, the node's) of the birth that changed it, None: always so."""

    name: str
    datatype: int
    since: int | None


class _Births(msgspec.Struct, array_like=True, gc=False):
    """The births of a device as they are kept; ``aliases`` name their metric by its place in ``names``."""

    version: Literal[1]
    names: list[tuple[str, int]]
    aliases: list[tuple[int, int, int, int | None]]
    former: list[tuple[int, Meaning]]
    births: list[tuple[int | None, int]]


class _Session(msgspec.Struct, array_like=True, gc=False):
    """What seldom changes of a node; ``born``: its devices whose births are in force, and are kept."""

    version: Literal[1]
    alive: bool
    bd_seq: int | None
    born: list[str]


class _Count(msgspec.Struct, array_like=True, gc=False):
    """What changes with every message of a node."""

    version: Literal[1]
    seq: int | None
    stamp: int | None


_encode = msgspec.msgpack.Encoder().encode
_births = msgspec.msgpack.Decoder(_Births)
_session = msgspec.msgpack.Decoder(_Session)
_count = msgspec.msgpack.Decoder(_Count)
_OF_DEVICE = "births/"


class _Book:
    """The births of one device, or of the edge node itself; ``former``: aliases that stand for nothing any more."""

    def __init__(self) -> None:
        self.born = False
        self.aliases: dict[int, Meaning] = {}
        self.former: dict[int, Meaning] = {}
        self.datatypes: dict[str, int] = {}
        self._births: deque[tuple[int | None, int]] = deque(maxlen=_REMEMBERED)

    def again(self, count: int | None, at: int | None) -> bool:
        """Whether this birth, known by its number and its time, was here before; from now on it was."""
        if at is None:
            return False
        if (count, at) in self._births:
            return True
        self._births.append((count, at))
        return False

    def define(self, metrics: Iterable[Metric], at: int | None) -> None:
        named = [metric for metric in metrics if metric.name]
        known = self.former | self.aliases
        self.datatypes = {metric.name: metric.datatype for metric in named}
        self.aliases = {
            metric.alias: Meaning(
                metric.name, metric.datatype, _since(known.get(metric.alias), metric.name, at)
            )
            for metric in named
            if metric.alias is not None
        }
        self.former = {alias: old for alias, old in known.items() if alias not in self.aliases}
        if len(self.former) > _MOST_FORMER:
            self.former = {}
        self.born = True

    def dump(self) -> bytes:
        """Its births as bytes, none when they would be too many."""
        places = {name: place for place, name in enumerate(self.datatypes)}
        body = _encode(
            _Births(
                1,
                list(self.datatypes.items()),
                [(alias, places[m.name], m.datatype, m.since) for alias, m in self.aliases.items()],
                list(self.former.items()),
                list(self._births),
            )
        )
        return body if len(body) <= _MOST_KEPT else b""

    def load(self, body: bytes) -> None:
        """Take over what ``dump`` gave; see ``Node.load``."""
        found = _births.decode(body)
        self.datatypes = dict(found.names)
        if any(not 0 <= place < len(found.names) for _, place, _, _ in found.aliases):
            raise msgspec.DecodeError("an alias of a metric that is not there")
        self.aliases = {
            alias: Meaning(found.names[place][0], datatype, since)
            for alias, place, datatype, since in found.aliases
        }
        self.former = dict(found.former)
        self._births.extend(found.births)


def _since(old: Meaning | None, name: str, at: int | None) -> int | None:
    if old is None:
        return None
    if old.name != name:
        return at
    return None if old.since is None or at is None else min(old.since, at)


class Node:
    """One edge node: its session, its numbering, its dictionaries.

    Attributes:
        alive: a birth was seen, and no death since.
    """

    def __init__(self) -> None:
        self.alive = False
        self._bd_seq: int | None = None
        self._seq: int | None = None
        self._stamp: int | None = None
        self._asked_at: int | None = None
        self._books: dict[str, _Book] = {}
        self._loaded = False
        self._unkept: set[str] = set()
        self._defined: set[str] = set()
        self._turned = self._moved = False

    def begin(self, metrics: Iterable[Metric], bd_seq: int | None, seq: int | None, at: int | None) -> None:
        """A birth of the node: a new session, or the same told again because we asked; all devices follow anew.

        The same birth delivered again changes nothing.

        Args:
            at: the payload's time, ms.
        """
        own = self._books.setdefault("", _Book())
        if own.again(bd_seq, at):
            return
        self._bury()
        self._defined.add("")
        self._moved, self._loaded = True, False
        self.alive, self._bd_seq, self._stamp = True, bd_seq, at
        self._seq = 0 if seq is None else seq
        own.define(metrics, at)

    def end(self, bd_seq: int | None) -> bool:
        """A death of the node; False when it is the late will of another session than the one we know."""
        if bd_seq is not None and self._bd_seq is not None and bd_seq != self._bd_seq:
            return False
        self._bury()
        self._moved, self._loaded = True, False
        self.alive, self._seq, self._stamp = False, None, None
        return True

    def _bury(self) -> None:
        """No birth is in force any more."""
        for book in self._books.values():
            book.born = False
        self._turned = True

    def order(self, seq: int | None, at: int | None) -> Order:
        """Count a message other than the node's birth and death.

        A broker that delivers again does not make a gap of 255: a number that is not the next one and comes with a time
        before (or with the same time and a lower number than) the newest is a repeat.

        Args:
            seq: 0 to 255, then 0 again.
            at: the payload's time, ms.
        """
        goes_on = seq is not None and self._seq is not None and seq == (self._seq + 1) % _NUMBERS
        if self._loaded and (seq is None or goes_on or at is None):
            self._loaded = False
            if not goes_on:  # nobody can tell what we missed
                self._bury()
        if seq is None:
            return Order.NEXT  # against the standard; nothing can be told
        self._moved = True
        if self._seq is None or goes_on:
            self._seq, self._stamp = seq, at
            return Order.NEXT
        behind = (self._seq - seq) % _NUMBERS < _NUMBERS // 2
        timed = at is not None and self._stamp is not None and at != self._stamp
        if (at or 0) < (self._stamp or 0) if timed else behind:
            return Order.AGAIN
        self._seq, self._stamp = seq, at
        if self._loaded:
            self._loaded = False
            self._bury()
        return Order.GAP

    def define(self, device: str, metrics: Iterable[Metric], seq: int | None, at: int | None) -> None:
        """A birth of a device; delivered again it changes nothing."""
        book = self._books.setdefault(device, _Book())
        if not book.again(seq, at):
            book.define(metrics, at)
            self._defined.add(device)
            self._turned = True

    def lose(self, device: str) -> None:
        """A death of a device."""
        if device in self._books:
            self._books[device].born = False
            self._turned = True

    def meaning(self, device: str, alias: int, at: int | None) -> Meaning | None:
        """What an alias stands for in a message of this time, None when nobody can tell.

        Args:
            device: empty for the node itself.
            at: the payload's time, ms.
        """
        stale = self._loaded and (at is None or self._stamp is None or at < self._stamp - _AGAIN_MS)
        book = None if stale else self._books.get(device)
        found = None if book is None or not book.born else book.aliases.get(alias)
        if found is not None and found.since is not None and at is not None and at < found.since:
            return None
        return found

    def datatype(self, device: str, name: str) -> int:
        """The data type that the birth gave a metric, 0 when no birth is in force."""
        book = self._books.get(device)
        return book.datatypes.get(name, 0) if book is not None and book.born else 0

    def may_ask(self, at: int) -> bool:
        """Whether it is time to ask for births; counts as asked when it is.

        Args:
            at: when the message that calls for it was received, ms.
        """
        if self._asked_at is not None and abs(at - self._asked_at) < ASK_MS:
            return False
        self._asked_at = at
        return True

    def dump_changed(self) -> dict[str, bytes]:
        """The parts that changed since the last call, as ``ingest.format.Remembers`` wants them."""
        found = {_OF_DEVICE + device: self._books[device].dump() for device in self._defined}
        for device in self._defined:
            (self._unkept.discard if found[_OF_DEVICE + device] else self._unkept.add)(device)
        if self._turned:
            born = [
                device for device, book in self._books.items() if book.born and device not in self._unkept
            ]
            found["session"] = _encode(_Session(1, self.alive, self._bd_seq, born))
        if self._moved:
            found["count"] = _encode(_Count(1, self._seq, self._stamp))
        self._defined, self._turned, self._moved = set(), False, False
        return found

    def load(self, parts: Mapping[str, bytes]) -> None:
        """Take over what ``dump_changed`` gave, before the first message.

        Raises:
            msgspec.DecodeError: it is of another version.
        """
        for name, body in parts.items():
            if name.startswith(_OF_DEVICE):
                self._books[name.removeprefix(_OF_DEVICE)] = book = _Book()
                book.load(body)
        if "count" in parts:
            count = _count.decode(parts["count"])
            self._seq, self._stamp, self._loaded = count.seq, count.stamp, True
        if "session" in parts:
            session = _session.decode(parts["session"])
            self.alive, self._bd_seq = session.alive, session.bd_seq
            for device in session.born:
                if device in self._books:
                    self._books[device].born = True
