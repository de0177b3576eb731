"""What a fault does to a stream of emissions; each notes what it injected, so that it can be looked for afterwards.

A fault takes emissions in the order of their sending and gives pairs (instant reached, emission) for
``in_sending_order``. The same seed injects the same faults. ``simulators.fault_text`` reads them from a command line.
"""

from collections.abc import Callable, Iterable, Iterator
from random import Random

import msgspec
from msgspec.structs import replace

from simulators.emission import Emission, in_sending_order

__all__ = ["ACTIONS", "Fault", "Injected", "inject"]

_FOREVER = 1 << 62
_HOUR_MS = 3_600_000
_JUNK = (b"", b"null", b"[]", b"{", b'{"value":', b"NaN", b"-", b"\xff\xfe\x00", b"[" * 5_000, b'"12,5 cm"')
Stream = Iterable[Emission]
Timed = Iterator[tuple[int, Emission]]
Note = Callable[[Emission, str], None]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and whom it hits.

    Attributes:
        name: key of ``ACTIONS``.
        station, sensor: limited to them; empty means all.
        p: probability that an emission (for reorder: a group of them) is hit.
        begin, end: only emissions observed in this time, ms; ``end`` exclusive.
        once: only the first one that fits, of each sensor.
        by_ms, by_max_ms: delay or duplicate: waits between these; clock_drift: shift at the first emission.
        per_h_ms: clock_drift: further shift each hour.
        size: spike: added to the value. times: duplicate: further copies. n: reorder: size of a group.
        unit: wrong_unit: label sent, as it is if empty. factor: wrong_unit: the number sent is so many times the value.
    """

    name: str
    station: str = ""
    sensor: str = ""
    p: float = 1.0
    begin: int = -_FOREVER
    end: int = _FOREVER
    once: bool = False
    by_ms: int = 0
    by_max_ms: int = 0
    per_h_ms: int = 0
    size: float = 0.0
    times: int = 1
    n: int = 3
    unit: str = ""
    factor: float = 1.0


class Injected(msgspec.Struct, frozen=True):
    """The ground truth: one emission that a fault has hit, as it was before, and what happened to it."""

    fault: str
    station: str
    sensor: str
    kind: str
    observed_at: int
    value: float
    seq: int
    detail: str


def inject(
    stream: Stream, faults: Iterable[Fault], *, seed: int, truth: list[Injected]
) -> Iterator[Emission]:
    """The stream after all faults, one after the other, in the order of sending.

    Args:
        truth: what was injected is appended while the stream is read.
    """
    for place, fault in enumerate(faults):
        stream = in_sending_order(_applied(fault, stream, Random(f"{seed}/{place}/{fault.name}"), truth))
    return iter(stream)


def _applied(fault: Fault, stream: Stream, rng: Random, truth: list[Injected]) -> Timed:
    def note(e: Emission, detail: str) -> None:
        truth.append(Injected(fault.name, e.station, e.sensor, e.kind, e.observed_at, e.value, e.seq, detail))

    return ACTIONS[fault.name](_Choice(fault, rng), stream, note)


class _Choice:
    """Says which emissions a fault hits."""

    def __init__(self, fault: Fault, rng: Random) -> None:
        self.fault = fault
        self.rng = rng
        self._done: set[tuple[str, str]] = set()

    def concerns(self, e: Emission) -> bool:
        """Whether station, sensor and time fit."""
        fault = self.fault
        return (
            fault.station in {"", e.station}
            and fault.sensor in {"", e.sensor}
            and fault.begin <= e.observed_at < fault.end
        )

    def hits(self, e: Emission) -> bool:
        """Whether this emission is hit, by its place, its time and chance."""
        if not self.concerns(e):
            return False
        if self.fault.once:
            sensor = (e.station, e.sensor)
            fresh = sensor not in self._done
            self._done.add(sensor)
            return fresh
        return self.fault.p >= 1 or self.rng.random() < self.fault.p

    def wait_ms(self) -> int:
        """A waiting time between ``by_ms`` and ``by_max_ms``."""
        return self.rng.randint(self.fault.by_ms, max(self.fault.by_ms, self.fault.by_max_ms))


def _drop(choice: _Choice, stream: Stream, note: Note) -> Timed:
    for e in stream:
        if choice.hits(e):
            note(e, "never sent")
        else:
            yield e.send_at, e


def _delay(choice: _Choice, stream: Stream, note: Note) -> Timed:
    for e in stream:
        if choice.hits(e):
            wait = choice.wait_ms()
            note(e, f"sent {wait} ms late")
            yield e.send_at, replace(e, send_at=e.send_at + wait)
        else:
            yield e.send_at, e


def _duplicate(choice: _Choice, stream: Stream, note: Note) -> Timed:
    for e in stream:
        yield e.send_at, e
        if choice.hits(e):
            for _ in range(choice.fault.times):
                wait = choice.wait_ms()
                note(e, f"sent again {wait} ms later")
                yield e.send_at, replace(e, send_at=e.send_at + wait)


def _reorder(choice: _Choice, stream: Stream, note: Note) -> Timed:
    """Holds back groups of ``n`` of one sensor and sends each group at once, shuffled: a backlog in wrong order."""
    held: dict[tuple[str, str], list[Emission]] = {}
    reached = -_FOREVER
    for e in stream:
        reached = e.send_at
        sensor = (e.station, e.sensor)
        if sensor not in held and not choice.hits(e):
            yield reached, e
            continue
        group = held.setdefault(sensor, [])
        group.append(e)
        if len(group) == choice.fault.n:
            yield from _shuffled(held.pop(sensor), reached, choice.rng, note)
    for group in held.values():
        yield from _shuffled(group, reached, choice.rng, note)


def _shuffled(group: list[Emission], reached: int, rng: Random, note: Note) -> Timed:
    order = group.copy()
    rng.shuffle(order)
    for place, (before, e) in enumerate(zip(group, order, strict=True)):
        if before is not e:
            note(e, f"sent as number {place + 1} of {len(group)}")
        yield reached, replace(e, send_at=reached)


def _spike(choice: _Choice, stream: Stream, note: Note) -> Timed:
    for e in stream:
        if choice.hits(e):
            note(e, f"{choice.fault.size:+g}")
            yield e.send_at, replace(e, value=e.value + choice.fault.size)
        else:
            yield e.send_at, e


def _freeze(choice: _Choice, stream: Stream, note: Note) -> Timed:
    """Repeats the first value in the time hit: the device goes on sending, the float hangs."""
    frozen: dict[tuple[str, str], float] = {}
    for e in stream:
        if not choice.concerns(e):
            yield e.send_at, e
            continue
        value = frozen.setdefault((e.station, e.sensor), e.value)
        if value != e.value:
            note(e, f"sent as {value:g}")
        yield e.send_at, replace(e, value=value)


def _clock_drift(choice: _Choice, stream: Stream, note: Note) -> Timed:
    fault = choice.fault
    first: dict[tuple[str, str], int] = {}
    for e in stream:
        if not choice.hits(e):
            yield e.send_at, e
            continue
        since = e.observed_at - first.setdefault((e.station, e.sensor), e.observed_at)
        shift = fault.by_ms + round(fault.per_h_ms * since / _HOUR_MS)
        if shift:
            note(e, f"clock {shift:+d} ms")
        yield e.send_at, replace(e, observed_at=e.observed_at + shift)


def _garbage(choice: _Choice, stream: Stream, note: Note) -> Timed:
    for e in stream:
        if choice.hits(e):
            raw = choice.rng.choice((*_JUNK, choice.rng.randbytes(choice.rng.randint(1, 200))))
            note(e, f"{len(raw)} bytes of garbage")
            yield e.send_at, replace(e, raw=raw)
        else:
            yield e.send_at, e


def _wrong_unit(choice: _Choice, stream: Stream, note: Note) -> Timed:
    fault = choice.fault
    for e in stream:
        if choice.hits(e):
            sent = replace(e, value=e.value * fault.factor, unit=fault.unit or e.unit)
            note(e, f"sent as {sent.value:g} {sent.unit}")
            yield e.send_at, sent
        else:
            yield e.send_at, e


ACTIONS: dict[str, Callable[[_Choice, Stream, Note], Timed]] = {
    "drop": _drop,
    "delay": _delay,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "spike": _spike,
    "freeze": _freeze,
    "clock_drift": _clock_drift,
    "garbage": _garbage,
    "wrong_unit": _wrong_unit,
}
"""What can be injected, by name."""
