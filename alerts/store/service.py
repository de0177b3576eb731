"""Stations under repair, as the pages show them; the alert machine keeps its own mark in its state."""

from sqlalchemy import Connection, delete, insert, select

from alerts.store.tables import out_of_service

__all__ = ["put_back", "take_out", "under_repair"]


def take_out(conn: Connection, station: str, *, since: int, by: str, note: str, pos: int) -> None:
    """Mark a station as out of service from ``since`` (ms); a new note replaces an old one."""
    put_back(conn, station)
    row = {"station": station, "since": since, "by": by, "note": note, "pos": pos}
    conn.execute(insert(out_of_service).values(row))


def put_back(conn: Connection, station: str) -> None:
    """Mark a station as in service."""
    conn.execute(delete(out_of_service).where(out_of_service.c.station == station))


def under_repair(conn: Connection) -> dict[str, str]:
    """Stations out of service with the operator's note."""
    return {row.station: row.note for row in conn.execute(select(out_of_service))}
