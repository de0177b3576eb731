"""Gaps in the devices' own counters: readings with ``seq`` in, how many messages never reached us out.

A loss before our broker (radio, gateway, mobile network) shows nowhere else. What only looks like a loss is told apart
by the reading's time: a lower number with an older time is late and closes its gap, a lower number with a newer time is
a device that started again or a counter that wrapped. Pure: the same readings in the same order give the same counts.
"""

from collections.abc import Iterable, Iterator
from sys import intern
from zlib import crc32

import msgspec

from pantau.reading import Reading

__all__ = ["PARTS", "Numbering", "Sequences", "part_of"]

PARTS = 256
"""Numberings are kept in so many parts: a save writes the changed ones, a question about a station reads one."""

_WRAPS = (1 << 16, 1 << 32)
_WRAP_LOSS = 256
"""A counter that falls from within so many numbers of 2^16 or 2^32 to the beginning has wrapped; LoRaWAN's f_cnt does.
A device that is restarted just there (0.4 % of restarts with 16 bits) is taken for a wrap and a loss."""
_REPEATS = 64
"""A number at most so far back that is no gap was sent twice, whatever its time: gateways stamp a repeat anew."""
_FIRST = 1
"""Counters start again at 0 or 1: such a number is a restart however small the step back is."""
_LEAP = 1_000_000
"""Nobody loses so many messages in a row and goes on: the device numbers in another way now."""
_MOST_HOLES = 32
"""Gaps that a late message can still close; one that is older stays counted as lost."""


def part_of(station: str) -> int:
    """Which part keeps the numberings of a station's sensors."""
    return crc32(station.encode()) % PARTS


class Numbering(msgspec.Struct, array_like=True, gc=False):
    """How one device counts; numbers are kept without wraps, so that they only rise until the device starts again.

    Attributes:
        part: ``part_of(station)``.
        last: highest number since the device started.
        last_at: newest time, epoch ms: the device's own, or receipt where that is earlier (clocks that are ahead).
        since: time of the first number since the device started.
        received: different messages that came.
        missing: messages that did not come (yet).
        resets: how often the device began again, or numbers in another way.
        last_gap_at: time of the message that showed the newest gap, None without any.
        base: what wraps have added.
        wrap: 2^16 or 2^32 once the counter has wrapped, else 0.
        holes: gaps that a late message can close: (first, last), oldest first.
    """

    station: str
    sensor: str
    part: int
    last: int
    last_at: int
    since: int
    received: int = 1
    missing: int = 0
    resets: int = 0
    last_gap_at: int | None = None
    base: int = 0
    wrap: int = 0
    holes: list[tuple[int, int]] = []

    @property
    def last_seq(self) -> int:
        """The highest number as the device sent it."""
        return self.last - self.base

    def take(self, seq: int, at: int, *, historical: bool = False) -> None:
        """Count a message.

        Args:
            seq: as the device sent it.
            at: its time, ms.
            historical: sent as history: it may close or show a gap, but says nothing of the device's start.
        """
        number = seq + self.base
        if self.wrap and number - self.last > self.wrap // 2:
            number -= self.wrap  # from before the wrap
        if number == self.last or (self.resets and at < self.since):  # a repeat; from before the start
            return
        if number > self.last:
            self._rise(seq, number, at, historical=historical)
            return
        newer = at > self.last_at and not historical
        # Far back and newer is a device that started again, also where its number happens to fall into a gap.
        again = newer and self.last - number > _REPEATS
        if (again or not self._close(number)) and newer:
            self._fall(seq, number, at)

    def _rise(self, seq: int, number: int, at: int, *, historical: bool) -> None:
        lost = number - self.last - 1
        if lost > _LEAP:
            if at > self.last_at and not historical:
                self._start(seq, at)
            return
        if lost:
            self.holes = [*self.holes, (self.last + 1, number - 1)][-_MOST_HOLES:]
            self.missing += lost
            self.last_gap_at = at
        self.last, self.last_at = number, max(at, self.last_at)
        self.received += 1

    def _fall(self, seq: int, number: int, at: int) -> None:
        for wrap in _WRAPS:
            if seq >= 0 and self.last_seq < wrap and seq + wrap - self.last_seq <= _WRAP_LOSS:
                self.base, self.wrap = self.base + wrap, wrap
                self._rise(seq, seq + self.base, at, historical=False)
                return
        if self.last - number > _REPEATS or 0 <= seq <= _FIRST:
            self._start(seq, at)

    def _start(self, seq: int, at: int) -> None:
        """The device counts anew; what it lost before the first message that we got, nobody can tell."""
        self.last, self.last_at, self.since = seq, at, at
        self.base, self.wrap, self.holes = 0, 0, []
        self.received += 1
        self.resets += 1

    def _close(self, number: int) -> bool:
        """Take a late number out of its gap."""
        for index in range(len(self.holes) - 1, -1, -1):
            first, last = self.holes[index]
            if first <= number <= last:
                rest = [hole for hole in ((first, number - 1), (number + 1, last)) if hole[0] <= hole[1]]
                self.holes = [*self.holes[:index], *rest, *self.holes[index + 1 :]][-_MOST_HOLES:]
                self.missing -= 1
                self.received += 1
                return True
        return False


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Numbering])


