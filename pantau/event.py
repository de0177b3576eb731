"""What goes into ``step`` and what comes out of it: inputs are journaled, events are committed with them.

``step(state, input, now) -> (state, events)`` is deterministic; ``now`` comes from the journal.
"""

from typing import Any

import msgspec

from pantau.outlook import Outlook
from pantau.reading import Reading

__all__ = ["Command", "Event", "FlagRevised", "Gone", "Input", "Score", "Tick", "Told", "Transition"]


class Score(msgspec.Struct, array_like=True):
    """What a detector says about one sensor at one instant.

    Attributes:
        station: id, or ``system:<peer>`` for the health of a peer.
        detector: its name; with ``version`` it tells who judged.
        at: event time the score is about, ms.
        score: 0 ordinary .. 1 extraordinary.
        reason: words and numbers for a person.
        shadow: shown, but opens no alert.
        value: the reading's value it is about, where there is one.
        outlook: the forecast it comes from, where it comes from one; it is told each time it is made.
    """

    station: str
    sensor: str
    detector: str
    version: str
    at: int
    score: float
    reason: str = ""
    shadow: bool = False
    value: float | None = None
    outlook: Outlook | None = None


class Tick(msgspec.Struct, array_like=True):
    """Time passed: a timer of this group came due.

    Attributes:
        group: key of the state it concerns.
        due: when it was due, ms.
        listening_since: when this service began to listen, ms; silence before that says nothing.
    """

    group: str
    due: int
    listening_since: int = 0


class Gone(msgspec.Struct, frozen=True, array_like=True):
    """A sensor whose gateway or camera says that it is away: silence that need not be waited for.

    Attributes:
        at: since when, ms since 1970 UTC.
        reason: full sentence for the operator.
    """

    station: str
    sensor: str
    at: int
    reason: str


class Command(msgspec.Struct, array_like=True):
    """What an operator does, an input like a reading.

    Attributes:
        id: of the row in ``commands``, where the answer is written.
        verb: acknowledge, confirm, shelve, unshelve, close, mark_wrong, out_of_service, in_service.
        by: the operator's name.
        alert: id of the alert it is about, empty when it is about a station.
        station, sensor, observed_at: what a reading's command is about.
        until: end of a shelf, ms.
        note: the operator's reason.
        value, received_at, kind: of the reading that ``mark_wrong`` is about.
        group: key of the state it was applied to, noted by ``app.states``; an alert that has ended no longer tells.
    """

    id: int
    verb: str
    by: str
    alert: str = ""
    station: str = ""
    sensor: str = ""
    observed_at: int = 0
    until: int = 0
    note: str = ""
    value: float = 0.0
    received_at: int = 0
    kind: str = ""
    group: str = ""


Input = Reading | Score | Tick | Command


class Transition(msgspec.Struct, kw_only=True):
    """One step in an alert's life; (alert, n) is unique, and so is its text in the alert log.

    Attributes:
        alert: deterministic id of the alert.
        n: 1, 2, 3 ... within the alert.
        at: event time, ms.
        now: journal time, ms.
        what: raised, confirmed, lowered, closed, withdrawn, and on the timeline only: acknowledged, shelved,
            unshelved, unconfirmed (a reminder), retold (a late condition that still holds).
        severity: after it; 0 when the alert ends.
        confirmed: whether that severity is confirmed; of an ended alert, whether it ever was.
        confirmed_severity: the part of it that may be told to the public.
        previous: severity before it.
        state: ISA-18.2 word after it.
        scope: station id, area code or ``system:<peer>``.
        station: id, empty when the scope is none.
        value: that led to it, in the station's unit, None when there is none.
        forecast: expected, not observed (cause ``forecast``).
        late: made by a reading older than the stale limit: on the timeline, told to nobody.
        why: limits, flags, model, reason, command: what a person needs to understand it.
        by: the operator, when one did it.
    """

    alert: str
    n: int
    at: int
    now: int
    what: str
    hazard: str
    cause: str
    scope: str
    station: str
    severity: int
    confirmed: bool
    confirmed_severity: int
    previous: int
    state: str
    sensor: str = ""
    value: float | None = None
    forecast: bool = False
    late: bool = False
    by: str = ""
    why: dict[str, Any] = msgspec.field(default_factory=dict)
    opened_at: int = 0


class FlagRevised(msgspec.Struct, array_like=True):
    """A reading's flag after what came later; the value never changes."""

    station: str
    kind: str
    sensor: str
    observed_at: int
    value: float
    received_at: int
    flag: int
    reason: str


class Told(msgspec.Struct, array_like=True):
    """The answer to a command, for whoever gave it."""

    command: int
    ok: bool
    text: str


Event = Transition | FlagRevised | Told
