"""What becomes of a notice after an attempt: the outcome in, the outbox row's next state out. Pure.

At least once, with a limit: a channel that is away costs delay; an attempt that may have arrived is repeated only where
a repetition does no harm (the receiver drops a repeated Notice-Id) or where silence would do more (severity 3).
"""

from hashlib import sha256

import msgspec

from alerts.channel import Outcome, Sent

__all__ = ["MAX_ATTEMPTS", "Fate", "backoff_ms", "fate_after"]

MAX_ATTEMPTS = 150
"""Then a notice has failed: with the back-off below that is a day without an answer."""
_FIRST_MS, _LONGEST_MS = 5_000, 600_000
_LONGEST_WISH_MS = 3_600_000
"""A receiver may ask for an hour's patience, not for a year's."""
_UNSURE_ATTEMPTS = 4
"""So often at most the highest severity goes out when every attempt may have arrived and nobody drops repetitions."""
_WORST = 3


class Fate(msgspec.Struct, frozen=True):
    """State of the row, when it is due again (real ms, for ``waiting``), and why it is not ``sent``."""

    state: str
    due_at: int = 0
    error: str | None = None


def fate_after(
    id: str, attempts: int, severity: int, outcome: Outcome, now_ms: int, *, removes_duplicates: bool
) -> Fate:
    """Where a notice goes after its ``attempts``-th attempt.

    Args:
        now_ms: real time.
        removes_duplicates: of the channel.
    """
    if outcome.sent is Sent.DELIVERED:
        return Fate("sent")
    if outcome.sent is Sent.NEVER:
        return Fate("failed", error=outcome.detail)
    unsure = outcome.sent is Sent.UNKNOWN and not removes_duplicates
    if unsure and (severity < _WORST or attempts >= _UNSURE_ATTEMPTS):
        return Fate("unknown", error=outcome.detail)
    if attempts >= MAX_ATTEMPTS:
        return Fate("failed", error=f"gave up after {attempts} attempts; the last: {outcome.detail}")
    wish = min(round((outcome.retry_after_s or 0) * 1000), _LONGEST_WISH_MS)
    return Fate("waiting", now_ms + max(backoff_ms(id, attempts), wish), outcome.detail)


def backoff_ms(id: str, attempts: int) -> int:
    """How long to wait after the ``attempts``-th attempt: 5 s, doubled up to 10 min, each time up to a fifth off or on.

    The jitter comes from the notice's id: receivers are not hit by all at once, and a test knows the answer.
    """
    plain = min(_FIRST_MS << min(attempts - 1, 20), _LONGEST_MS)
    byte = sha256(f"{id}:{attempts}".encode()).digest()[0]
    return round(plain * (0.8 + 0.4 * byte / 255))
