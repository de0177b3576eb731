"""Keeps alerts and their timeline: transitions of a batch in, inside the pipeline's transaction; records out."""

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, and_, bindparam, func, insert, or_, select, update

from alerts.news import Change
from alerts.store.tables import alerts, transitions
from pantau.city import City
from pantau.event import Transition
from pantau.record import AlertRecord, TransitionRecord

__all__ = ["alert", "apply", "changed_since", "listing", "newest_pos", "open_alerts", "timeline"]

_CHUNK = 500
"""Ids in one query; SQLite and PostgreSQL both have limits far above."""

# Made once: to make a statement and its cache key costs more than the database takes to run it.
_SOME = select(alerts).where(alerts.c.id.in_(bindparam("ids", expanding=True)))
_KEEP = insert(alerts)
_TELL = insert(transitions)
_NAMES = [column.name for column in alerts.c if column.name != "id"]
_CHANGE = (
    update(alerts).where(alerts.c.id == bindparam("key")).values({name: bindparam(name) for name in _NAMES})
)
_COLUMNS = [name for name in transitions.c.keys() if name not in {"why", "pos"}]  # noqa: SIM118 - columns, not a dict


def apply(conn: Connection, made: Sequence[Transition], city: City, pos: int) -> list[Change]:
    """Keep the transitions of a batch.

    Args:
        made: in the order they were made; n goes up within an alert.
        pos: journal position of the batch, the change number of every alert it touched.

    Returns:
        One change a transition, in the same order.

    Raises:
        IntegrityError: a transition (alert, n) is there already, or a second alert of the same scope, hazard and
            cause is open: the batch was committed before, or the machine is broken.
    """
    if not made:
        return []
    stored = {record.id: record for record in _by_id(conn, {transition.alert for transition in made})}
    now = dict(stored)
    changes = []
    for transition in made:
        before = now.get(transition.alert)
        after = now[transition.alert] = _after(before, transition, city, pos)
        if before is None:
            changes.append(Change(transition, after))
        else:
            changes.append(Change(transition, after, before.confirmed_severity, before.state))
    conn.execute(_TELL, [_transition_row(transition, pos) for transition in made])
    _write(conn, [r for r in now.values() if r.id in stored], [r for r in now.values() if r.id not in stored])
    return changes


def alert(conn: Connection, id: str) -> AlertRecord | None:
    """One alert, None when there is none."""
    row = conn.execute(select(alerts).where(alerts.c.id == id)).mappings().one_or_none()
    return None if row is None else _record(row)


def timeline(conn: Connection, id: str) -> list[TransitionRecord]:
    """All transitions of an alert, oldest first."""
    rows = conn.execute(
        select(transitions).where(transitions.c.alert == id).order_by(transitions.c.n)
    ).mappings()
    return [TransitionRecord(**{**row, "why": msgspec.json.decode(row["why"])}) for row in rows]


