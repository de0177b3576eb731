"""The time a device gives: turned into milliseconds, or refused because its clock was never set."""

import math
from datetime import UTC, datetime

from pantau.errors import RefusedMessage

__all__ = ["BACK_MS", "DAYS_BACK", "LATEST", "aged", "milliseconds"]

DAYS_BACK = 366
"""A message that claims to be older than a year and a day comes from a clock that was never set (1970, 2001)."""
BACK_MS = DAYS_BACK * 86_400_000
LATEST = 253_402_300_799_999
"""Last millisecond of the year 9999: what comes later is no time that a program can print."""


def milliseconds(given: datetime | float | int) -> int:  # noqa: PYI041 - the two are told apart
    """Milliseconds since 1970 of a device's own time.

    Args:
        given: a time with offset, or epoch milliseconds (a whole number, also when written as 1.7e12 or with ``.0``).

    Raises:
        RefusedMessage: ``bad_time``: it is not a whole number.
    """
    if isinstance(given, int):
        return given
    if isinstance(given, datetime):
        return round(given.timestamp() * 1000)
    if not math.isfinite(given) or given != int(given):
        raise RefusedMessage(
            "bad_time", f"observed_at is {given!r}: epoch milliseconds must be a whole number"
        )
    return int(given)


def aged(at: int, received_at: int, *, number: bool) -> int:
    """The same instant, when a set clock may have given it; one ahead of us passes, quality control flags it.

    Args:
        at: observed_at, ms.
        received_at: when the message reached us, ms.
        number: it was given as a number, so it may be seconds by mistake.

    Raises:
        RefusedMessage: ``clock_not_set``: more than 366 days before receipt; ``bad_time``: after the year 9999.
    """
    if at > LATEST:
        raise RefusedMessage(
            "bad_time",
            f"observed_at is {at} ms, after the year 9999: expected epoch milliseconds or RFC 3339",
        )
    if at >= received_at - BACK_MS:
        return at
    if number and abs(at * 1000 - received_at) < BACK_MS:
        hint = f"{at} looks like seconds; send epoch milliseconds ({at * 1000})"
    else:
        hint = "set the device's clock (NTP, or the modem's network time) before it sends"
    raise RefusedMessage(
        "clock_not_set",
        f"observed_at is {_shown(at)}, more than {DAYS_BACK} days before it arrived ({_shown(received_at)}): {hint}",
    )


def _shown(at: int) -> str:
    try:
        return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{at} ms"
