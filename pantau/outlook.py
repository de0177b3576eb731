"""An outlook: what a gauge is expected to do in the next hours, with how sure we are of it."""

import msgspec

__all__ = ["Crossing", "Outlook", "OutlookStep"]


class OutlookStep(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The expected value at one instant, in the kind's unit.

    Attributes:
        at: target instant, ms since 1970 UTC.
        low, middle, high: the value is expected to be below them with probability 5, 50 and 95 %.
    """

    at: int
    low: float
    middle: float
    high: float


class Crossing(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Whether and when a limit above the present value will be reached.

    Attributes:
        severity: of the limit, 1..3.
        limit: in the kind's unit.
        probability: 0..1, of reaching it within the outlook's horizon.
        expected_at: when the expected course (``middle``) reaches it, ms since 1970 UTC; None: it does not.
    """

    severity: int
    limit: float
    probability: float
    expected_at: int | None = None


class Outlook(msgspec.Struct, array_like=True, frozen=True):
    """A forecast for one station as it was issued; it is never changed, the next one replaces it.

    Attributes:
        issued_at: instant of the newest own reading it is made from, ms since 1970 UTC.
        model, version: who made it, e.g. ``travel_time`` for a gauge without history.
        value: the gauge's own value then.
        steps: by lead, nearest first; at least one.
        crossings: by severity, of the limits above ``value``.
        reason: words and numbers for a person.
        degraded: why a lesser model had to be used, empty when the intended one was.
    """

    issued_at: int
    model: str
    version: str
    value: float
    steps: tuple[OutlookStep, ...]
    crossings: tuple[Crossing, ...] = ()
    reason: str = ""
    degraded: str = ""
