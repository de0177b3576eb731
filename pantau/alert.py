"""The alert machine after ANSI/ISA-18.2: severities in, transitions out, states and triggers as data.

An alert is open while its condition lasts; there is at most one open alert for a (scope, hazard, cause). What its
voices say (confirmed and tentative severity) decides raised, confirmed, lowered, closed and withdrawn; what operators
do decides acknowledged and shelved. Everything is plain data, so the state can be kept, replayed and compared.
"""

from hashlib import sha256
from typing import Any

import msgspec

from pantau.event import Transition

__all__ = [
    "FORECAST",
    "TABLE",
    "AlertKey",
    "AlertState",
    "Occasion",
    "alert_id",
    "next_state",
    "note",
    "operate",
    "update",
]

FORECAST = "forecast"
"""The cause of what is expected and not observed."""
NORMAL, UNACKNOWLEDGED, ACKNOWLEDGED = "normal", "unacknowledged", "acknowledged"
RETURNED, SHELVED = "returned_unacknowledged", "shelved"
SUPPRESSED, OUT_OF_SERVICE = "suppressed_by_design", "out_of_service"

TABLE: dict[tuple[str, str], str] = {
    (NORMAL, "raise"): UNACKNOWLEDGED,
    (RETURNED, "raise"): UNACKNOWLEDGED,
    (UNACKNOWLEDGED, "raise"): UNACKNOWLEDGED,
    (ACKNOWLEDGED, "raise"): UNACKNOWLEDGED,  # worse than what was acknowledged
    (SHELVED, "raise"): UNACKNOWLEDGED,  # a shelf does not hide a worsening
    (SUPPRESSED, "raise"): SUPPRESSED,
    (OUT_OF_SERVICE, "raise"): OUT_OF_SERVICE,
    (UNACKNOWLEDGED, "return"): RETURNED,
    (ACKNOWLEDGED, "return"): NORMAL,
    (SHELVED, "return"): NORMAL,
    (SUPPRESSED, "return"): NORMAL,
    (OUT_OF_SERVICE, "return"): NORMAL,
    (UNACKNOWLEDGED, "acknowledge"): ACKNOWLEDGED,
    (RETURNED, "acknowledge"): NORMAL,
    (UNACKNOWLEDGED, "shelve"): SHELVED,
    (ACKNOWLEDGED, "shelve"): SHELVED,
    (SHELVED, "shelve"): SHELVED,  # until another instant
    (SHELVED, "unshelve"): UNACKNOWLEDGED,
    (UNACKNOWLEDGED, "suppress"): SUPPRESSED,
    (ACKNOWLEDGED, "suppress"): SUPPRESSED,
    (SUPPRESSED, "unsuppress"): UNACKNOWLEDGED,
    (UNACKNOWLEDGED, "out_of_service"): OUT_OF_SERVICE,
    (ACKNOWLEDGED, "out_of_service"): OUT_OF_SERVICE,
    (SHELVED, "out_of_service"): OUT_OF_SERVICE,
    (SUPPRESSED, "out_of_service"): OUT_OF_SERVICE,
    (OUT_OF_SERVICE, "in_service"): UNACKNOWLEDGED,
}
"""(state, trigger) -> state; a pair that is not here is not allowed."""

_DONE = {
    "acknowledge": "acknowledged",
    "shelve": "shelved",
    "unshelve": "unshelved",
    "out_of_service": "out_of_service",
    "in_service": "in_service",
}


def next_state(state: str, trigger: str) -> str | None:
    """State after a trigger, None when ISA-18.2 does not allow it."""
    return TABLE.get((state, trigger))


