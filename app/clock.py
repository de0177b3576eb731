"""Clocks: real, scaled for an exercise, virtual for tests and backtests."""

import time

__all__ = ["RealClock", "ScaledClock", "VirtualClock"]

_TRAVEL_MS = 1_500
"""Real time from a device's stamp to our commit that a busy machine may need; a real cadence dwarfs it."""


class RealClock:
    """The wall clock."""

    exercise = False
    slack_ms = 0
    speed = 1.0

    def now(self) -> int:
        """Milliseconds since 1970 UTC."""
        return time.time_ns() // 1_000_000

    def to_real_s(self, at: int) -> float:
        """Seconds from now until ``at``; negative when it has passed."""
        return (at - self.now()) / 1000


class ScaledClock:
    """Simulated time that runs ``speed`` times as fast as real time, shared by every process with the same anchor.

    Args:
        start_ms: simulated instant at the anchor.
        speed: simulated seconds per real second, above 0.
        anchor_ms: real instant at which ``start_ms`` was; None: now.
    """

    exercise = True

    def __init__(self, start_ms: int, speed: float, anchor_ms: int | None = None) -> None:
        self.start_ms = start_ms
        self.speed = speed
        self.anchor_ms = RealClock().now() if anchor_ms is None else anchor_ms

    @property
    def slack_ms(self) -> int:
        """Simulated time that passes while a message travels: a second of real time is 25 minutes at 1,500 times."""
        return round(_TRAVEL_MS * self.speed)

    def now(self) -> int:
        """Simulated milliseconds since 1970 UTC."""
        return self.start_ms + int((time.time_ns() / 1_000_000 - self.anchor_ms) * self.speed)

    def run_on(self, speed: float) -> None:
        """Go on from this instant at another speed."""
        self.start_ms, self.anchor_ms, self.speed = self.now(), RealClock().now(), speed

    def to_real_s(self, at: int) -> float:
        """Real seconds from now until simulated ``at``; negative when it has passed."""
        return (at - self.now()) / 1000 / self.speed


class VirtualClock:
    """Time that moves when told to, and only forwards."""

    slack_ms = 0
    speed = 1.0

    def __init__(self, start_ms: int = 0, *, exercise: bool = False) -> None:
        self.at = start_ms
        self.exercise = exercise

    def now(self) -> int:
        """The instant it was set to."""
        return self.at

    def set(self, at: int) -> None:
        """Move forwards to ``at``; an earlier instant changes nothing."""
        self.at = max(self.at, at)

    def to_real_s(self, at: int) -> float:  # noqa: ARG002 - same shape as the other clocks
        """Virtual time never makes anybody wait."""
        return 0.0
