"""Room on the disks that hold data and database: a full one stops commits, and with them acknowledgements."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.engine import make_url

from app.doctor.finding import Context, Finding

__all__ = ["judged", "look"]

_GIB = 2**30
_LOW_BYTES = 2 * _GIB
_LOW_SHARE = 0.10
_LAST_BYTES = 200 * 2**20
"""Below it SQLite's WAL and a broker's save may not fit any more."""


def look(context: Context) -> Iterator[Finding]:
    """Room below ``PANTAU_DATA`` and beside an SQLite database."""
    folders = {"data": context.settings.data}
    url = make_url(context.settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database:
        folders["database"] = Path(url.database).parent
    for word, folder in folders.items():
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        usage = shutil.disk_usage(there)
        yield judged(f"{word} folder {folder}", usage.free, usage.total)


def judged(what: str, free: int, total: int) -> Finding:
    """What so much room means.

    Args:
        free: bytes that may still be written.
        total: bytes of the whole disk.
    """
    text = f"{what}: {free / _GIB:.1f} GiB free of {total / _GIB:.1f} ({free / total:.0%})"
    if free < _LAST_BYTES:
        return Finding("error", text, "make room now: commits are about to fail")
    if free < _LOW_BYTES or free < _LOW_SHARE * total:
        return Finding("warning", text, "make room: the journal grows while InfluxDB is away")
    return Finding("ok", text)
