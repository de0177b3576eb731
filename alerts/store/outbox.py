"""The outbox: notices in, inside the transaction that made them; leased one by one to workers until they are settled.

States: waiting -> leased -> sent | waiting (again later) | unknown | failed. Notices about one alert to one contact
leave in the order they were made: an all-clear never overtakes its raise. All instants here are real time, since
patience with a receiver has nothing to do with the speed of an exercise; only ``made_at`` and ``sent_at`` are the
service's.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from alerts.channel import Outcome, Sent
from alerts.retry import fate_after
from alerts.store.tables import outbox

__all__ = [
    "Item", "Settled", "assign", "expire", "fail", "give_back", "is_due", "lease", "of_other_channels", "oldest", "put",
    "settle", "unaddressed", "undelivered", "waiting",
]  # fmt: skip


class Item(msgspec.Struct, kw_only=True):
    """A row of the outbox; ``body`` is a ``Notice`` as JSON, ``contact`` None until one is found behind the role."""

    id: str
    alert: str
    n: int
    role: str
    channel: str
    severity: int
    body: str
    made_at: int
    contact: int | None = None
    state: str = "waiting"
    attempts: int = 0
    due_at: int = 0
    lease: str | None = None
    lease_until: int | None = None
    sent_at: int | None = None
    error: str | None = None


def put(conn: Connection, items: Sequence[Item]) -> int:
    """Add notices; one whose id is there already is left as it is. Returns how many were new.

    Earlier notices about the same alerts that wait for a retry become due at once: news is a reason to try again, and
    they have to go first.
    """
    if not items:
        return 0
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(outbox).on_conflict_do_nothing(index_elements=["id"]).returning(outbox.c.id)
    rows = [msgspec.structs.asdict(item) for item in items]
    # Rows are counted by what comes back: PostgreSQL's driver knows no count for an insert that leaves some out.
    new = len(conn.execute(insert, rows).all())
    same = outbox.c.alert.in_({item.alert for item in items})
    conn.execute(
        update(outbox).where(same, outbox.c.state == "waiting", outbox.c.due_at > 0).values(due_at=0)
    )
    return new


def unaddressed(conn: Connection, channel: str, limit: int = 500) -> list[Item]:
    """Notices for which nobody has looked up the contacts yet; locked until the transaction ends."""
    query = select(outbox).where(
        outbox.c.state == "waiting", outbox.c.channel == channel, outbox.c.contact.is_(None)
    )
    return _items(
        conn, query.order_by(outbox.c.made_at, outbox.c.id).limit(limit).with_for_update(skip_locked=True)
    )


def assign(conn: Connection, found: Sequence[tuple[Item, Sequence[int]]]) -> None:
    """Give notices to everybody behind their roles: the row itself to the first, a further row to each other one."""
    if not found:
        return
    statement = update(outbox).where(outbox.c.id == bindparam("key")).values(contact=bindparam("first"))
    conn.execute(statement, [{"key": item.id, "first": contacts[0]} for item, contacts in found])
    others = [
        msgspec.structs.replace(item, id=f"{item.id}-{contact}", contact=contact)
        for item, contacts in found
        for contact in contacts[1:]
    ]
    put(conn, others)


def is_due(conn: Connection, channel: str, now_ms: int) -> bool:
    """Whether there is anything to do for a channel; a read, so that idle workers disturb nobody."""
    todo = or_(_is_due(now_ms), _is_expired(now_ms))
    return bool(conn.execute(select(exists().where(outbox.c.channel == channel, todo))).scalar())


def lease(
    conn: Connection, worker: str, now_ms: int, limit: int, lease_ms: int, channel: str | None = None
) -> list[Item]:
    """Claim notices that are due, worst first, and count the attempt; nobody else gets them until the lease ends."""
    earlier = outbox.alias("earlier")
    overtakes = exists().where(
        earlier.c.alert == outbox.c.alert,
        earlier.c.role == outbox.c.role,
        earlier.c.channel == outbox.c.channel,
        earlier.c.contact == outbox.c.contact,
        earlier.c.n < outbox.c.n,
        earlier.c.state.in_(("waiting", "leased")),
    )
    query = select(outbox).where(_is_due(now_ms), outbox.c.contact.is_not(None), ~overtakes)
    if channel is not None:
        query = query.where(outbox.c.channel == channel)
    query = query.order_by(outbox.c.severity.desc(), outbox.c.made_at, outbox.c.id).limit(limit)
    items = _items(conn, query.with_for_update(skip_locked=True, of=outbox))
    for item in items:
        item.state, item.lease, item.lease_until = "leased", worker, now_ms + lease_ms
        item.attempts += 1
    if items:
        conn.execute(
            update(outbox).where(outbox.c.id == bindparam("key")).values(
                state="leased", lease=worker, lease_until=now_ms + lease_ms, attempts=bindparam("tried")
            ),
            [{"key": item.id, "tried": item.attempts} for item in items],
        )  # fmt: skip
    return items


def give_back(conn: Connection, item: Item, worker: str) -> None:
    """Return a notice that was leased and not handed over, as if it had never been leased."""
    mine = and_(outbox.c.id == item.id, outbox.c.lease == worker, outbox.c.state == "leased")
    free = {"state": "waiting", "lease": None, "lease_until": None, "attempts": item.attempts - 1}
    conn.execute(update(outbox).where(mine).values(free))


class Settled(msgspec.Struct, frozen=True):
    """What became of an attempt; ``now_ms`` is real time, ``sent_at`` the service's."""

    item: Item
    outcome: Outcome
    now_ms: int
    sent_at: int
    removes_duplicates: bool


