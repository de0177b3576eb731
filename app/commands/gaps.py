"""``pantau gaps``: which sensors lost messages before they reached us, by the numbers (``seq``) that they send."""

import json
from typing import Annotated, Any

import typer
from sqlalchemy import Connection, inspect

from app import journal
from app.database import open_engine
from app.sequences import CURSOR
from app.settings import load_settings
from app.wiring import load_city
from ingest.sequence import Numbering
from ingest.store.sequences import load_sequences
from pantau.city import City
from pantau.errors import ConfigError
from pantau.forms import rfc3339

__all__ = ["object_of", "register"]

_TITLES = ("station", "sensor", "missing", "of", "lost", "restarts", "newest gap", "last seq")


def register(cli: typer.Typer) -> None:
    """Add ``gaps``."""
    cli.command(name="gaps")(gaps)


def gaps(
    station: Annotated[str | None, typer.Option(help="only this one: id, name or alias")] = None,
    limit: Annotated[int, typer.Option(help="at most so many, most losses first", min=1)] = 20,
    everything: Annotated[bool, typer.Option("--all", help="also sensors that lost nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
) -> None:
    """Show sensors whose numbered messages did not all arrive, as of the service's last save (once a minute)."""
    settings = load_settings()
    wanted = _station_id(load_city(settings), station) if station else None
    engine = open_engine(settings.database_url, settings.data)
    if not inspect(engine).has_table("sequences"):
        raise ConfigError(
            f"{engine.url!r}: no table of message numbers; has `pantau run` ever used this database?"
        )
    with engine.connect().execution_options(reading=True) as connection:
        sequences, as_of = load_sequences(connection), _as_of(connection)
    counting = [n for n in sequences if wanted in {None, n.station}]
    found = [n for n in counting if everything or n.missing or n.resets]
    found.sort(key=lambda n: (-n.missing, -n.resets, n.station, n.sensor))
    if as_json:
        for numbering in found[:limit]:
            typer.echo(json.dumps(object_of(numbering), ensure_ascii=False))
        return
    _table(found[:limit])
    typer.echo(
        f"{sum(n.missing for n in counting)} messages missing, {sum(n.resets for n in counting)} restarts, "
        f"{len(counting)} sensors number their messages; {as_of}"
    )


def _as_of(connection: Connection) -> str:
    """Until when messages are counted in what the service saved last."""
    waiting = next(journal.read(connection, journal.cursor(connection, CURSOR), 1), None)
    if waiting is None:
        return "all that has come is counted"
    return f"counted up to {rfc3339(waiting[1])}, the service saves once a minute"


def object_of(numbering: Numbering) -> dict[str, Any]:
    """A sensor for ``--json``."""
    gap = numbering.last_gap_at
    return {
        "station": numbering.station,
        "sensor": numbering.sensor,
        "last_seq": numbering.last_seq,
        "received": numbering.received,
        "missing": numbering.missing,
        "resets": numbering.resets,
        "last_gap_at": None if gap is None else rfc3339(gap),
    }


def _station_id(city: City, name: str) -> str:
    try:
        return city.find(name).id
    except LookupError as error:
        raise ConfigError(f"--station: {error}") from None


def _table(found: list[Numbering]) -> None:
    rows = [_row(numbering) for numbering in found]
    widths = [max(len(row[index]) for row in (_TITLES, *rows)) for index in range(len(_TITLES))]
    for row in (_TITLES, *rows) if rows else ():
        cells = [
            cell.ljust(width) if index in {0, 1, 6} else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


def _row(numbering: Numbering) -> tuple[str, ...]:
    sent = numbering.received + numbering.missing
    gap = numbering.last_gap_at
    return (
        numbering.station, numbering.sensor, str(numbering.missing), str(sent), f"{numbering.missing / sent:.1%}",
        str(numbering.resets), "" if gap is None else rfc3339(gap), str(numbering.last_seq),
    )  # fmt: skip
