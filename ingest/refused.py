"""Refused messages: kept with their reason, so that nothing a device sends vanishes without a word.

One row a message, however many items of it are bad. What is kept is bounded: a payload to 1 MiB, a batch to 64 MiB, the
whole table by ``prune``; the reason and the true size are always kept.
"""

from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ingest.decode import Refused
from ingest.store.tables import refused

__all__ = [
    "MOST_BYTES",
    "MOST_ROWS",
    "Kept",
    "count_by_code",
    "keep",
    "listing",
    "mark_retried",
    "prune",
    "take_for_retry",
]

LONGEST_PAYLOAD = 1 << 20
_BATCH_BYTES = 64 << 20
_CUT = 1024
_REASONS = 5
MOST_ROWS = 100_000
MOST_BYTES = 1 << 30


class Kept(msgspec.Struct, frozen=True):
    """A refused message as it was kept.

    Attributes:
        payload: cut when it is shorter than ``size``; then it cannot be retried.
        retried_at: when it was published again, ms; None: not yet.
    """

    id: int
    received_at: int
    topic: str
    payload: bytes
    size: int
    retained: bool
    code: str
    reason: str
    retried_at: int | None = None

    @property
    def obstacle(self) -> str:
        """Why it cannot be published again, empty when it can."""
        if len(self.payload) < self.size:
            return f"only {len(self.payload)} of its {self.size} bytes were kept"
        if self.code == "store_refused":
            return "it was decoded well and has no message: the store would not take the reading"
        if self.code in {"retained", "retained_without_time"}:
            return "sent again it would count as new, and nobody knows how old it is"
        return ""


def keep(connection: Connection, found: Sequence[Refused]) -> None:
    """Keep refused messages, one row each; the reasons of several items of one message stand together."""
    by_message: dict[int, list[Refused]] = {}
    for item in found:
        by_message.setdefault(id(item.message), []).append(item)
    room = _BATCH_BYTES
    rows = []
    for items in by_message.values():
        message = items[0].message
        payload = message.payload[: LONGEST_PAYLOAD if len(message.payload) <= room else _CUT]
        room -= len(payload)
        rows.append({
            "received_at": message.received_at,
            "topic": message.topic.replace("\0", "\N{REPLACEMENT CHARACTER}"),
            "payload": payload,
            "size": len(message.payload),
            "retained": message.retain,
            "code": items[0].code,
            "reason": _reason(items),
        })  # fmt: skip
    if rows:
        connection.execute(insert(refused), rows)


def _reason(items: Sequence[Refused]) -> str:
    shown = [
        item.reason if item.index is None else f"[{item.index}] {item.reason}" for item in items[:_REASONS]
    ]
    more = [f"and {len(items) - _REASONS} more items"] if len(items) > _REASONS else []
    return "; ".join(shown + more)


def listing(connection: Connection, limit: int = 100, code: str | None = None) -> list[Kept]:
    """Kept messages, newest first."""
    query = select(refused).order_by(refused.c.id.desc()).limit(limit)
    if code is not None:
        query = query.where(refused.c.code == code)
    return [_kept(row) for row in connection.execute(query)]


def count_by_code(connection: Connection) -> dict[str, int]:
    """How many messages are kept of each code, the most frequent first."""
    number = func.count().label("number")
    query = select(refused.c.code, number).group_by(refused.c.code).order_by(number.desc(), refused.c.code)
    return {row.code: row.number for row in connection.execute(query)}


def take_for_retry(
    connection: Connection,
    ids: Iterable[int] | None = None,
    code: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Kept]:
    """Kept messages that were not published again yet, oldest first.

    Args:
        ids: only these, also when they were retried before.
        code: only those with this code.
        after: only ids above this one, to go through many in pages.
        limit: at most so many.
    """
    query = select(refused).where(refused.c.id > after).order_by(refused.c.id).limit(limit)
    query = query.where(refused.c.retried_at.is_(None) if ids is None else refused.c.id.in_(list(ids)))
    if code is not None:
        query = query.where(refused.c.code == code)
    return [_kept(row) for row in connection.execute(query)]


def mark_retried(connection: Connection, ids: Iterable[int], at: int) -> None:
    """Note that these were published again at ``at`` (ms)."""
    connection.execute(update(refused).where(refused.c.id.in_(list(ids))).values(retried_at=at))


def prune(connection: Connection, most_rows: int = MOST_ROWS, most_bytes: int = MOST_BYTES) -> int:
    """Remove the oldest beyond the caps and return how many; a flood of rubbish must not fill the disk."""
    ids, sizes = refused.c.id, func.length(refused.c.payload)
    running = func.sum(sizes).over(order_by=ids.desc()).label("bytes")
    rank = func.row_number().over(order_by=ids.desc()).label("rank")
    ranked = select(ids.label("id"), running, rank).subquery()
    surplus = select(ranked.c.id).where((ranked.c.bytes > most_bytes) | (ranked.c.rank > most_rows))
    return connection.execute(delete(refused).where(ids.in_(surplus))).rowcount


def _kept(row: Row[tuple[object, ...]]) -> Kept:
    return Kept(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