def listing(
    conn: Connection,
    *,
    state: str = "active",
    hazard: str | None = None,
    area: str | None = None,
    since: int | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> tuple[list[AlertRecord], str | None]:
    """A page of alerts, newest first by (raised_at, id).

    Args:
        state: ``active`` (not closed) or ``all``.
        area: code; matches the areas warned and the scope.
        since: only what changed at or after this instant, ms.
        cursor: what the page before returned.

    Returns:
        The records, and the cursor of the next page or None.

    Raises:
        ValueError: state or cursor is none of ours.
    """
    if state not in {"active", "all"}:
        raise ValueError(f"state must be active or all, got {state!r}")
    query = select(alerts).order_by(alerts.c.raised_at.desc(), alerts.c.id.desc()).limit(limit + 1)
    if state == "active":
        query = query.where(alerts.c.closed_at.is_(None))
    if hazard is not None:
        query = query.where(alerts.c.hazard == hazard)
    if area is not None:
        query = query.where(
            or_(alerts.c.scope == area, alerts.c.areas.contains(f'"{area}"', autoescape=True))
        )
    if since is not None:
        query = query.where(alerts.c.changed_at >= since)
    if cursor is not None:
        raised_at, last = _read_cursor(cursor)
        older = alerts.c.raised_at < raised_at
        query = query.where(or_(older, and_(alerts.c.raised_at == raised_at, alerts.c.id < last)))
    records = [_record(row) for row in conn.execute(query).mappings()]
    more = len(records) > limit
    return records[:limit], _cursor(records[limit - 1]) if more else None


def changed_since(conn: Connection, pos: int) -> list[AlertRecord]:
    """Alerts touched after a journal position, in the order of their change number."""
    rows = conn.execute(
        select(alerts).where(alerts.c.pos > pos).order_by(alerts.c.pos, alerts.c.id)
    ).mappings()
    return [_record(row) for row in rows]


def open_alerts(conn: Connection) -> list[AlertRecord]:
    """Every alert that is not closed, oldest first."""
    query = select(alerts).where(alerts.c.closed_at.is_(None)).order_by(alerts.c.raised_at, alerts.c.id)
    return [_record(row) for row in conn.execute(query).mappings()]


def newest_pos(conn: Connection) -> int:
    """Highest change number of any alert, 0 when there is none."""
    return conn.execute(select(func.max(alerts.c.pos))).scalar() or 0


def _after(before: AlertRecord | None, transition: Transition, city: City, pos: int) -> AlertRecord:
    """The record after a transition."""
    confirmed = transition.confirmed_severity
    ended = transition.severity == 0
    record = AlertRecord(
        id=transition.alert, hazard=transition.hazard, cause=transition.cause, scope=transition.scope,
        station=transition.station, areas=_areas(transition, city) if before is None else before.areas,
        state=transition.state, severity=transition.severity, confirmed=transition.confirmed,
        confirmed_severity=confirmed, worst=max(before.worst if before else 0, confirmed),
        forecast=transition.forecast, value=transition.value,
        raised_at=before.raised_at if before else transition.opened_at or transition.at,
        changed_at=transition.at, n=transition.n, pos=pos,
    )  # fmt: skip
    if before is not None:
        if record.value is None:
            record.value = before.value
        record.acknowledged_at = before.acknowledged_at
        record.closed_at, record.due_at = before.closed_at, before.due_at
    if transition.what == "acknowledged":
        record.acknowledged_at = transition.at
    elif record.state == "unacknowledged":
        record.acknowledged_at = None  # worse than what was acknowledged: somebody has to look again
    if ended and record.closed_at is None:
        record.closed_at = transition.at
    return record


def _areas(transition: Transition, city: City) -> tuple[str, ...]:
    """Areas that a station warns, else the one it stands in; an area's own alert warns that area."""
    warned = city.warns.get(transition.station)
    if warned:
        return tuple(warned)
    station = city.stations.get(transition.station)
    own = station.area if station else transition.scope
    return (own,) if own in city.areas else ()


def _by_id(conn: Connection, ids: Iterable[str]) -> list[AlertRecord]:
    wanted, found = sorted(ids), []
    for start in range(0, len(wanted), _CHUNK):
        some = {"ids": wanted[start : start + _CHUNK]}
        found += [_record(row) for row in conn.execute(_SOME, some).mappings()]
    return found


def _write(conn: Connection, known: list[AlertRecord], fresh: list[AlertRecord]) -> None:
    """Known alerts first: one of them may close and so make room for a fresh one of the same key."""
    if known:
        conn.execute(_CHANGE, [{**_row(record), "key": record.id} for record in known])
    if fresh:
        conn.execute(_KEEP, [_row(record) for record in fresh])


def _row(record: AlertRecord) -> dict[str, Any]:
    return {**msgspec.structs.asdict(record), "areas": msgspec.json.encode(record.areas).decode()}


def _record(row: RowMapping) -> AlertRecord:
    return AlertRecord(**{**row, "areas": tuple(msgspec.json.decode(row["areas"]))})


def _transition_row(transition: Transition, pos: int) -> dict[str, Any]:
    row = {name: getattr(transition, name) for name in _COLUMNS}
    return row | {"why": msgspec.json.encode(transition.why).decode(), "pos": pos}


def _cursor(record: AlertRecord) -> str:
    return base64.urlsafe_b64encode(f"{record.raised_at}:{record.id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        raised_at, _, last = text.partition(":")
        return int(raised_at), last
    except (binascii.Error, ValueError):
        raise ValueError(f"cursor {cursor!r} is none of ours: leave it out for the first page") from None
