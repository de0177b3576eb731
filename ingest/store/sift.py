"""What is new among readings of the past: those the store has already are left alone, other values for them noted.

The rule is the forwarder's for late readings: a value that was sent for its instant before is a redelivery, whatever
stands there now; another value replaces what stands there and is listed as a conflicting duplicate. So the same file
may be imported twice, or again after it broke off, and leaves what it left the first time.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, select

from ingest.store.conflicts import Conflict
from ingest.store.identity import Identity, identity
from ingest.store.tables import conflicts
from pantau.reading import Reading

__all__ = ["Sent", "Sifted", "sent_before", "sift"]

_BEFORE_ALL = 0
"""Journal position of an import's conflicts: it is no batch of the journal, and lies behind whatever is forwarded."""


class Sent(NamedTuple):
    """Values that the conflict list has for an instant, and the one that was to stand last."""

    values: set[float]
    last: float


class Sifted(NamedTuple):
    """What is to be done.

    Attributes:
        fresh: to be written, one a key, the last of the readings.
        found: to be noted before anything is written.
        new: readings for instants that had no value.
        replaced: readings that take the place of another value.
        unchanged: readings whose value stands there already.
        superseded: readings whose value stood there once and gave way to another.
    """

    fresh: list[Reading]
    found: list[Conflict]
    new: int
    replaced: int
    unchanged: int
    superseded: int


def sent_before(connection: Connection, keys: Iterable[Identity]) -> dict[Identity, Sent]:
    """What the conflict list says of these keys."""
    wanted = set(keys)
    if not wanted:
        return {}
    times = [key[3] for key in wanted]
    c = conflicts.c
    query = select(c.station, c.sensor, c.kind, c.observed_at, c.former, c.value).order_by(c.id)
    found: dict[Identity, Sent] = {}
    for row in connection.execute(query.where(c.observed_at.between(min(times), max(times)))):
        key = (row.station, row.sensor, row.kind, row.observed_at)
        if key in wanted:
            values = found[key].values if key in found else set()
            found[key] = Sent(values | {row.former, row.value}, row.value)
    return found


def sift(
    readings: Iterable[Reading],
    stored: Mapping[Identity, float],
    sent: Mapping[Identity, Sent],
    noticed_at: int,
) -> Sifted:
    """Sort readings out.

    Args:
        stored: values that the store has under their keys.
        sent: what ``sent_before`` says of them.
        noticed_at: when, ms, for the conflict list.
    """
    fresh: dict[Identity, Reading] = {}
    found: list[Conflict] = []
    known = dict(sent)
    new = replaced = unchanged = superseded = 0
    for reading in readings:
        key, value = identity(reading), reading.value
        former = fresh[key].value if key in fresh else stored.get(key)
        if former == value:
            unchanged += 1
            continue
        if key in known and value in known[key].values:
            # Noted as the one to stand, and not there: an import that ended between the two steps is finished here.
            if key in fresh or value != known[key].last:
                superseded += 1
                continue
        elif former is not None:
            found.append(Conflict(*key, former, value, noticed_at, _BEFORE_ALL))
            known[key] = Sent({former, value} | (known[key].values if key in known else set()), value)
        new += former is None
        replaced += former is not None
        fresh[key] = reading
    return Sifted(list(fresh.values()), found, new, replaced, unchanged, superseded)
