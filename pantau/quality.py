"""Quality control in the stream: one reading after another gets a flag and a reason; nothing is ever deleted.

After QARTOD (gross range, rate of change, flat line, spike, gap), with one difference that real floods ask for: a jump
is not called bad, it is *pending*. The next reading either stands by it (then it was the flood) or returns to where
the water was before (then it was a spike). A flag may be revised by what comes after, a value never.

Source:
    IOOS, Manual for Real-Time Quality Control of Water Level Data, v2.1 (2021); limits in ``pantau.kinds``.
"""

import msgspec

from pantau.kind import Kind
from pantau.reading import Flag, Reading
from pantau.station import Station
from pantau.track import Track

__all__ = ["FUTURE_MS", "GAP_CADENCES", "Limits", "Past", "Revision", "is_stale", "judge", "takes_ordinary"]

FUTURE_MS = 120_000
"""A device clock may run ahead by this much; later stamps are flagged FAIL."""
GAP_CADENCES = 3
"""Longer than this many cadences without a reading is a gap: what follows starts afresh."""
_FLAT_MARGIN = 1.5  # a run is doubted when it is half as long again as the longest one that turned out honest

_GOOD, _NOT_EVALUATED, _SUSPECT, _FAIL = (
    int(Flag.GOOD),
    int(Flag.NOT_EVALUATED),
    int(Flag.SUSPECT),
    int(Flag.FAIL),
)


class Limits(msgspec.Struct, frozen=True):
    """What quality control expects of one station; made once from the station and its kind."""

    low: float
    high: float
    step: float | None
    spike: float | None
    flat_ms: int | None
    flat_above: float | None
    gap_ms: int
    unit: str

    @classmethod
    def of(cls, station: Station, kind: Kind) -> "Limits":
        """The station's own limits where it has them, else its kind's."""
        return cls(
            low=kind.low if station.range_low is None else station.range_low,
            high=kind.high if station.range_high is None else station.range_high,
            step=kind.step,
            spike=kind.spike,
            flat_ms=None if kind.flat_h is None else round(kind.flat_h * 3_600_000),
            flat_above=kind.flat_above,
            gap_ms=GAP_CADENCES * station.cadence_ms,
            unit=kind.unit,
        )


class Past(msgspec.Struct, array_like=True):
    """What quality control remembers of one sensor; an instant of 0 means "none yet".

    Attributes:
        at, value: last usable reading, accepted or pending.
        accepted_at, accepted, accepted_rx, accepted_flag: last accepted reading and when it was received.
        older_at, older: the accepted one before.
        pending_at, pending, pending_rx: jump that its successor has to confirm.
        flat_since, flat_longest: start of the present run of one value; longest run that ended in a change, ms.
        track: accepted values of the last hour.
    """

    at: int = 0
    value: float = 0.0
    accepted_at: int = 0
    accepted: float = 0.0
    accepted_rx: int = 0
    accepted_flag: int = _NOT_EVALUATED
    older_at: int = 0
    older: float = 0.0
    pending_at: int = 0
    pending: float = 0.0
    pending_rx: int = 0
    flat_since: int = 0
    flat_longest: int = 0
    track: Track = msgspec.field(default_factory=Track)

    def forget_pending(self) -> None:
        """The pending jump is settled."""
        self.pending_at = 0


class Revision(msgspec.Struct, array_like=True):
    """A former reading's flag, seen again in the light of its successor."""

    observed_at: int
    value: float
    received_at: int
    flag: int
    reason: str


def is_stale(observed_at: int, now: int, cadence_ms: int) -> bool:
    """Whether a value is too old to speak for the present: more than three cadences."""
    return now - observed_at > GAP_CADENCES * cadence_ms


def takes_ordinary(past: Past, reading: Reading, limits: Limits) -> bool:
    """``judge`` for the ordinary reading, which is nearly every one: GOOD, and nothing of the past in doubt.

    Returns:
        Whether it was one and is remembered; if not, nothing has changed and ``judge`` has to look.
    """
    value, at, before, was = reading.value, reading.observed_at, past.value, past.at
    step, spike, accepted_at, accepted = limits.step, limits.spike, past.accepted_at, past.accepted
    if (
        past.pending_at
        or accepted_at == 0
        or at - was > limits.gap_ms
        or not limits.low <= value <= limits.high
        or (step is not None and not -step <= value - before <= step)
    ):
        return False
    if spike is not None and past.older_at and not -spike <= accepted - (past.older + value) / 2 <= spike:
        return False
    if value != before:
        since = past.flat_since
        if since == 0:
            return False
        if was - since > past.flat_longest:  # noqa: PLR1730 - a call costs more than the rest of this
            past.flat_longest = was - since
        past.flat_since = at
    elif past.flat_since == 0 or _is_long(at - past.flat_since, value, limits):
        return False
    reading.flag = _GOOD
    if reading.reason:  # a journaled reading, stepped again
        reading.reason = ""
    past.older_at, past.older = accepted_at, accepted
    past.at = past.accepted_at = at
    past.value = past.accepted = value
    past.accepted_rx, past.accepted_flag = reading.received_at, _GOOD
    past.track.add(at, value)
    return True


