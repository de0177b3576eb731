"""``pantau replay``: a recording or a published flood goes to the broker again, at any speed."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.playback import Playback, pace_of, tell
from app.settings import load_settings
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError
from pantau.forms import rfc3339
from simulators.flood_event import event_names, read_event
from simulators.instant import local_instant
from simulators.recording import read_recording
from simulators.row import Recording

__all__ = ["register"]


def register(cli: typer.Typer) -> None:
    """Add ``replay``."""
    cli.command(name="replay")(replay)


def replay(  # noqa: PLR0913, PLR0917 - one argument an option
    recording: Annotated[
        str, typer.Argument(metavar="FILE|EVENT", help="CSV time,station,value,unit, or a flood of the city")
    ],
    city: Annotated[Path | None, typer.Option(help="the city's folder; PANTAU_CITY by default")] = None,
    speed: Annotated[float | None, typer.Option(help="simulated seconds per second; 1 by default")] = None,
    start: Annotated[str | None, typer.Option(help="begin later: local time 22:00 or RFC 3339")] = None,
    skip_unknown: Annotated[
        bool, typer.Option(help="count rows of unknown stations instead of failing")
    ] = False,
    as_if_now: Annotated[bool, typer.Option(help="shift all times so that it begins now")] = False,
    faults: Annotated[str, typer.Option(help="e.g. drop:p=0.02,freeze:station=X;for=2h")] = "",
    seed: Annotated[int, typer.Option(help="of the faults")] = 0,
    truth: Annotated[Path | None, typer.Option(help="write what the faults injected to this file")] = None,
    outbox: Annotated[
        Path | None, typer.Option(help="file that keeps messages until the broker has them")
    ] = None,
    compare: Annotated[bool, typer.Option(help="list printed Siaga words that differ; send nothing")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="the summary as one JSON object")] = False,
) -> None:
    """Publish a recording or a published flood to PANTAU_MQTT_URL.

    With PANTAU_CLOCK=start,speed,anchor (the same for the service) it runs on that simulated time. Without it, readings
    bear the recording's own times, so a service on real time stores them but takes them for late; --as-if-now shifts
    them to begin now.
    """
    settings = load_settings()
    folder = city or settings.city
    the_city = cityfolder.load(folder)
    found = _read(recording, folder, the_city, start=start, skip_unknown=skip_unknown)
    summary = _described(found, the_city)
    if compare:
        tell(summary, as_json=as_json)
        _tell_differences(found, the_city, as_json=as_json)
        return
    if not found.rows:
        raise ConfigError(f"{recording}: no row is left to send")
    pace = pace_of(settings, found.start, speed=speed, as_if_now=as_if_now)
    if not as_json:
        typer.echo(f"{found.name}: {len(found.rows)} rows, {summary['from']} to {summary['to']}", err=True)
    playback = Playback(
        settings=settings, city=the_city, faults=faults, seed=seed, outbox=outbox, truth=truth
    )
    tell(summary | playback.send(found.rows, found.start, pace), as_json=as_json)


def _read(name: str, folder: Path, city: City, *, start: str | None, skip_unknown: bool) -> Recording:
    path = Path(name)
    if not path.is_file():
        if path.suffix == ".csv":
            raise ConfigError(f"{name}: there is no such file")
        if not event_names(folder):
            raise ConfigError(
                f"{name}: is no file, and {folder} has no published floods (events/readings.csv)"
            )
        return read_event(folder, city, name, start=start, skip_unknown=skip_unknown)
    recording = read_recording(path, city, skip_unknown=skip_unknown)
    if start is not None:
        try:
            begin = local_instant(start, city, recording.start)
        except ValueError as error:
            raise ConfigError(f"--start: {error}") from None
        recording.rows = [row for row in recording.rows if row.at >= begin]
    return recording


def _described(recording: Recording, city: City) -> dict[str, Any]:
    words = recording.compared(city)
    return {
        "recording": recording.name,
        "rows": len(recording.rows),
        "interpolated": sum(row.interpolated for row in recording.rows),
        "stations": len(recording.stations()),
        "from": rfc3339(recording.start),
        "to": rfc3339(recording.end),
        "unknown_stations": recording.unknown,
        "without_hour": recording.untimed,
        "without_value": recording.without_value,
        "printed_siaga": {"agree": words.agree, "disagree": words.disagree, "on_limit": words.on_limit},
    }


def _tell_differences(recording: Recording, city: City, *, as_json: bool) -> None:
    for row, ours in recording.compared(city).rows:
        if as_json:
            line = {"at": rfc3339(row.at), "station": row.station, "value": row.value}
            line |= {"printed_siaga": row.printed_siaga, "siaga": ours, "source": row.source}
            typer.echo(json.dumps(line, ensure_ascii=False))
        else:
            name = city.stations[row.station].name
            typer.echo(
                f"{rfc3339(row.at)}  {name:<28} {row.value:g}: printed Siaga {row.printed_siaga}, by the limits {ours}"
                f"  ({row.source})"
            )
