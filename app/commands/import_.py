"""``pantau import FILE...``: history from CSV and Parquet files, without moving a live value or raising an alert."""

import csv
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from app.backfill import Backfill, Refusal, Tally
from app.database import migrate, open_engine
from app.settings import load_settings
from app.wiring import load_city, open_store
from ingest.history import HistoryReader
from ingest.rows import COLUMNS, Table
from pantau.city import City
from pantau.errors import ConfigError, Unavailable
from pantau.forms import rfc3339

__all__ = ["register"]

_MOST_TOLD = 20
"""Complaints of different wording that are shown; all are counted, and kept with --rejects."""
_PROGRESS_S = 2.0


def register(cli: typer.Typer) -> None:
    """Add ``import``."""
    cli.command(name="import")(bring)


def bring(  # noqa: PLR0913, PLR0917 - one argument an option
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV or Parquet, with a header")],
    station: Annotated[str, typer.Option(help="of rows that name none: id, name or alias")] = "",
    unit: Annotated[str, typer.Option(help="of rows that say none; the kind's own by default")] = "",
    timezone: Annotated[
        str, typer.Option(help="of times without an offset, e.g. Asia/Makassar; refused without this")
    ] = "",
    column: Annotated[
        list[str] | None,
        typer.Option(help="a column of the file and what it is: waktu=observed_at; repeatable"),
    ] = None,
    rejects: Annotated[Path | None, typer.Option(help="keep refused rows in this CSV file")] = None,
    skip_old: Annotated[
        bool, typer.Option(help="leave out what is older than InfluxDB's bucket keeps, instead of stopping")
    ] = False,
    dry_run: Annotated[bool, typer.Option(help="say what would happen; store nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the summary as one JSON object")] = False,
) -> None:
    """Store the history that files hold; exits with 1 when a row was refused.

    Columns: station, observed_at (or time), value; and where there are: sensor, kind, unit, flag, flag_reason. The
    service may run meanwhile. May be repeated: what is stored already is left alone.
    """
    settings = load_settings()
    city = load_city(settings)
    now = settings.clock.now()
    zone = _zone(timezone)
    tables = _tables(files, _renamed(column or []), given=("station",) if station else ())
    if station:
        _checked(city, station)
    engine = open_engine(settings.database_url)
    migrate(engine)
    store = open_store(settings, engine, city)

    def backfill(oldest: int, refused: Callable[[Refusal], None]) -> Backfill:
        reader = HistoryReader(city, now, zone=zone, station=station, unit=unit)
        return Backfill(engine, store, reader, now=now, oldest=oldest, refused=refused, dry_run=dry_run)

    try:
        oldest = store.kept_from()
        if oldest:
            _check_retention(backfill(oldest, lambda _: None), tables, oldest, go_on=skip_old or dry_run)
        with _told(rejects, station) as tell:
            work = backfill(oldest, tell)
            _run(work, tables)
    finally:
        engine.dispose()
    _summary(work.tally, dry_run=dry_run, as_json=as_json)
    held_up = work.tally.too_old and not skip_old
    raise typer.Exit(1 if work.tally.refused or held_up else 0)


def _tables(files: Sequence[Path], renamed: dict[str, str], given: Sequence[str]) -> list[Table]:
    """All files opened, so that a wrong header is told before anything is stored."""
    tables: list[Table] = []
    problems: list[str] = []
    for file in files:
        try:
            table = Table(file, renamed, given)
        except ConfigError as error:
            problems += error.problems
            continue
        tables.append(table)
        if table.ignored:
            typer.echo(f"{file}: columns left aside: {', '.join(table.ignored)}", err=True)
    if problems:
        raise ConfigError(*problems)
    return tables


def _check_retention(work: Backfill, tables: Sequence[Table], oldest: int, *, go_on: bool) -> None:
    """How much of the files the store would not keep, before anything is stored.

    Raises:
        ConfigError: some, and nobody said to leave it out.
    """
    for table in tables:
        for tally in work.check(table.rows()):
            _progress(tally, "checked")
    tally = work.tally
    usable = sum(tally.stations.values())
    said = f"the store keeps what is newer than {rfc3339(oldest)}: {tally.too_old} of {usable} rows are older"
    if tally.too_old and not go_on:
        first = rfc3339(tally.first or 0)
        raise ConfigError(
            f"{said} (the first {first}): raise the bucket's retention, or leave them out with --skip-old"
        )
    typer.echo(said, err=True)


