"""What payload formats know of former messages, kept: parts of ``ingest.decode.Decoder`` in, all of them out."""

from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, delete, select

from ingest.store.tables import format_states as table
from ingest.store.upsert import upsert

__all__ = ["load_format_states", "save_format_states"]


def save_format_states(connection: Connection, parts: Mapping[str, bytes]) -> None:
    """Replace these parts; empty ones are forgotten."""
    rows = [{"name": name, "body": body} for name, body in parts.items() if body]
    if rows:
        connection.execute(upsert(connection.dialect.name, table), rows)
    gone = [{"gone": name} for name, body in parts.items() if not body]
    if gone:
        connection.execute(delete(table).where(table.c.name == bindparam("gone")), gone)


def load_format_states(connection: Connection) -> dict[str, bytes]:
    """All that is kept, also of bindings that the city has no more: somebody may bring them back."""
    return {name: bytes(body) for name, body in connection.execute(select(table.c.name, table.c.body))}