def judge(past: Past, reading: Reading, limits: Limits) -> tuple[bool, bool, Revision | None]:
    """Flag the next reading in event order and remember it.

    Sets ``reading.flag`` and ``reading.reason``. A reading by an operator needs no successor after a gap (somebody
    looked at the gauge), but a jump may be a slip of the keyboard: it waits unless the operator vouches for it.

    Returns:
        (pending, gap, revision): whether the value is a jump that its successor has to confirm; whether the past
        ends before it; the changed flag of a former reading, if any.
    """
    value, at = reading.value, reading.observed_at
    if not limits.low <= value <= limits.high:
        reading.flag = _FAIL
        reading.reason = f"{value:g} {limits.unit} is outside the range {limits.low:g} to {limits.high:g}"
        return False, False, None
    gap = past.at == 0 or at - past.at > limits.gap_ms
    revision = None
    if past.pending_at:
        revision = _settle_pending(past, value, limits)
    elif limits.spike is not None and past.older_at and not gap:
        revision = _three_point_spike(past, value, limits.spike)
    manual = reading.source != "device"
    alone = past.at == 0 or (gap and not manual) or reading.vouched
    jump = 0.0 if alone or limits.step is None else _jump(past, value, limits.step)
    pending = jump != 0.0 or (gap and not manual)
    reading.flag, reading.reason = _GOOD, ""
    if pending:
        reading.flag, reading.reason = _pending_reason(past, at, jump, limits, gap=gap and not manual)
    if gap:
        past.track.clear()
        past.flat_since, past.older_at, past.accepted_at = at, 0, 0
    _check_flat(past, reading, limits)
    _remember(past, reading, pending=pending)
    return pending, gap, revision


def _jump(past: Past, value: float, step: float) -> float:
    """Size of the jump to ``value``; 0 when it lies within a step of the last reading or of the accepted level."""
    change = value - past.value
    if abs(change) <= step:
        return 0.0
    if past.pending_at == 0 and past.accepted_at and abs(value - past.accepted) <= step:
        return 0.0
    return change


def _settle_pending(past: Past, value: float, limits: Limits) -> Revision | None:
    """Whether the pending jump was the truth, now that its successor is known; clears it when settled as a spike."""
    jump_at, jump, received_at = past.pending_at, past.pending, past.pending_rx
    step = limits.step
    past.forget_pending()
    if past.accepted_at == 0 or step is None or abs(value - jump) <= step:
        _accept(past, jump_at, jump, received_at, _GOOD)
        return Revision(jump_at, jump, received_at, _GOOD, "")
    if abs(value - past.accepted) <= step:
        past.value = past.accepted  # the jump never was: the successor is compared with the level before it
        return Revision(
            jump_at, jump, received_at, _FAIL,
            f"spike of {jump - past.accepted:+g} {limits.unit}: the next reading was back at {value:g}",
        )  # fmt: skip
    if (value - past.accepted > 0) == (jump - past.accepted > 0):
        _accept(past, jump_at, jump, received_at, _GOOD)
        return Revision(jump_at, jump, received_at, _GOOD, "")
    return None


def _three_point_spike(past: Past, value: float, limit: float) -> Revision | None:
    """QARTOD's spike test on the reading before: off by more than the limit while its neighbours agree."""
    if past.accepted_flag != _GOOD or abs(past.older - value) > limit / 2:
        return None
    off = past.accepted - (past.older + value) / 2
    if abs(off) <= limit:
        return None
    past.accepted_flag = _SUSPECT
    return Revision(
        past.accepted_at,
        past.accepted,
        past.accepted_rx,
        _SUSPECT,
        f"spike of {off:+g} between agreeing neighbours",
    )


def _pending_reason(past: Past, at: int, jump: float, limits: Limits, *, gap: bool) -> tuple[int, str]:
    if past.at == 0:
        return _NOT_EVALUATED, "first reading: nothing to compare it with, waits for the next"
    hours = (at - past.at) / 3_600_000
    if gap:
        return _NOT_EVALUATED, f"first reading after a gap of {hours:.1f} h, waits for the next"
    size = f"jump of {jump:+g} {limits.unit} in {hours * 60:.0f} min"
    return _SUSPECT, f"{size}, more than {limits.step:g}: waits for the next reading"


def _check_flat(past: Past, reading: Reading, limits: Limits) -> None:
    if past.flat_since == 0 or reading.value != past.value:
        if past.flat_since and past.at > past.flat_since:
            past.flat_longest = max(past.flat_longest, past.at - past.flat_since)
        past.flat_since = reading.observed_at
        return
    run = reading.observed_at - past.flat_since
    if _is_long(run, reading.value, limits) and run > past.flat_longest * _FLAT_MARGIN:
        reading.flag = _SUSPECT
        reading.reason = f"unchanged at {reading.value:g} {limits.unit} for {run / 3_600_000:.1f} h"


def _is_long(run_ms: int, value: float, limits: Limits) -> bool:
    """Whether a run of one value may be more than the water standing still."""
    if limits.flat_ms is None or run_ms <= limits.flat_ms:
        return False
    return limits.flat_above is None or value > limits.flat_above


def _remember(past: Past, reading: Reading, *, pending: bool) -> None:
    past.at, past.value = reading.observed_at, reading.value
    if pending:
        past.pending_at, past.pending, past.pending_rx = (
            reading.observed_at,
            reading.value,
            reading.received_at,
        )
    else:
        _accept(past, reading.observed_at, reading.value, reading.received_at, reading.flag)


def _accept(past: Past, at: int, value: float, received_at: int, flag: int) -> None:
    past.older_at, past.older = past.accepted_at, past.accepted
    past.accepted_at, past.accepted, past.accepted_rx, past.accepted_flag = at, value, received_at, flag
    past.track.add(at, value)
