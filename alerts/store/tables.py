"""Tables of the alerts side: alerts, their transitions, the outbox, commands, tokens, contacts.

Instants are BIGINT milliseconds since 1970 UTC. The unit of work is opened by ``app``; nothing here opens a connection.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)

__all__ = ["alerts", "commands", "contacts", "metadata", "out_of_service", "outbox", "tokens", "transitions"]

metadata = MetaData()

_SERIAL = BigInteger().with_variant(Integer, "sqlite")

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hazard", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("station", Text, nullable=False),
    Column("areas", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("confirmed_severity", SmallInteger, nullable=False),
    Column("worst", SmallInteger, nullable=False),
    Column("forecast", Boolean, nullable=False),
    Column("value", Double),
    Column("raised_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("acknowledged_at", BigInteger),
    Column("closed_at", BigInteger),
    Column("due_at", BigInteger),
    Column("n", Integer, nullable=False),
    Column("pos", BigInteger, nullable=False),
    Index("one_open_alert", "scope", "hazard", "cause", unique=True,
          sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL")),
    Index("alerts_raised_at", "raised_at"),
    Index("alerts_pos", "pos"),
)  # fmt: skip
"""One row an alert as of its last transition. ``areas`` is a JSON list of codes, ``due_at`` its next timer."""

transitions = Table(
    "transitions",
    metadata,
    Column("alert", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("now", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("value", Double),
    Column("sensor", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("pos", BigInteger, nullable=False),
)
"""The timeline; ``why`` is JSON."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("alert", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("contact", BigInteger),
    Column("severity", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("lease", Text),
    Column("lease_until", BigInteger),
    Column("sent_at", BigInteger),
    Column("error", Text),
    Index("outbox_due", "state", "due_at"),
    # Who must go first is asked for every waiting row: without it 5,000 of them hold the database for 15 s.
    Index("outbox_of_alert", "alert", "role", "channel", "contact", "n", "state"),
)
"""One row a notice: ``id`` is its Notice-Id (deterministic), ``body`` the JSON that the channel gets, ``state`` one of
waiting, leased, sent, unknown, failed. ``contact`` is empty until the sender has found who is behind the role; several
contacts get a row each. ``severity`` is the worse of before and after. ``due_at`` and ``lease_until`` are real
(unscaled) time."""

out_of_service = Table(
    "out_of_service",
    metadata,
    Column("station", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("pos", BigInteger, nullable=False),
)
"""Stations under repair: shown as such, and no alert of theirs is told."""

commands = Table(
    "commands",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("made_at", BigInteger, nullable=False),
    Column("verb", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("applied_at", BigInteger),
    Column("ok", Boolean),
    Column("answer", Text),
    Index("commands_applied_at", "applied_at"),
)
"""What operators asked for; the pipeline applies it and answers in the row. ``body`` is JSON."""

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)
"""Who may command. The token itself is shown once and kept only as a SHA-256 hash (it is 256 random bits)."""

contacts = Table(
    "contacts",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("role", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("secret", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)
"""Where a role of ``recipients.csv`` is reached: a webhook's URL and signing secret, an Apprise URL, an MQTT topic."""
