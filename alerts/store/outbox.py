"""The outbox: notices in, inside the transaction that made them; leased one by one to workers until they are settled.

States: waiting -> leased -> sent | waiting (again later) | unknown | failed. Notices about one alert to one contact
leave in the order they were made: an all-clear never overtakes its raise. All instants here are real time, since
patience with a receiver has nothing to do with the speed of an exercise; only ``made_at`` and ``sent_at`` are the
service's.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, and_, bindparam, exists, func, or_, select, update
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


# Made once, with instants and channels as parameters: an alias made anew has a copy of every column, in cycles that
# only the garbage collector frees, and that took a tenth of a second at a time.
_WAITS = and_(outbox.c.state == "waiting", outbox.c.due_at <= bindparam("now"))
_RAN_OUT = and_(outbox.c.state == "leased", outbox.c.lease_until < bindparam("now"))
_OF_CHANNEL = outbox.c.channel == bindparam("channel")
_IS_DUE = select(exists().where(_OF_CHANNEL, or_(_WAITS, _RAN_OUT)))
_EXPIRED = select(outbox).where(_RAN_OUT, _OF_CHANNEL).with_for_update(skip_locked=True)
_EARLIER = outbox.alias("earlier")
_OVERTAKES = exists().where(
    _EARLIER.c.alert == outbox.c.alert,
    _EARLIER.c.role == outbox.c.role,
    _EARLIER.c.channel == outbox.c.channel,
    _EARLIER.c.contact == outbox.c.contact,
    _EARLIER.c.n < outbox.c.n,
    _EARLIER.c.state.in_(("waiting", "leased")),
)
_NEXT = (
    select(outbox)
    .where(_WAITS, outbox.c.contact.is_not(None), ~_OVERTAKES, _OF_CHANNEL)
    .order_by(outbox.c.severity.desc(), outbox.c.made_at, outbox.c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True, of=outbox)
)
_TAKE = (
    update(outbox)
    .where(outbox.c.id == bindparam("key"))
    .values(
        state="leased", lease=bindparam("worker"), lease_until=bindparam("until"), attempts=bindparam("tried")
    )
)
_ADD = {
    name: dialect.insert(outbox).on_conflict_do_nothing(index_elements=["id"]).returning(outbox.c.id)
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}
_HURRY = (
    update(outbox)
    .where(
        outbox.c.alert.in_(bindparam("alerts", expanding=True)), outbox.c.state == "waiting", outbox.c.due_at > 0
    )
    .values(due_at=0)
)  # fmt: skip
_SETTLE = (
    update(outbox)
    .where(outbox.c.id == bindparam("key"))
    .values(
        state=bindparam("to"), due_at=bindparam("due"), error=bindparam("why"), sent_at=bindparam("at"),
        lease=None, lease_until=None,
    )
)  # fmt: skip


def put(conn: Connection, items: Sequence[Item]) -> int:
    """Add notices; one whose id is there already is left as it is. Returns how many were new.

    Earlier notices about the same alerts that wait for a retry become due at once: news is a reason to try again, and
    they have to go first.
    """
    if not items:
        return 0
    rows = [msgspec.structs.asdict(item) for item in items]
    # Rows are counted by what comes back: PostgreSQL's driver knows no count for an insert that leaves some out.
    new = len(conn.execute(_ADD["postgresql" if conn.dialect.name == "postgresql" else "sqlite"], rows).all())
    conn.execute(_HURRY, {"alerts": sorted({item.alert for item in items})})
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
    return bool(conn.execute(_IS_DUE, {"channel": channel, "now": now_ms}).scalar())


def lease(conn: Connection, worker: str, now_ms: int, most: int, lease_ms: int, channel: str) -> list[Item]:
    """Claim notices that are due, worst first, and count the attempt; nobody else gets them until the lease ends."""
    until = now_ms + lease_ms
    items = _items(conn, _NEXT, channel=channel, now=now_ms, most=most)
    for item in items:
        item.state, item.lease, item.lease_until = "leased", worker, until
        item.attempts += 1
    if items:
        conn.execute(
            _TAKE,
            [{"key": item.id, "worker": worker, "until": until, "tried": item.attempts} for item in items],
        )
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


def fail(conn: Connection, item: Item, reason: str) -> None:
    """Settle a notice that was never tried."""
    _set(conn, item.id, state="failed", error=reason)


def expire(conn: Connection, now_ms: int, removes_duplicates: Collection[str], channel: str) -> int:
    """Settle a channel's leases that ran out: their worker died, perhaps after handing over, so the outcome is unknown.

    Args:
        removes_duplicates: names of the channels whose receivers do.

    Returns:
        How many there were.
    """
    items = _items(conn, _EXPIRED, channel=channel, now=now_ms)
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


def _items(conn: Connection, query: Select[Any], **parameters: object) -> list[Item]:
    return [Item(**row) for row in conn.execute(query, parameters).mappings()]


def _set(conn: Connection, id: str, **values: object) -> None:
    conn.execute(update(outbox).where(outbox.c.id == id).values(**values))
