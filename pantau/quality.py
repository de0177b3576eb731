"""Quality control in the stream: one reading after another gets a flag and a reason; nothing is ever deleted.

After QARTOD (gross range, rate of change, flat line, spike, gap), with one difference that real floods ask for: a jump
is not called bad, it is *pending*. The next reading either stands by it (then it was the flood) or returns to where
the water was before (then it was a spike). A flag may be revised by what comes after, a value never. How large a jump
is, how long a flat run and how high a spike, each sensor teaches by its own past (``pantau.learnt``).

Source:
    IOOS, Manual for Real-Time Quality Control of Water Level Data, v2.1 (2021); limits in ``pantau.kinds``.
"""

from collections.abc import Iterable

from pantau.excursion import BACK, LEAPT, TWO, accept, settle, take_back, watch
from pantau.learnt import FLAT_MARGIN, begin, is_warm, learn_flat, look, step_of
from pantau.past import GAP_CADENCES, Limits, Past, Revision
from pantau.reading import Flag, Reading

__all__ = [
    "FUTURE_MS",
    "GAP_CADENCES",
    "Limits",
    "Past",
    "Revision",
    "ahead_of_time",
    "is_stale",
    "judge",
    "takes_ordinary",
]

FUTURE_MS = 120_000
"""A device clock may run ahead by this much; later stamps are flagged FAIL."""
BROKEN_MS = 6 * 3_600_000
"""What fell out of everything seen, or jumped far and stays put, is a broken sensor for so long; then a new zero."""
_DEEP = 0.25  # of the span of the values seen: so far below it nothing falls between two readings
_FAR, _FAR_SPANS = 2_000.0, 5.0  # no river stood so far above everything seen (cm), and then stood still
_RESTLESS = 12  # cadences that a run of one value hardly exceeds: such water never rests right after a fall
_LEAPT_SHARE = 8  # the eighth of a doubtful run is enough where it began with a jump

_GOOD, _NOT_EVALUATED, _SUSPECT, _FAIL = (
    int(Flag.GOOD),
    int(Flag.NOT_EVALUATED),
    int(Flag.SUSPECT),
    int(Flag.FAIL),
)


def is_stale(observed_at: int, now: int, cadence_ms: int) -> bool:
    """Whether a value is too old to speak for the present: more than three cadences."""
    return now - observed_at > GAP_CADENCES * cadence_ms


def ahead_of_time(readings: Iterable[Reading]) -> int:
    """By how much at most (ms) readings came before their own time; 0 when none did by more than a clock may err."""
    most = max((reading.observed_at - reading.received_at for reading in readings), default=0)
    return most if most > FUTURE_MS else 0


def takes_ordinary(past: Past, reading: Reading, limits: Limits) -> bool:
    """``judge`` for the ordinary reading, which is nearly every one: GOOD, and nothing of the past in doubt.

    Returns:
        Whether it was one and is remembered; if not, nothing has changed and ``judge`` has to look.
    """
    value, at, before, was = reading.value, reading.observed_at, past.value, past.at
    notable, flat = past.notable, past.flat
    if (
        past.watched
        or past.pending_at
        or at >= past.learn_at
        or at - was > limits.gap_ms
        or not past.low <= value <= past.high
        or not -notable <= value - before <= notable
    ):
        return False
    since = past.flat_since
    if value != before:
        if was - since > flat or (value == 0.0 and before >= limits.empty_from):
            return False
        past.flat_since = at
    elif at - since > flat * FLAT_MARGIN and (limits.flat_above is None or value > limits.flat_above):
        return False
    reading.flag = _GOOD
    if reading.reason:  # a journaled reading, stepped again
        reading.reason = ""
    past.older_at, past.older, past.older_rx = past.accepted_at, past.accepted, past.accepted_rx
    past.at = past.accepted_at = at
    past.value = past.accepted = value
    past.accepted_rx, past.accepted_flag = reading.received_at, _GOOD
    past.track.add(at, value)
    return True


def judge(past: Past, reading: Reading, limits: Limits) -> tuple[bool, bool, list[Revision]]:
    """Flag the next reading in event order and remember it.

    Sets ``reading.flag`` and ``reading.reason``. A reading by an operator needs no successor after a gap (somebody
    looked at the gauge), but a jump may be a slip of the keyboard: it waits unless the operator vouches for it.

    Returns:
        (pending, gap, revisions): whether the value is a jump that its successor has to confirm; whether the past
        ends before it; the changed flags of former readings.
    """
    value, at = reading.value, reading.observed_at
    impossible = _impossible(past, reading, limits)
    if impossible:
        reading.flag, reading.reason = _FAIL, impossible
        return False, False, []
    if at >= past.learn_at:
        look(past, limits, at)
    gap = past.at == 0 or at - past.at > limits.gap_ms
    unmoved = past.watched == LEAPT and value == past.value and not gap
    revisions = [] if unmoved or (gap and not past.pending_at) else settle(past, value, limits)
    unsure = gap and reading.source == "device"
    jump = 0.0 if past.at == 0 or unsure or reading.vouched else _jump(past, reading, limits)
    pending = unsure or jump != 0.0
    if past.watched == BACK and not pending and not gap:
        revisions += take_back(past, value, limits)
    reading.flag, reading.reason = _GOOD, ""
    if pending:
        reading.flag, reading.reason = _pending_reason(past, at, jump, limits, gap=unsure)
    elif value > limits.doubt_above:
        most = f"{limits.doubt_above:g} {limits.unit}"
        reading.flag, reading.reason = (
            _SUSPECT,
            f"{value:g} {limits.unit} are more than {most}, far over capacity",
        )
    if gap:
        past.track.clear()
        past.flat_since, past.older_at, past.accepted_at, past.watched = at, 0, 0, 0
    elif (pending or abs(value - past.value) > past.notable) and past.watched in (
        {0, TWO} if pending else {0}
    ):
        watch(past)
    _check_flat(past, reading, limits)
    _remember(past, reading, limits, pending=pending)
    return pending, gap, revisions


