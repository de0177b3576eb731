"""Which reason on a timeline explains the alert as it stands."""

from collections.abc import Sequence
from typing import Any

from pantau.record import TransitionRecord

__all__ = ["reason_of"]

_SETTING = ("raised", "confirmed", "lowered")


def reason_of(timeline: Sequence[TransitionRecord]) -> dict[str, Any]:
    """Why of the last transition that set the severity; else of the last that gives any; else empty."""
    setting = [row.why for row in timeline if row.what in _SETTING and row.why and not row.by]
    return (
        setting[-1]
        if setting
        else next((row.why for row in reversed(timeline) if row.why and not row.by), {})
    )
