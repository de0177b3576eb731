"""The newest forecast of every station: written in the pipeline's transaction, read by pages."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, select

from ingest.store.tables import forecasts
from ingest.store.upsert import upsert
from pantau.outlook import Outlook

__all__ = ["all_forecasts", "forecast_of", "upsert_forecasts"]


def upsert_forecasts(connection: Connection, made: Mapping[str, Outlook], pos: int) -> None:
    """Replace the forecasts of these stations."""
    rows = [
        {"station": station, "issued_at": outlook.issued_at, "body": _text(outlook), "pos": pos}
        for station, outlook in made.items()
    ]
    if rows:
        connection.execute(upsert(connection.dialect.name, forecasts), rows)


def forecast_of(connection: Connection, station: str) -> Outlook | None:
    """The newest forecast of a station, None when none was ever made (or another release wrote it)."""
    body = connection.execute(select(forecasts.c.body).where(forecasts.c.station == station)).scalar()
    return None if body is None else _outlook(body)


def all_forecasts(connection: Connection) -> dict[str, Outlook]:
    """The newest forecast of every station that has one."""
    rows = connection.execute(select(forecasts.c.station, forecasts.c.body).order_by(forecasts.c.station))
    found = {row.station: _outlook(row.body) for row in rows}
    return {station: outlook for station, outlook in found.items() if outlook is not None}


def _text(outlook: Outlook) -> str:
    return msgspec.json.encode(outlook).decode()


def _outlook(body: str) -> Outlook | None:
    try:
        return msgspec.json.decode(body, type=Outlook)
    except msgspec.MsgspecError:
        return None
