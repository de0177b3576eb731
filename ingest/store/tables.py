"""Tables of the ingest side: journal, snapshots, latest values, refused messages, embedded readings.

Instants are BIGINT milliseconds since 1970 UTC. The unit of work is opened by ``app``; nothing here opens a connection.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
)

__all__ = [
    "conflicts",
    "cursors",
    "forecasts",
    "format_states",
    "journal",
    "latest",
    "metadata",
    "notes",
    "readings",
    "refused",
    "scores",
    "sequences",
    "slow_states",
    "snapshots",
]

metadata = MetaData()

# SQLite only numbers INTEGER keys by itself; PostgreSQL wants BIGINT.
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

journal = Table(
    "journal",
    metadata,
    Column("pos", _SERIAL, primary_key=True, autoincrement=True),
    Column("now", BigInteger, nullable=False),
    Column("readings", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,  # a position is never used twice, also after rows were removed
)
"""One row a batch: its inputs in the order they were stepped (``app.journal.Row`` as msgpack)."""

snapshots = Table(
    "snapshots",
    metadata,
    Column("key", Text, primary_key=True),
    Column("pos", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""State of a group as of journal position ``pos``."""

slow_states = Table(
    "slow_states",
    metadata,
    Column("station", Text, primary_key=True),
    Column("sensor", Text, primary_key=True),
    Column("detector", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("pos", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""State of a slow-lane detector for one sensor as of journal position ``pos``."""

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("pos", BigInteger, nullable=False),
)
"""How far each reader of the journal has come: ``store``, ``slow``, ``snapshot``, ``sequences``."""

notes = Table(
    "notes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("text", Text, nullable=False),
)
"""What one run leaves for the next, e.g. ``filters``: the MQTT filters it was subscribed to, one a line."""

format_states = Table(
    "format_states",
    metadata,
    Column("name", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""What payload formats know of former messages (``ingest.format.Remembers``), as of the last committed batch."""

latest = Table(
    "latest",
    metadata,
    Column("station", Text, primary_key=True),
    Column("sensor", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("value", Double, nullable=False),
    Column("flag", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("observed_at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("source", Text, nullable=False),
    Column("rate", Double),
    Column("severity", SmallInteger),
    Column("tentative", SmallInteger, nullable=False),
    Column("pos", BigInteger, nullable=False),
    Index("latest_pos", "pos"),
)
"""The newest stepped reading of each sensor. ``severity`` is the confirmed one in force (None without a ladder),
``tentative`` the higher one of a pending jump (else 0), ``rate`` the change per hour, ``pos`` the journal position."""

scores = Table(
    "scores",
    metadata,
    Column("station", Text, primary_key=True),
    Column("sensor", Text, primary_key=True),
    Column("detector", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("score", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("shadow", Boolean, nullable=False),
    Column("pos", BigInteger, nullable=False),
)
"""The newest score of each detector for each sensor, shadow ones too."""

forecasts = Table(
    "forecasts",
    metadata,
    Column("station", Text, primary_key=True),
    Column("issued_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("pos", BigInteger, nullable=False),
)
"""The newest forecast of each station; ``body`` is ``pantau.outlook.Outlook`` as JSON."""

sequences = Table(
    "sequences",
    metadata,
    Column("part", SmallInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""How the devices number their messages (``ingest.sequence``), all sensors of a station in one part; as of the cursor
``sequences``. Not a row a sensor: each of them changes with each message, and rows would cost more than judging it."""

readings = Table(
    "readings",
    metadata,
    Column("station", Text, primary_key=True),
    Column("sensor", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("observed_at", BigInteger, primary_key=True),
    Column("value", Double, nullable=False),
    Column("flag", SmallInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""History of the embedded store; the primary key is a reading's identity."""

refused = Table(
    "refused",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("received_at", BigInteger, nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("retained", Boolean, nullable=False),
    Column("code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("retried_at", BigInteger),
    Index("refused_received_at", "received_at"),
)
"""Messages that gave no reading, with the reason; ``size`` is the whole payload's, ``payload`` may be cut."""

conflicts = Table(
    "conflicts",
    metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("station", Text, nullable=False),
    Column("sensor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("observed_at", BigInteger, nullable=False),
    Column("former", Double, nullable=False),
    Column("value", Double, nullable=False),
    Column("noticed_at", BigInteger, nullable=False),
    Column("pos", BigInteger, nullable=False),
    # Noting the same conflict again (a batch forwarded twice after a crash) changes nothing.
    Index("one_conflict", "observed_at", "station", "sensor", "kind", "former", "value", unique=True),
)
"""Conflicting duplicates: another value for an instant that was already stored; the last one is kept."""
