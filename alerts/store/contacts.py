"""Where the roles of ``recipients.csv`` are reached: addresses live here and never in git."""

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, insert, select, update

from alerts.channel import Address
from alerts.store.tables import contacts

__all__ = ["ContactRecord", "add", "addresses", "behind", "listing", "revoke"]


class ContactRecord(msgspec.Struct, kw_only=True):
    """A contact without its secret; instants in ms."""

    id: int
    role: str
    channel: str
    name: str
    address: str
    created_at: int
    revoked_at: int | None = None


def add(
    conn: Connection, role: str, channel: str, address: str, now: int, *, name: str = "", secret: str = ""
) -> int:
    """Keep a contact; returns its id.

    Args:
        secret: what a webhook's notices are signed with.
    """
    values = {"role": role, "channel": channel, "name": name, "address": address, "secret": secret or None}
    row = insert(contacts).values(**values, created_at=now).returning(contacts.c.id)
    made: int = conn.execute(row).scalar_one()
    return made


def behind(conn: Connection, role: str, channel: str) -> list[int]:
    """Ids of the contacts in force for a role over a channel, oldest first."""
    mine = (contacts.c.role == role, contacts.c.channel == channel, contacts.c.revoked_at.is_(None))
    return list(conn.execute(select(contacts.c.id).where(*mine).order_by(contacts.c.id)).scalars())


def addresses(conn: Connection, ids: Collection[int]) -> dict[int, Address]:
    """Addresses of the contacts that are still in force."""
    query = select(contacts).where(contacts.c.id.in_(ids), contacts.c.revoked_at.is_(None))
    return {row.id: Address(row.name, row.address, row.secret or "") for row in conn.execute(query)}


def listing(conn: Connection) -> list[ContactRecord]:
    """All contacts, revoked ones too, oldest first."""
    columns = [contacts.c[name] for name in ContactRecord.__struct_fields__]
    return [ContactRecord(**row) for row in conn.execute(select(*columns).order_by(contacts.c.id)).mappings()]


def revoke(conn: Connection, id: int, now: int) -> bool:
    """Send nothing to a contact any more; False when there is no such contact in force."""
    mine = (contacts.c.id == id, contacts.c.revoked_at.is_(None))
    return conn.execute(update(contacts).where(*mine).values(revoked_at=now)).rowcount > 0
