"""A ladder: the limits of a station with hysteresis, so that a value at the edge does not flap.

Rising counts at once. Falling counts when the value has stayed below the limit minus the deadband for the hold time,
measured in event time; a gap in the readings starts the hold anew.
"""

import msgspec

__all__ = ["Ladder", "Rung"]


class Ladder(msgspec.Struct, frozen=True, gc=False):
    """Limits for severity 1, 2 and 3 in the station's unit; None means "no such limit" (partial ladders are valid).

    Attributes:
        limits: lower bounds of severity 1, 2, 3; zero and negatives are limits like any other.
        deadband: how far below a limit the value must fall before falling counts.
        hold_ms: for how long.
        strict: a value exactly on a limit stays below it (``>``); otherwise it reaches it (``>=``).
    """

    limits: tuple[float | None, float | None, float | None]
    deadband: float = 0.0
    hold_ms: int = 0
    strict: bool = False

    def severity_at(self, value: float) -> int:
        """Severity 0..3 of a value by the printed limits, without hysteresis."""
        for severity in (3, 2, 1):
            limit = self.limits[severity - 1]
            if limit is not None and (value > limit if self.strict else value >= limit):
                return severity
        return 0

    def is_below(self, severity: int, value: float) -> bool:
        """Whether ``severity`` may end at ``value``: below its limit by the deadband, or there is no such limit."""
        limit = self.limits[severity - 1]
        if limit is None:
            return True
        edge = limit - self.deadband
        return value <= edge if self.strict else value < edge


class Rung(msgspec.Struct, array_like=True, gc=False):
    """Where one voice (a sensor's level, a detector's score) stands on its ladder; plain data, part of the state.

    Attributes:
        severity: in force and confirmed, 0..3.
        tentative: higher severity of a pending jump, 0 when there is none.
        since: for severity 1, 2, 3: from when the value has been below it without a break, None when it is not; None as
            a whole while nothing was ever in force, which is nearly every sensor.
        before: severity in force before the reading at ``raised_at``, to take a wrong reading back.
        raised_at: observed_at of the reading that raised the severity last (or made the jump).
    """

    severity: int = 0
    tentative: int = 0
    since: list[int | None] | None = None
    before: int = 0
    raised_at: int = 0

    def climb(self, ladder: Ladder, value: float, at: int, *, pending: bool) -> bool:
        """Take the next value; returns whether ``severity`` or ``tentative`` changed.

        A pending value raises only ``tentative``. The value after it confirms every limit that it reaches itself (the
        lesser of the two severities) and ends the pending state either way.

        Args:
            ladder: limits in force at ``at``.
            value: in the ladder's unit.
            at: event time, ms.
            pending: the value is a jump that its successor has to confirm.
        """
        raw = ladder.severity_at(value)
        if raw == 0 and self.severity == 0 and self.tentative == 0:
            return False  # the ordinary day, kept short because it is nearly every reading
        old = (self.severity, self.tentative)
        confirmed = min(self.tentative, raw)
        self.tentative = 0
        self.severity = max(self.severity, confirmed)
        if raw > self.severity:
            self.before, self.raised_at = self.severity, at
            if pending:
                self.tentative = raw
            else:
                self.severity = raw
        self._fall(ladder, value, at, pending=pending)
        return (self.severity, self.tentative) != old

    def break_hold(self) -> None:
        """A gap: what the value did meanwhile is unknown, so no hold goes on across it."""
        self.since = None

    def take_back(self) -> bool:
        """Undo the last raise because its reading was wrong; returns whether anything changed."""
        old = (self.severity, self.tentative)
        if self.tentative == 0:
            self.severity = min(self.severity, self.before)
        self.tentative = 0
        return (self.severity, self.tentative) != old

    def _fall(self, ladder: Ladder, value: float, at: int, *, pending: bool) -> None:
        below = self.since = self.since or [None, None, None]
        for index in range(3):
            if not ladder.is_below(index + 1, value):
                below[index] = None
            elif below[index] is None:
                below[index] = at
        while self.severity and not pending:
            since = below[self.severity - 1]
            if since is None or at - since < ladder.hold_ms:
                return
            self.severity -= 1