class AlertKey(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Identity of a condition; ``station`` is empty for areas and peers."""

    scope: str
    hazard: str
    cause: str
    station: str = ""

    def __str__(self) -> str:
        return f"{self.scope}|{self.hazard}|{self.cause}"


class AlertState(msgspec.Struct, array_like=True):
    """An alert as plain data.

    Attributes:
        opened_at: event time of the opening reading, or due time of the opening Tick; part of the id.
        confirmed, tentative: severities; ``tentative`` is that of a pending jump, 0 when there is none.
        state: ISA-18.2 word.
        n: transitions so far.
        is_open: the condition lasts.
        shelved_until: end of the shelf, 0 when there is none.
        remind_at: when an unconfirmed alert is told to the operators again, 0 when it is not.
        untold: opened or raised by a late reading; told when a fresh one says the same.
        vouched: a severity of it was confirmed at some time.
    """

    key: AlertKey
    id: str
    opened_at: int
    confirmed: int = 0
    tentative: int = 0
    state: str = NORMAL
    n: int = 0
    is_open: bool = True
    shelved_until: int = 0
    remind_at: int = 0
    untold: bool = False
    vouched: bool = False

    @property
    def severity(self) -> int:
        """The higher of confirmed and tentative."""
        return max(self.confirmed, self.tentative)

    @property
    def due(self) -> int:
        """Its next timer, 0 when it waits for nothing."""
        timers = [timer for timer in (self.shelved_until, self.remind_at) if timer]
        return min(timers) if timers and self.is_open else 0


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """What led to a change: when, by which reading, score, timer or operator.

    Attributes:
        wrong: an operator took a reading back, so a fall is a withdrawal.
        out_of_service: the station is under repair.
        remind_at: when to remind if the change leaves the alert unconfirmed.
    """

    at: int
    now: int
    sensor: str = ""
    value: float | None = None
    why: dict[str, Any] = {}
    late: bool = False
    by: str = ""
    wrong: bool = False
    out_of_service: bool = False
    remind_at: int = 0


def alert_id(city: str, key: AlertKey, opened_at: int) -> str:
    """Deterministic id: the same journal gives the same ids on every machine."""
    return sha256(f"{city}|{key}|{opened_at}".encode()).hexdigest()[:20]


def update(
    city: str,
    key: AlertKey,
    alert: AlertState | None,
    confirmed: int,
    tentative: int,
    occasion: Occasion,
    after: int = 0,
) -> tuple[AlertState | None, list[Transition]]:
    """Bring an alert to what its voices say now.

    Args:
        alert: the open (or returned, unacknowledged) alert of this key, None when there is none.
        confirmed: worst confirmed severity of its voices.
        tentative: worst severity of a pending jump, 0 or above ``confirmed``.
        after: ``opened_at`` of this key's last alert; a second sensor may bring a reading of the same or an earlier
            instant after that alert has ended, and this one still gets an id of its own.

    Returns:
        The alert (changed in place, or new) and the transitions, in order.
    """
    was_open = alert is not None and alert.is_open
    if not was_open:
        if confirmed == 0 and tentative == 0:
            return alert, []
        opened_at = occasion.at if occasion.at > after else after + 1
        alert = AlertState(key, alert_id(city, key, opened_at), opened_at)
        if occasion.out_of_service:
            alert.state = OUT_OF_SERVICE
    assert alert is not None  # noqa: S101 - tells the type checker what the lines above did
    out: list[Transition] = []
    for what, new_confirmed, new_tentative in _steps(alert, confirmed, tentative, wrong=occasion.wrong):
        out.append(_apply(alert, what, new_confirmed, new_tentative, occasion))
    if alert.tentative == 0:
        alert.remind_at = 0
    elif any(transition.what == "raised" for transition in out):
        alert.remind_at = occasion.remind_at
    return alert, out


def _steps(alert: AlertState, confirmed: int, tentative: int, *, wrong: bool) -> list[tuple[str, int, int]]:
    """The way from what the alert says to what it shall say: (what, confirmed, tentative) after each step."""
    now, pending = alert.confirmed, alert.tentative
    steps = []
    if pending and confirmed > now:
        now = min(pending, confirmed)
        pending = 0
        steps.append(("confirmed", now, 0))
    elif pending > tentative:
        pending = tentative if tentative > now else 0  # another sensor's lesser jump still stands
        steps.append(("withdrawn", now, pending))
    if confirmed > now:
        now = confirmed
        steps.append(("raised", now, 0))
    if confirmed < now:
        now = confirmed
        fallen = "closed" if confirmed == 0 and tentative == 0 else "lowered"
        steps.append(("withdrawn" if wrong else fallen, now, pending))
    if tentative > max(now, pending):
        steps.append(("raised", now, tentative))
    return steps


def _apply(alert: AlertState, what: str, confirmed: int, tentative: int, occasion: Occasion) -> Transition:
    previous = alert.severity
    alert.confirmed, alert.tentative = confirmed, tentative
    alert.vouched = alert.vouched or confirmed > 0
    severity = alert.severity
    if severity == 0:
        alert.is_open = False
        alert.shelved_until = 0
        alert.state = NORMAL if what == "withdrawn" else TABLE.get((alert.state, "return"), NORMAL)
    elif what == "raised" and severity > previous:
        alert.state = TABLE.get((alert.state, "raise"), UNACKNOWLEDGED)
        if alert.state != SHELVED:
            alert.shelved_until = 0
    alert.untold = severity > 0 and (alert.untold or (occasion.late and severity > previous))
    return note(alert, what, previous, occasion)


def note(alert: AlertState, what: str, previous: int, occasion: Occasion) -> Transition:
    """The next transition of an alert, as it stands now."""
    alert.n += 1
    key = alert.key
    return Transition(
        alert=alert.id, n=alert.n, at=occasion.at, now=occasion.now, what=what, hazard=key.hazard, cause=key.cause,
        scope=key.scope, station=key.station, severity=alert.severity,
        confirmed=alert.vouched and alert.tentative <= alert.confirmed,
        confirmed_severity=alert.confirmed, previous=previous, state=alert.state, sensor=occasion.sensor,
        value=occasion.value, forecast=key.cause == FORECAST, late=occasion.late, by=occasion.by, why=occasion.why,
        opened_at=alert.opened_at,
    )  # fmt: skip


def operate(alert: AlertState, trigger: str, occasion: Occasion, *, until: int = 0) -> Transition | None:
    """Apply an operator's (or a timer's) trigger; None when the state does not allow it."""
    state = next_state(alert.state, trigger)
    if state is None:
        return None
    alert.state = state
    alert.shelved_until = until if trigger == "shelve" else 0
    return note(alert, _DONE[trigger], alert.severity, occasion)
