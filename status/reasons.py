"""Which reason on a timeline explains the alert as it stands."""

from collections.abc import Sequence
from typing import Any

from pantau.record import TransitionRecord

__all__ = ["reason_of", "reason_step"]

_SETTING = ("raised", "confirmed", "lowered")


def reason_of(timeline: Sequence[TransitionRecord]) -> dict[str, Any]:
    """Why of the last transition that set the severity; else of the last that gives any; else empty."""
    step = reason_step(timeline)
    return {} if step is None else step.why


def reason_step(timeline: Sequence[TransitionRecord]) -> TransitionRecord | None:
    """The transition whose why it is, None when none gives any."""
    given = [row for row in timeline if row.why and not row.by]
    setting = [row for row in given if row.what in _SETTING]
    return next(reversed(setting or given), None)