def _run(work: Backfill, tables: Sequence[Table]) -> None:
    for table in tables:
        try:
            for tally in work.take(table.rows()):
                _progress(tally, "rows")
        except (Unavailable, KeyboardInterrupt):
            typer.echo(
                f"stopped after {work.tally.rows} rows; what was stored stays: give the same command again to go on",
                err=True,
            )
            raise


_told_at = time.monotonic()


def _progress(tally: Tally, word: str) -> None:
    global _told_at  # noqa: PLW0603 - one process imports once
    if time.monotonic() - _told_at >= _PROGRESS_S:
        _told_at = time.monotonic()
        typer.echo(f"{tally.rows:,} {word}, {sum(tally.refused.values()):,} refused", err=True)


@contextmanager
def _told(rejects: Path | None, station: str) -> Iterator[Callable[[Refusal], None]]:
    """Tells of refused rows on stderr, each wording once, and keeps all in a file that can be imported again."""
    said: set[str] = set()

    def tell(refusal: Refusal) -> None:
        if refusal.reason in said or len(said) > _MOST_TOLD:
            return
        said.add(refusal.reason)
        if len(said) > _MOST_TOLD:
            typer.echo("more rows are refused for other reasons; --rejects FILE keeps them all", err=True)
        else:
            typer.echo(f"{refusal.row.where}: {refusal.reason}", err=True)

    if rejects is None:
        yield tell
        return
    try:
        file = rejects.open("w", encoding="utf-8", errors="surrogateescape", newline="")
    except OSError as error:
        raise ConfigError(f"--rejects {rejects}: cannot be written ({error.strerror})") from None
    with file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, "where", "code", "reason"])

        def keep(refusal: Refusal) -> None:
            tell(refusal)
            cells = ["" if cell is None else str(cell) for cell in refusal.row.cells]
            cells[0] = cells[0] or station
            writer.writerow([*cells, refusal.row.where, refusal.code, refusal.reason])

        yield keep


def _summary(tally: Tally, *, dry_run: bool, as_json: bool) -> None:
    refused = dict(tally.refused.most_common())
    if as_json:
        found: dict[str, Any] = {
            "dry_run": dry_run, "rows": tally.rows, "new": tally.new, "unchanged": tally.unchanged,
            "replaced": tally.replaced, "superseded": tally.superseded, "without_value": tally.without_value,
            "too_old": tally.too_old, "refused": refused, "stations": len(tally.stations),
            "from": None if tally.first is None else rfc3339(tally.first),
            "to": None if tally.last is None else rfc3339(tally.last),
        }  # fmt: skip
        typer.echo(json.dumps(found))
        return
    span = (
        ""
        if tally.first is None or tally.last is None
        else f", {rfc3339(tally.first)} to {rfc3339(tally.last)}"
    )
    typer.echo(f"{tally.rows} rows of {len(tally.stations)} stations{span}")
    told = {
        "would be new" if dry_run else "new": tally.new,
        "stored already": tally.unchanged,
        "in place of another value (list of conflicts)": tally.replaced,
        "left alone: gave way to another value before": tally.superseded,
        "without a value": tally.without_value,
        "older than the store keeps, left out": tally.too_old,
        "refused": sum(refused.values()),
    }
    for word, number in told.items():
        if number or "new" in word:
            typer.echo(f"{number:>10}  {word}")
    if refused:
        typer.echo(" " * 12 + ", ".join(f"{code} {number}" for code, number in refused.items()))


def _renamed(columns: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in columns:
        theirs, mark, ours = text.rpartition("=")
        if not mark or not theirs or ours not in COLUMNS:
            raise ConfigError(f"--column is {text!r}, expected NAME=one of {', '.join(COLUMNS)}")
        found[theirs.strip()] = ours
    return found


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ValueError, OSError, KeyError):
        raise ConfigError(f"--timezone is {name!r}, expected a name such as Asia/Makassar or UTC") from None


def _checked(city: City, station: str) -> None:
    try:
        city.find(station)
    except LookupError as error:
        raise ConfigError(f"--station: {error}") from None
