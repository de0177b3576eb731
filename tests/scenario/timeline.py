"""Timelines on a virtual clock: what happens when, and who has to hear what of it within a minute.

A course is a list of lines such as ``("00:40", "awan-1", 230)``; a wanted notice is
``("00:40", "duty_officer", "raised", 3)``: from that minute on the transition ``raised`` to severity 3 is in the outbox
for that role. All notices are compared, so one too many fails as well.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import select

from alerts.store.tables import alerts, outbox, transitions
from pantau.city import City
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading

__all__ = ["BACK", "GONE", "Line", "Timeline", "Told", "clock", "every", "play"]

Line = tuple[str, str, float]
Told = tuple[str, str, str, int]

GONE, BACK = "(broker away)", "(broker back)"


class Timeline(NamedTuple):
    """How a course ended.

    Attributes:
        told: every notice: when, to which role, of which transition, to which severity.
        happened: every transition of a cause ``level`` or of our own data: when, where, what, severity.
    """

    told: list[Told]
    happened: list[Told]


def minutes(text: str) -> int:
    """``"01:30"`` as 90."""
    hours, _, rest = text.partition(":")
    return int(hours) * 60 + int(rest)


def clock(at: int) -> str:
    """An instant of the course as it is written there."""
    passed = (at - T0) // MIN
    return f"{passed // 60:02}:{passed % 60:02}"


def every(minute: int, first: str, last: str, station: str, value: float) -> list[Line]:
    """A calm stretch: the same station and value every so many minutes, both ends included."""
    return [(clock(T0 + at * MIN), station, value) for at in range(minutes(first), minutes(last) + 1, minute)]


def play(
    course: Sequence[Line], until: str, *, sent: dict[int, str] | None = None, city: City = CITY,
    causes: Sequence[str] = ("level", "main"),
) -> Timeline:  # fmt: skip
    """Let a course happen, minute by minute.

    Args:
        sent: index of a line -> when it arrives, for readings that come late.
        causes: of alerts that are looked at.
    """
    arrivals = sorted(
        (minutes((sent or {}).get(index, line[0])), index, line) for index, line in enumerate(course)
    )
    service = VirtualService(fresh_database(), city=city)
    service.pipeline.listening_since = T0
    for minute in range(minutes(until) + 1):
        service.clock.set(T0 + minute * MIN)
        now = service.clock.now()
        for _, _, (_, station, _) in [
            entry for entry in arrivals if entry[0] == minute and entry[2][1] in {GONE, BACK}
        ]:
            service.pipeline.listening_since = now if station == BACK else 0
        readings = [
            reading(station, value, T0 + minutes(at) * MIN, received_at=now, city=city)
            for arrived, _, (at, station, value) in arrivals
            if arrived == minute and station not in {GONE, BACK}
        ]
        service.process(*readings)
        service.process()  # timers that became due
        service.turn_slow()
    return _end(service, causes)


def _end(service: VirtualService, causes: Sequence[str]) -> Timeline:
    notices = (
        select(outbox.c.made_at, outbox.c.role, transitions.c.what, transitions.c.severity)
        .join(transitions, (outbox.c.alert == transitions.c.alert) & (outbox.c.n == transitions.c.n))
        .join(alerts, outbox.c.alert == alerts.c.id)
        .where(alerts.c.cause.in_(causes))
    )
    changes = (
        select(transitions.c.now, alerts.c.scope, transitions.c.what, transitions.c.severity)
        .join(alerts, transitions.c.alert == alerts.c.id)
        .where(alerts.c.cause.in_(causes))
        .order_by(transitions.c.now, transitions.c.alert, transitions.c.n)
    )
    with service.engine.connect() as connection:
        told = {(clock(row[0]), row[1], row[2], row[3]) for row in connection.execute(notices)}
        happened = [(clock(row[0]), row[1], row[2], row[3]) for row in connection.execute(changes)]
    return Timeline(sorted(told), happened)
