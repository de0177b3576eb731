"""Plays emissions to a broker under a clock: real, scaled or virtual.

The player waits for each emission's own instant, so at any speed everything is sent in the same order with the same
bytes. A row whose instant has passed goes at once.
"""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from pantau.city import City
from simulators.emission import Emission, payload_of, topic_of

__all__ = ["PacedClock", "Played", "Sender", "SleepUntil", "play", "sleep_until"]

SleepUntil = Callable[[int], None]
"""Returns when a (simulated) instant, ms since 1970 UTC, is reached."""

_LONGEST_NAP_S = 0.5
"""A scaled clock is read again after this long, so that a suspended laptop does not oversleep."""


class Sender(Protocol):
    """Takes messages for the broker; ``simulators.publish`` has the real one."""

    def send(self, topic: str, payload: bytes) -> None:
        """Take a message; may wait while too many are under way."""
        ...


class PacedClock(Protocol):
    """A clock that knows how long an instant is away in real time (``app.clock`` has them)."""

    def now(self) -> int:
        """Milliseconds since 1970 UTC on this clock."""
        ...

    def to_real_s(self, at: int) -> float:
        """Real seconds from now until ``at``; negative when it has passed."""
        ...


class Played(msgspec.Struct):
    """What has been sent so far.

    Attributes:
        messages: sent.
        at: instant of the last one on the replay's clock, ms since 1970 UTC; 0 before the first.
    """

    messages: int = 0
    at: int = 0


def play(
    stream: Iterable[Emission],
    city: City,
    sender: Sender,
    sleep: SleepUntil,
    *,
    progress: Callable[[Played, Emission], None] | None = None,
) -> Played:
    """Send everything, each emission at its own instant.

    Args:
        stream: in the order of ``send_at``.
        sleep: waits for an instant; ``sleep_until(clock)`` for a running clock, a virtual clock's ``set`` in tests.
        progress: told after each message, e.g. for a live table.
    """
    played = Played()
    for emission in stream:
        sleep(emission.send_at)
        sender.send(topic_of(city, emission), payload_of(emission))
        played.messages += 1
        played.at = emission.send_at
        if progress is not None:
            progress(played, emission)
    return played


def sleep_until(clock: PacedClock, nap: Callable[[float], None] = time.sleep) -> SleepUntil:
    """Waiting for an instant on a clock that runs by itself."""

    def sleep(at: int) -> None:
        while (left := clock.to_real_s(at)) > 0:
            nap(min(left, _LONGEST_NAP_S))

    return sleep
