"""What operators asked for: a row a command, applied and answered by the pipeline, which alone writes alert state."""

from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from alerts.store.tables import commands

__all__ = ["answer", "answered", "ask", "waiting"]


def ask(conn: Connection, verb: str, body: dict[str, Any], by: str, made_at: int) -> int:
    """Write a command down; returns its id, under which ``answered`` will tell what became of it.

    Args:
        verb: as in ``pantau.event.Command``, or ``reading`` for a manual one.
        by: the operator's name.
        made_at: ms.
    """
    values = {"verb": verb, "body": msgspec.json.encode(body).decode(), "by": by, "made_at": made_at}
    made: int = conn.execute(insert(commands).values(values).returning(commands.c.id)).scalar_one()
    return made


def waiting(conn: Connection, limit: int = 100) -> list[tuple[int, str, dict[str, Any], str]]:
    """Commands that nobody has applied, in the order they were given: (id, verb, body, by)."""
    query = select(commands.c.id, commands.c.verb, commands.c.body, commands.c.by)
    rows = conn.execute(query.where(commands.c.applied_at.is_(None)).order_by(commands.c.id).limit(limit))
    return [(row.id, row.verb, msgspec.json.decode(row.body), row.by) for row in rows]


def answer(conn: Connection, id: int, *, ok: bool, text: str, applied_at: int) -> None:
    """Write down what became of a command; the first answer stands."""
    open_ = commands.c.applied_at.is_(None)
    values = {"ok": ok, "answer": text, "applied_at": applied_at}
    conn.execute(update(commands).where(commands.c.id == id, open_).values(values))


def answered(conn: Connection, id: int) -> tuple[bool, str] | None:
    """The answer: (done or refused, in words); None while there is none."""
    row = conn.execute(select(commands.c.ok, commands.c.answer).where(commands.c.id == id)).one_or_none()
    return None if row is None or row.ok is None else (bool(row.ok), row.answer or "")