class Sequences:
    """The numberings of all devices that number their messages, by (station, sensor).

    Attributes:
        missing: messages that did not come, of all devices.
        resets: how often devices began again.
    """

    def __init__(self) -> None:
        self._numberings: dict[tuple[str, str], Numbering] = {}
        self._parts: dict[int, list[Numbering]] = {}
        self._changed = bytearray(PARTS)
        self._unsaved: set[int] = set()
        self.missing = 0
        self.resets = 0

    def __len__(self) -> int:
        return len(self._numberings)

    def __iter__(self) -> Iterator[Numbering]:
        return iter(self._numberings.values())

    def note(self, readings: Iterable[Reading]) -> None:
        """Count the messages of readings, in the order in which they came; those without ``seq`` cost next to nothing.

        A message the broker kept (``retained``) may be of any age and says nothing.
        """
        known, changed = self._numberings, self._changed
        for reading in readings:
            seq = reading.seq
            if seq is None or reading.retained:
                continue
            at = min(reading.received_at, reading.observed_at)
            found = known.get((reading.station, reading.sensor))
            if found is None:
                self._add(Numbering(reading.station, reading.sensor, part_of(reading.station), seq, at, at))
                continue
            # Written out, for nearly every message takes this way: the next number, a newer time.
            if seq + found.base - found.last == 1 and at >= found.last_at:
                found.last += 1
                found.last_at = at
                found.received += 1
            else:
                missing, resets = found.missing, found.resets
                found.take(seq, at, historical=reading.historical)
                self.missing += found.missing - missing
                self.resets += found.resets - resets
            changed[found.part] = 1

    def dump_changed(self) -> dict[int, bytes]:
        """The parts that changed since the last dump that was ``saved``."""
        self._unsaved.update(part for part in range(PARTS) if self._changed[part])
        self._changed[:] = bytes(PARTS)
        return {part: _encoder.encode(self._parts[part]) for part in sorted(self._unsaved)}

    def saved(self) -> None:
        """What ``dump_changed`` gave last is kept."""
        self._unsaved.clear()

    def load(self, body: bytes) -> None:
        """Take over a part that ``dump_changed`` gave.

        Raises:
            msgspec.DecodeError: it is of another version; its devices then start afresh.
        """
        for numbering in self.parsed(body):
            self._add(numbering)
            self._changed[numbering.part] = 0

    @staticmethod
    def parsed(body: bytes) -> list[Numbering]:
        """The numberings of a part.

        Raises:
            msgspec.DecodeError: it is of another version.
        """
        return _decoder.decode(body)

    def _add(self, numbering: Numbering) -> None:
        numbering.station, numbering.sensor = intern(numbering.station), intern(numbering.sensor)
        self._numberings[numbering.station, numbering.sensor] = numbering
        self._parts.setdefault(numbering.part, []).append(numbering)
        self._changed[numbering.part] = 1
        self.missing += numbering.missing
        self.resets += numbering.resets
