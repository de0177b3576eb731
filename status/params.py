"""What may stand in a query or a body, and in which form: instants, durations."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

__all__ = ["Duration", "Instant", "parse_duration", "parse_instant"]

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W)?(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,6})M)?(?:(?P<seconds>\d{1,8})S)?)?"
)
_UNIT_MS = {"weeks": 604_800_000, "days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1000}
_LATEST = 253_402_300_800_000  # the year 10000, where RFC 3339 ends


def parse_instant(text: object) -> int:
    """An instant, ms since 1970 UTC.

    Args:
        text: RFC 3339 with a time zone, or epoch milliseconds as a number or digits.

    Raises:
        ValueError: it is neither; the text says what was expected.
    """
    expected = "an instant such as 2026-01-02T03:04:05Z (RFC 3339 with time zone) or epoch milliseconds"
    if isinstance(text, int) and not isinstance(text, bool):
        at = text
    elif isinstance(text, str) and re.fullmatch(r"0|\d{12,15}", text):
        at = int(text)
    elif isinstance(text, str):
        try:
            # A plus in a query is a blank unless it was escaped: nobody means a blank there.
            moment = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else "")
        except ValueError:
            raise ValueError(f"expected {expected}") from None
        if moment.tzinfo is None:
            raise ValueError(f"expected {expected}: this one has no time zone")
        at = round(moment.timestamp() * 1000)
    else:
        raise ValueError(f"expected {expected}")
    if not 0 <= at < _LATEST:
        raise ValueError(f"expected {expected}, between the years 1970 and 9999")
    return at


def parse_duration(text: str) -> int:
    """Milliseconds of an ISO 8601 duration such as ``PT10M``, ``PT1H``, ``P1D``; months and years have no fixed length.

    Raises:
        ValueError: it is none; the text says what was expected.
    """
    found = _DURATION.fullmatch(text)
    total = sum(int(found[unit] or 0) * ms for unit, ms in _UNIT_MS.items()) if found else 0
    if total <= 0:
        raise ValueError(
            "expected an ISO 8601 duration of weeks, days, hours, minutes or seconds: PT10M, PT1H, P1D"
        )
    return total


Instant = Annotated[int, BeforeValidator(parse_instant)]
"""An instant in a query or a body; arrives as ms."""

Duration = Annotated[str, AfterValidator(lambda text: (parse_duration(text), text)[1])]
"""An ISO 8601 duration, checked."""
