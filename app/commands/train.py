"""``pantau train``: learns what is ordinary from a recording or from the store; keeps it as an artifact."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.settings import Settings, load_settings
from ingest.decode import all_formats
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError
from pantau.ports import ReadingStore
from pantau.reading import MAIN, Flag, Reading
from pantau.station import Station

if TYPE_CHECKING:
    from models.artifact import Card

__all__ = ["register"]

History = dict[str, dict[str, tuple[list[int], list[float]]]]
"""Kind -> sensor -> (instants in ms, values)."""

_END_OF_TIME = 1 << 53
_PAGE = 100_000


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(name="train")(run)


def run(
    file: Annotated[
        Path | None, typer.Argument(help="CSV with time,station,value,unit (UTC)", dir_okay=False)
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="learn from the kept readings instead of a file")
    ] = False,
    city: Annotated[Path | None, typer.Option(help="the city's folder; PANTAU_CITY by default")] = None,
    kind: Annotated[str, typer.Option(help="only this kind; all that occur by default")] = "",
    out: Annotated[
        Path | None, typer.Option(help="where artifacts lie; PANTAU_DATA/models by default")
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="make the new version the live one")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
) -> None:
    """Train the forest of each kind; the first version of a kind becomes the live one, later ones with --promote."""
    if (file is None) != store:
        raise typer.BadParameter("give either a FILE or --store")
    settings = load_settings()
    the_city = cityfolder.load(city or settings.city, formats=all_formats().keys())
    if kind and kind not in the_city.kinds:
        raise ConfigError(f"--kind {kind!r} is no kind; known are {', '.join(sorted(the_city.kinds))}")
    history = _from_store(settings, the_city) if file is None else _from_file(file, the_city)
    chosen = {name: found for name, found in sorted(history.items()) if kind in {"", name}}
    if not chosen:
        raise ConfigError(f"there are no readings{f' of kind {kind!r}' if kind else ''} to learn from")
    for name, found in chosen.items():
        card, folder, live = _train(name, found, out or settings.data / "models", promote=promote)
        _print(card, folder, live=live, as_json=as_json)


def _train(
    kind: str, found: dict[str, tuple[list[int], list[float]]], folder: Path, *, promote: bool
) -> "tuple[Card, Path, bool]":
    """Train, save and, where asked or where there is none yet, promote; tells whether the version is live."""
    from models import artifact
    from models.train import series_of, train

    made = train(kind, {sensor: series_of(*series) for sensor, series in found.items()})
    path = artifact.save(made, folder)
    if promote or artifact.current(folder, kind) is None:
        artifact.promote(folder, kind, made.card.version)
    return made.card, path, artifact.current(folder, kind) == made.card.version


def _from_file(file: Path, city: City) -> History:
    from simulators.recording import read_recording

    history: History = {}
    for row in read_recording(file, city).rows:
        times, values = history.setdefault(row.kind, {}).setdefault(_name(row.station, row.sensor), ([], []))
        times.append(row.at)
        values.append(row.value)
    return history


def _from_store(settings: Settings, city: City) -> History:
    """Everything kept of the city's stations, but what quality control refused (FAIL)."""
    from app.database import migrate, open_engine
    from app.wiring import open_store

    engine = open_engine(settings.database_url, settings.data)
    migrate(engine)
    kept = open_store(settings, engine, city)
    history: History = {}
    for station in city.stations.values():
        for reading in _all_of(kept, station):
            if reading.flag != Flag.FAIL:
                sensors = history.setdefault(station.kind, {})
                times, values = sensors.setdefault(_name(station.id, reading.sensor), ([], []))
                times.append(reading.observed_at)
                values.append(reading.value)
    return history


def _all_of(kept: ReadingStore, station: Station) -> Iterator[Reading]:
    """Page by page; the instant on which a page ends comes twice, which ``series_of`` removes."""
    start, full = 0, True
    while full:
        page = kept.read(station.id, station.kind, start=start, end=_END_OF_TIME, limit=_PAGE)
        yield from page
        full = len(page) == _PAGE
        start = page[-1].observed_at if page else start


def _name(station: str, sensor: str) -> str:
    return station if sensor == MAIN else f"{station}/{sensor}"


def _print(card: "Card", folder: Path, *, live: bool, as_json: bool) -> None:
    shown: dict[str, Any] = {
        "kind": card.kind, "version": card.version, "folder": str(folder), "live": live,
        "readings": sum(card.stations.values()), "sensors": len(card.stations), "metrics": card.metrics,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(shown))
        return
    above = card.metrics.get("share_above_half")
    typer.echo(
        f"{card.kind} {card.version}: {shown['readings']} readings of {shown['sensors']} sensors"
        + (f", {above:.2%} of the held-back readings score 0.5 or more" if above is not None else "")
        + f"; {folder}"
        + ("; live from the next start" if live else "; not live, promote it with --promote")
    )
