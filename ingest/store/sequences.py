"""How devices number their messages, kept: parts of ``ingest.sequence`` in, the numberings of all or some out."""

from collections.abc import Mapping

import msgspec
import structlog
from sqlalchemy import Connection, select

from ingest.sequence import Numbering, Sequences, part_of
from ingest.store.tables import sequences as table
from ingest.store.upsert import upsert

__all__ = ["load_sequences", "numberings_of", "save_parts"]

_log = structlog.get_logger("pantau.sequences")


def save_parts(connection: Connection, parts: Mapping[int, bytes]) -> None:
    """Replace these parts."""
    if parts:
        rows = [{"part": part, "body": body} for part, body in parts.items()]
        connection.execute(upsert(connection.dialect.name, table), rows)


def load_sequences(connection: Connection) -> Sequences:
    """All that is kept; a part of another version is left out, its devices start afresh."""
    found = Sequences()
    for part, body in connection.execute(select(table.c.part, table.c.body).order_by(table.c.part)):
        try:
            found.load(bytes(body))
        except msgspec.DecodeError as error:
            _log.warning(
                "sequences_unreadable", part=part, reason=str(error), consequence="gaps are counted anew"
            )
    return found


def numberings_of(connection: Connection, station: str) -> list[Numbering]:
    """How the sensors of a station number their messages, by name; empty when none of them does."""
    body = connection.execute(select(table.c.body).where(table.c.part == part_of(station))).scalar()
    try:
        found = Sequences.parsed(bytes(body)) if body is not None else []
    except msgspec.DecodeError:  # ``load_sequences`` has said so at the start
        return []
    return sorted((n for n in found if n.station == station), key=lambda n: n.sensor)
