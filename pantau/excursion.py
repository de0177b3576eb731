"""An excursion: a notable change, watched until it stands (it was the water) or returns (it was a spike).

What tells them apart is how much of its height is left at the next reading: from two fifths on it stands, up to a tenth
it has returned, in between it is doubted. Water that was on its way already is given that way. A crest on top of a rise
that was under way is the water's own. An excursion lasts one reading or two; what lasts longer stands.
"""

from pantau.learnt import is_warm, leapt, step_of
from pantau.past import Limits, Past, Revision
from pantau.reading import Flag

__all__ = ["BACK", "LEAPT", "TWO", "accept", "settle", "take_back", "watch"]

ONE, TWO, BACK, LEAPT = 1, 2, 3, 4
"""Stages in ``Past.watched``: one reading off; two; back again; a jump that stands, but has not moved since."""
STANDS, RETURNED, BEYOND = 0.4, 0.1, -2 / 3
"""Shares of the height that are left; less than none: the water itself went the other way meanwhile."""
_TURNED = 0.5  # more is left: nothing has turned back, whatever the water was up to
_LED = 0.5  # a change by half the height before it: a rise was under way
_STEADY = 1 / 3  # the second reading off lies as near to the first

_GOOD, _SUSPECT, _FAIL = int(Flag.GOOD), int(Flag.SUSPECT), int(Flag.FAIL)


def watch(past: Past) -> None:
    """The reading that comes lies notably off the accepted level."""
    past.watched = ONE
    past.base = past.accepted
    past.lead = past.accepted - past.older if past.older_at else 0.0


def settle(past: Past, value: float, limits: Limits) -> list[Revision]:
    """What the next value says of the pending jump or of the excursion, if there is one."""
    if past.pending_at:
        return _settle_pending(past, value, limits)
    if past.watched == ONE:
        if BEYOND < _left(past, past.accepted, value, 2 * past.lead) < STANDS:
            return take_back(past, value, limits)
        steady = abs(past.accepted - value) <= abs(past.accepted - past.base) * _STEADY
        past.watched = TWO if steady else 0
    elif past.watched == TWO:
        flow = 3 * (past.accepted - past.older)
        returned = BEYOND < _left(past, past.older, value, flow) < STANDS
        unmoved = value == past.accepted == past.older and abs(value - past.base) > step_of(past, limits)
        past.watched = BACK if returned else LEAPT if unmoved else 0
    else:
        past.watched = 0
    return []


def _left(past: Past, first: float, value: float, flow: float) -> float:
    """Share of the excursion's height that is left at ``value``; negative beyond the base, 1 and more: stands.

    Args:
        past: with the excursion's base and lead.
        first: its first reading.
        value: the one after it.
        flow: by how much the water has moved meanwhile if the excursion was none of its doing.
    """
    height = first - past.base
    if height == 0 or (past.lead * height > 0 and abs(past.lead) > _LED * abs(height)):
        return 1.0
    still = (value - past.base) / height
    return still if still >= _TURNED else min(still, still - flow / height, key=abs)


def _settle_pending(past: Past, value: float, limits: Limits) -> list[Revision]:
    """Whether the pending jump was the truth, now that its successor is known."""
    at, jump, received_at = past.pending_at, past.pending, past.pending_rx
    stage = past.watched
    past.forget_pending()
    left = 1.0 if past.accepted_at == 0 else _left(past, jump, value, 2 * past.lead)
    if stage == BACK:
        return _settle_back(past, value, limits, Revision(at, jump, received_at, _GOOD, ""))
    if left >= STANDS:
        if past.accepted_at:
            leapt(past, limits)
            past.watched = TWO if abs(value - jump) <= abs(jump - past.base) * _STEADY else 0
        accept(past, at, jump, received_at, _GOOD)
        return [Revision(at, jump, received_at, _GOOD, "")]
    if left <= BEYOND:
        return []
    past.value = past.accepted  # the jump never was: the successor is compared with the level before it
    flag = _FAIL if abs(value - past.base) <= RETURNED * abs(jump - past.base) else _SUSPECT
    return [Revision(at, jump, received_at, flag, _spike(jump - past.base, value, limits))]


def _settle_back(past: Past, value: float, limits: Limits, good: Revision) -> list[Revision]:
    """A jump back after two readings off: if it stands, those two were the spike."""
    height = past.older - past.base
    if abs(value - good.value) < abs(height) / 2:
        revisions = [good, *_doubted(past, good.value, limits, both=True)]
        accept(past, good.observed_at, good.value, good.received_at, _GOOD)
        past.older_at = 0
        return revisions
    if abs(value - past.accepted) <= abs(height) * STANDS:
        words = _spike(good.value - past.accepted, value, limits)
        past.value = past.accepted
        return [Revision(good.observed_at, good.value, good.received_at, _FAIL, words)]
    accept(past, good.observed_at, good.value, good.received_at, _GOOD)
    return [good]


def _spike(height: float, back: float, limits: Limits) -> str:
    return f"spike of {height:+g} {limits.unit}: the next reading was back at {back:g}"


def take_back(past: Past, value: float, limits: Limits) -> list[Revision]:
    """The excursion has returned to ``value``: what was off is doubted, and the level is what it was before."""
    revisions = _doubted(past, value, limits, both=past.watched == BACK)
    past.watched = 0
    past.value = past.accepted = past.base
    past.older_at = 0
    return revisions


def _doubted(past: Past, value: float, limits: Limits, *, both: bool) -> list[Revision]:
    """Revisions of the accepted reading, and of the one before if both were off, where they were notably so."""
    members = [(past.accepted_at, past.accepted, past.accepted_rx)]
    if both and past.older_at:
        members.insert(0, (past.older_at, past.older, past.older_rx))
    level = (past.base + value) / 2
    limit = past.notable if is_warm(past, limits) else limits.spike
    off = min(abs(member[1] - level) for member in members)
    if limit is None or off <= limit or past.accepted_flag != _GOOD:
        return []
    past.accepted_flag = _SUSPECT
    words = f"{limits.unit} between agreeing neighbours"
    return [Revision(at, was, rx, _SUSPECT, f"spike of {was - level:+g} {words}") for at, was, rx in members]


def accept(past: Past, at: int, value: float, received_at: int, flag: int) -> None:
    """Take a value as the level."""
    past.low, past.high = min(past.low, value), max(past.high, value)
    past.older_at, past.older, past.older_rx = past.accepted_at, past.accepted, past.accepted_rx
    past.accepted_at, past.accepted, past.accepted_rx, past.accepted_flag = at, value, received_at, flag
    past.track.add(at, value)