def settle(conn: Connection, worker: str, done: Sequence[Settled]) -> list[str | None]:
    """Write down what became of attempts; the rows' states, None when a lease had gone to somebody else."""
    if not done:
        return []
    fates = [
        fate_after(
            one.item.id, one.item.attempts, one.item.severity, one.outcome, one.now_ms,
            removes_duplicates=one.removes_duplicates,
        )
        for one in done
    ]  # fmt: skip
    mine = outbox.c.lease == worker, outbox.c.state == "leased"
    ids = [one.item.id for one in done]
    held = set(
        conn.execute(select(outbox.c.id).where(outbox.c.id.in_(ids), *mine).with_for_update()).scalars()
    )
    rows = [
        {"key": one.item.id, "to": fate.state, "due": fate.due_at, "why": fate.error,
         "at": one.sent_at if fate.state == "sent" else None}
        for one, fate in zip(done, fates, strict=True)
        if one.item.id in held
    ]  # fmt: skip
    if rows:
        conn.execute(_SETTLE, rows)
    return [fate.state if id_ in held else None for id_, fate in zip(ids, fates, strict=True)]


_SETTLE = (
    update(outbox)
    .where(outbox.c.id == bindparam("key"))
    .values(
        state=bindparam("to"), due_at=bindparam("due"), error=bindparam("why"), sent_at=bindparam("at"),
        lease=None, lease_until=None,
    )
)  # fmt: skip


def fail(conn: Connection, item: Item, reason: str) -> None:
    """Settle a notice that was never tried."""
    _set(conn, item.id, state="failed", error=reason)


def expire(
    conn: Connection, now_ms: int, removes_duplicates: Collection[str], channel: str | None = None
) -> int:
    """Settle leases that ran out: their worker died, perhaps after handing over, so the outcome is unknown.

    Args:
        removes_duplicates: names of the channels whose receivers do.

    Returns:
        How many there were.
    """
    query = select(outbox).where(_is_expired(now_ms)).with_for_update(skip_locked=True)
    items = _items(conn, query if channel is None else query.where(outbox.c.channel == channel))
    outcome = Outcome(Sent.UNKNOWN, "the worker ended between handing over and writing it down")
    for item in items:
        removes = item.channel in removes_duplicates
        settle(conn, item.lease or "", [Settled(item, outcome, now_ms, 0, removes)])
    return len(items)


def undelivered(conn: Connection, limit: int = 100) -> list[Item]:
    """Notices of which nobody knows whether they arrived, or that failed; newest first, for an operator to look at."""
    query = select(outbox).where(outbox.c.state.in_(("unknown", "failed")))
    return _items(conn, query.order_by(outbox.c.made_at.desc(), outbox.c.id).limit(limit))


def of_other_channels(conn: Connection, channels: Collection[str], limit: int = 500) -> list[Item]:
    """Notices for channels that this installation does not have: nobody would ever take them."""
    query = select(outbox).where(outbox.c.state == "waiting", outbox.c.channel.not_in(list(channels)))
    return _items(conn, query.limit(limit))


def waiting(conn: Connection) -> int:
    """How many notices are not settled."""
    open_ = outbox.c.state.in_(("waiting", "leased"))
    return conn.execute(select(func.count()).select_from(outbox).where(open_)).scalar() or 0


def oldest(conn: Connection) -> int | None:
    """``made_at`` of the oldest notice that is not settled, None when all are."""
    open_ = outbox.c.state.in_(("waiting", "leased"))
    return conn.execute(select(func.min(outbox.c.made_at)).where(open_)).scalar()


def _is_due(now_ms: int) -> ColumnElement[bool]:
    return and_(outbox.c.state == "waiting", outbox.c.due_at <= now_ms)


def _is_expired(now_ms: int) -> ColumnElement[bool]:
    return and_(outbox.c.state == "leased", outbox.c.lease_until < now_ms)


def _items(conn: Connection, query: Select[Any]) -> list[Item]:
    return [Item(**row) for row in conn.execute(query).mappings()]


def _set(conn: Connection, id: str, **values: object) -> None:
    conn.execute(update(outbox).where(outbox.c.id == id).values(**values))