def _impossible(past: Past, reading: Reading, limits: Limits) -> str:
    """Why the value cannot be, empty when it can; what cannot be for hours is a new gauge zero after all."""
    value, at, unit = reading.value, reading.observed_at, limits.unit
    if not limits.low <= value <= limits.high:
        return f"{value:g} {unit} is outside the range {limits.low:g} to {limits.high:g}"
    if past.notable == 0:
        begin(past, limits, at, past.value if past.at else value)
    if limits.step is None or reading.vouched or reading.source != "device" or not is_warm(past, limits):
        return ""
    span = past.high - past.low
    deep = max(limits.step, _DEEP * span)
    if past.pending_at and value == past.pending and past.accepted_at and at - past.pending_at <= BROKEN_MS:
        fell = value < past.base and past.flat <= _RESTLESS * limits.cadence_ms and past.watched != BACK
        if fell or value > past.high + max(_FAR, _FAR_SPANS * span):
            past.at = at
            return f"jumped by {value - past.base:+g} {unit} and has not moved since"
    if value >= past.low - deep or (not past.fell_at and past.value - value <= deep):
        past.fell_at = 0
        return ""
    past.fell_at = past.fell_at or at
    if at - past.fell_at > BROKEN_MS:
        return ""
    return f"fell to {value:g} {unit}, {past.low - value:g} below everything seen"


def _jump(past: Past, reading: Reading, limits: Limits) -> float:
    """Size of the jump to the value; 0 when it lies within a step of the last reading or of the accepted level."""
    value = reading.value
    change = value - past.value
    if value == 0.0 and past.value >= limits.empty_from:
        return change
    step = step_of(past, limits)
    if limits.step is None or abs(change) <= step:
        return 0.0
    led = max(0.0, past.accepted - past.older if change > 0 else past.older - past.accepted)
    late = max(1.0, (reading.observed_at - past.at) / limits.cadence_ms)
    if abs(change) <= min(limits.step, step * late + (led if past.older_at else 0.0)):
        return 0.0
    if past.pending_at == 0 and past.accepted_at and abs(value - past.accepted) <= step:
        return 0.0
    return change


def _pending_reason(past: Past, at: int, jump: float, limits: Limits, *, gap: bool) -> tuple[int, str]:
    if past.at == 0:
        return _NOT_EVALUATED, "first reading: nothing to compare it with, waits for the next"
    hours = (at - past.at) / 3_600_000
    if gap:
        return _NOT_EVALUATED, f"first reading after a gap of {hours:.1f} h, waits for the next"
    if limits.step is None:
        return (
            _SUSPECT,
            f"nobody {hours * 60:.0f} min after {-jump:g} {limits.unit}: waits for the next reading",
        )
    size = f"jump of {jump:+g} {limits.unit} in {hours * 60:.0f} min"
    return _SUSPECT, f"{size}, more than {step_of(past, limits):.3g}: waits for the next reading"


def _check_flat(past: Past, reading: Reading, limits: Limits) -> None:
    if past.flat_since == 0 or reading.value != past.value:
        if past.flat_since:
            learn_flat(past, limits, reading.value)
        past.flat_since = reading.observed_at
        return
    run = reading.observed_at - past.flat_since
    longest = past.flat * FLAT_MARGIN
    if past.watched == LEAPT:
        longest = max(2 * limits.cadence_ms, longest / _LEAPT_SHARE)
    if run > longest and (limits.flat_above is None or reading.value > limits.flat_above):
        reading.flag = _SUSPECT
        reading.reason = f"unchanged at {reading.value:g} {limits.unit} for {run / 3_600_000:.1f} h"


def _remember(past: Past, reading: Reading, limits: Limits, *, pending: bool) -> None:
    value = reading.value
    past.at, past.value = reading.observed_at, value
    if pending:
        past.pending_at, past.pending, past.pending_rx = reading.observed_at, value, reading.received_at
    else:
        accept(past, reading.observed_at, value, reading.received_at, reading.flag)
        past.high = min(past.high, limits.doubt_above)  # the short way must not take what is above
