"""Conflicting duplicates: another value for an instant that was already stored. The last is kept, both are listed."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from ingest.store.tables import conflicts

__all__ = ["Conflict", "latest_conflicts", "note_conflicts"]


class Conflict(NamedTuple):
    """One reading that arrived twice with different values; ``pos`` is the journal position of the second."""

    station: str
    sensor: str
    kind: str
    observed_at: int
    former: float
    value: float
    noticed_at: int
    pos: int


def note_conflicts(connection: Connection, found: Sequence[Conflict]) -> None:
    """Keep them on the list; one that is there already (a batch forwarded twice) is left alone."""
    if found:
        add = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        statement = add(conflicts).on_conflict_do_nothing()
        connection.execute(statement, [conflict._asdict() for conflict in found])


def latest_conflicts(connection: Connection, limit: int = 100) -> list[Conflict]:
    """The list, newest first."""
    columns = [conflicts.c[name] for name in Conflict._fields]
    rows = connection.execute(select(*columns).order_by(conflicts.c.id.desc()).limit(limit))
    return [Conflict(*row) for row in rows]
