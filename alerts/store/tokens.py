"""Who may command: operators' tokens, kept only as hashes."""

import secrets
from hashlib import sha256

import msgspec
from sqlalchemy import Connection, insert, select, update

from alerts.store.tables import tokens

__all__ = ["ROLES", "TokenRecord", "add", "listing", "operator_of", "revoke"]

ROLES = frozenset({"operator"})
"""What a token can stand for."""

_PREFIX = "pantau_"
"""So that a scanner for leaked secrets knows one when it sees one."""


class TokenRecord(msgspec.Struct, kw_only=True):
    """A token without its secret; instants in ms."""

    id: str
    name: str
    role: str
    created_at: int
    revoked_at: int | None = None


def add(conn: Connection, name: str, role: str, now: int) -> str:
    """Make a token of 256 random bits; returns its text, which is shown once and cannot be had again.

    Args:
        name: of the operator; stands on the timeline beside what they do.
    """
    token = _PREFIX + secrets.token_urlsafe(32)
    row = {"id": secrets.token_hex(4), "name": name, "role": role, "hash": _hash(token), "created_at": now}
    conn.execute(insert(tokens).values(row))
    return token


def operator_of(conn: Connection, token: str) -> tuple[str, str] | None:
    """(name, role) of a token's bearer, None when it is unknown or revoked.

    Every hash is compared in constant time, so the time taken says nothing about how near a guess was.
    """
    given, found = _hash(token), None
    for row in conn.execute(select(tokens).where(tokens.c.revoked_at.is_(None))):
        if secrets.compare_digest(row.hash, given):
            found = (row.name, row.role)
    return found


def listing(conn: Connection) -> list[TokenRecord]:
    """All tokens, revoked ones too, oldest first."""
    columns = [tokens.c[name] for name in TokenRecord.__struct_fields__]
    query = select(*columns).order_by(tokens.c.created_at, tokens.c.id)
    return [TokenRecord(**row) for row in conn.execute(query).mappings()]


def revoke(conn: Connection, id: str, now: int) -> bool:
    """End a token at once; False when there is no such token in force."""
    mine = (tokens.c.id == id, tokens.c.revoked_at.is_(None))
    return conn.execute(update(tokens).where(*mine).values(revoked_at=now)).rowcount > 0


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
