"""Lives of alerts: the transitions of a backtest in, one record for each alert from its beginning to its end out."""

from collections.abc import Iterable

import msgspec

from pantau.event import Transition

__all__ = ["FAR", "Life", "lives"]

FAR = 1 << 62
"""End of what is still open when the recording ends."""
_ENDS = frozenset({"closed", "withdrawn"})


class Life(msgspec.Struct, kw_only=True):
    """One alert; all instants in ms since 1970 UTC.

    Attributes:
        opened_at: event time of its first transition; ``ended_at``: of its last, ``FAR`` while it is open.
        reached: by severity, when it was first reached.
        severity: highest reached; ``sure``: highest confirmed, 0 when nothing ever was.
        told: when operators were told that it began or grew worse, on the clock of the journal.
        told_severity: the severity that they were told then.
        unconfirmed: it began as a jump that had to be confirmed.
        withdrawn: the jump was nothing.
    """

    alert: str
    scope: str
    station: str
    hazard: str
    cause: str
    opened_at: int
    ended_at: int = FAR
    reached: dict[int, int] = {}
    severity: int = 0
    sure: int = 0
    told: list[int] = []
    told_severity: list[int] = []
    unconfirmed: bool = False
    withdrawn: bool = False

    @property
    def condition(self) -> tuple[str, str, str]:
        """What it is about: at most one alert of a condition is open at a time."""
        return self.scope, self.hazard, self.cause

    def open_at(self, start: int, end: int) -> bool:
        """Whether it was open at some time from ``start`` (inclusive) to ``end`` (exclusive)."""
        return self.opened_at < end and self.ended_at > start

    def take(self, transition: Transition) -> None:
        """Follow the next transition of this alert."""
        if transition.what == "raised" and transition.severity > transition.previous:
            for severity in range(1, transition.severity + 1):
                self.reached.setdefault(severity, transition.at)
            self.severity = max(self.severity, transition.severity)
            if not transition.late:
                self.told.append(transition.now)
                self.told_severity.append(transition.severity)
        self.sure = max(self.sure, transition.confirmed_severity)
        if transition.what in _ENDS:
            self.ended_at = transition.at
            self.withdrawn = transition.what == "withdrawn"


def lives(transitions: Iterable[Transition]) -> list[Life]:
    """Alerts in the order in which they began."""
    found: dict[str, Life] = {}
    for transition in transitions:
        life = found.get(transition.alert)
        if life is None:
            life = found[transition.alert] = Life(
                alert=transition.alert,
                scope=transition.scope,
                station=transition.station,
                hazard=transition.hazard,
                cause=transition.cause,
                opened_at=transition.at,
                unconfirmed=not transition.confirmed,
            )
        life.take(transition)
    return list(found.values())
