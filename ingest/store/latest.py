"""The newest reading and the newest scores of every sensor: written in the pipeline's transaction, read by pages."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from ingest.store.tables import latest, scores
from ingest.store.upsert import upsert
from pantau.record import LatestRecord, ScoreRecord

__all__ = ["latest_since", "scores_since", "upsert_latest", "upsert_scores"]


def upsert_latest(connection: Connection, records: Sequence[LatestRecord]) -> None:
    """Replace the latest values of these sensors; of several for one sensor the last one counts."""
    rows = {(record.station, record.sensor): msgspec.structs.asdict(record) for record in records}
    if rows:
        connection.execute(upsert(connection.dialect.name, latest), list(rows.values()))


def upsert_scores(connection: Connection, records: Sequence[ScoreRecord]) -> None:
    """Replace the newest scores of these sensors and detectors; of several for one the last one counts."""
    rows = {(r.station, r.sensor, r.detector): msgspec.structs.asdict(r) for r in records}
    if rows:
        connection.execute(upsert(connection.dialect.name, scores), list(rows.values()))


def latest_since(connection: Connection, pos: int) -> list[LatestRecord]:
    """Latest values that changed after journal position ``pos`` (-1: all), in the order of change."""
    query = select(latest).where(latest.c.pos > pos).order_by(latest.c.pos, latest.c.station, latest.c.sensor)
    return [LatestRecord(**row) for row in connection.execute(query).mappings()]


def scores_since(connection: Connection, pos: int) -> list[ScoreRecord]:
    """Scores that changed after journal position ``pos`` (-1: all), in the order of change."""
    query = select(scores).where(scores.c.pos > pos).order_by(scores.c.pos, scores.c.station, scores.c.sensor)
    return [ScoreRecord(**row) for row in connection.execute(query).mappings()]
