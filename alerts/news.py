"""What a change is to one who hears of it: an alert and its transition in, the kind of news out.

Operators see an alert as it stands, pending jumps included. Everybody else sees only its confirmed part, so one
transition can be a pending raise to an operator, and no news at all to the public.
"""

from enum import StrEnum

import msgspec

from pantau.event import Transition
from pantau.record import AlertRecord

__all__ = ["OPERATORS", "Change", "News", "news_for", "severities_for"]

OPERATORS = "operators"
"""The audience of ``recipients.csv`` that is told unconfirmed alerts as well."""


class Change(msgspec.Struct, frozen=True):
    """One transition and what it made of its alert.

    Attributes:
        record: the alert after it.
        confirmed_before: confirmed severity before it, 0 for a new alert.
        state_before: ISA-18.2 word before it.
    """

    transition: Transition
    record: AlertRecord
    confirmed_before: int = 0
    state_before: str = "normal"

    @property
    def by_operator(self) -> bool:
        """An operator did it, not a reading (a reading given by telephone has a value)."""
        return bool(self.transition.by) and self.transition.value is None


class News(StrEnum):
    """What a notice tells."""

    RAISED = "raised"
    UNCONFIRMED = "unconfirmed"
    """A jump that its successor has to confirm."""
    REMINDED = "reminded"
    """The jump is still not confirmed."""
    CONFIRMED = "confirmed"
    LOWERED = "lowered"
    CLEARED = "cleared"
    CLOSED = "closed"
    """An operator ended it although its condition may hold."""
    WITHDRAWN = "withdrawn"
    """The jump was nothing."""
    CORRECTED = "corrected"
    """What had been confirmed rested on a wrong reading."""
    RETOLD = "retold"
    """It began without being told (late readings, station under repair) and still holds."""


def severities_for(change: Change, audience: str) -> tuple[int, int]:
    """Severity before and after the change, as an audience may know it."""
    if audience == OPERATORS:
        return change.transition.previous, change.transition.severity
    return change.confirmed_before, change.record.confirmed_severity


def news_for(change: Change, audience: str) -> News | None:
    """What a change tells an audience; None when it is no news to it."""
    what = change.transition.what
    before, after = severities_for(change, audience)
    if what in {"retold", "in_service"}:
        return News.RETOLD if after else None
    if audience == OPERATORS:
        return _to_operators(change)
    if what not in {"raised", "confirmed", "lowered", "closed", "withdrawn"} or before == after:
        return None
    return News.CORRECTED if what == "withdrawn" else _by_direction(change, before, after)


def _to_operators(change: Change) -> News | None:
    transition = change.transition
    match transition.what:
        case "raised":
            return News.RAISED if transition.confirmed else News.UNCONFIRMED
        case "confirmed":
            return News.CONFIRMED
        case "unconfirmed":
            return News.REMINDED
        case "withdrawn":
            corrected = change.confirmed_before != change.record.confirmed_severity
            return News.CORRECTED if corrected else News.WITHDRAWN
        case "lowered" | "closed":
            return _by_direction(change, transition.previous, transition.severity)
    return None


def _by_direction(change: Change, before: int, after: int) -> News:
    if after > before:
        return News.RAISED
    if after:
        return News.LOWERED
    return News.CLOSED if change.by_operator else News.CLEARED
