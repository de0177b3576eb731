"""``pantau backtest``: what would have been alerted on a recording, how early, and how much of it there is to bear."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.backtest import backtest, object_of
from app.report import tell
from app.settings import Settings, load_settings
from app.wiring import load_detectors
from ingest.decode import all_formats
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError
from pantau.forms import rfc3339
from simulators.recording import read_recording
from simulators.row import Recording

if TYPE_CHECKING:
    from app.backtest_summary import Summary


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(name="backtest")(run)


def run(
    file: Annotated[
        Path, typer.Argument(help="CSV with time,station,value,unit (UTC)", exists=True, dir_okay=False)
    ],
    city: Annotated[Path | None, typer.Option(help="the city's folder; PANTAU_CITY by default")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
    skip_unknown: Annotated[
        bool, typer.Option(help="count rows of unknown stations instead of failing")
    ] = False,
    operators: Annotated[int, typer.Option(min=1, help="who share the alarms, for the load")] = 1,
    summary: Annotated[bool, typer.Option(help="lead times and operator load after the transitions")] = True,
    ladders: Annotated[
        Path | None,
        typer.Option(
            help="changed limits, as ladders.csv: tells what they would have changed", dir_okay=False
        ),
    ] = None,
) -> None:
    """Run the whole pipeline on a recording under a virtual clock; print every transition, lead times and load."""
    settings = load_settings()
    folder = city or settings.city
    the_city = cityfolder.load(folder, formats=all_formats().keys())
    recording = read_recording(file, the_city, skip_unknown=skip_unknown)
    if ladders is not None:
        changed = cityfolder.with_ladders(the_city, folder, ladders)
        _check_reach(recording, the_city, changed, ladders)
        _compare(settings, recording, (the_city, changed), operators, as_json=as_json)
        return
    found = []
    for transition in backtest(recording, the_city, load_detectors(settings)):
        found.append(transition)
        line = object_of(transition, the_city)
        typer.echo(json.dumps(line, ensure_ascii=False) if as_json else _in_words(line))
    if summary:
        from app.backtest_summary import summary_of

        _tell(summary_of(found, recording, the_city, operators), as_json=as_json)


def _in_words(line: dict[str, Any]) -> str:
    return (
        f"{line['at']}  {line['name']:<28} {line['hazard']}/{line['cause']:<8} {line['transition']:<10}"
        f" severity {line['severity']}"
        + ("" if line["value"] is None else f"  value {line['value']:g}")
        + ("" if line["confirmed"] else "  (unconfirmed)")
    )


def _tell(summary: "Summary", *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(summary.told(), ensure_ascii=False))
        return
    for heading, rows in summary.tables():
        typer.echo(f"\n{heading}")
        if rows:
            tell(rows, as_json=False)
        else:
            typer.echo("none")


def _check_reach(recording: Recording, city: City, changed: City, path: Path) -> None:
    """Limits that are not in force in the recording's time would take the present ones away and try nothing.

    Raises:
        ConfigError: none of a station's rows is in force at any reading.
    """
    for station, dated in changed.ladders.items():
        if dated is city.ladders.get(station):
            continue
        if not any(one.valid_from <= recording.end and recording.start < one.valid_to for one in dated):
            raise ConfigError(
                f"{path}: no limits of {station!r} are in force between {rfc3339(recording.start)} and "
                f"{rfc3339(recording.end)}; leave valid_from and valid_to blank to try them on this recording"
            )
        if station not in recording.stations():
            typer.echo(f"note: {path} names {station!r}, which the recording does not have", err=True)


def _compare(
    settings: Settings, recording: Recording, cities: tuple[City, City], operators: int, *, as_json: bool
) -> None:
    """Both runs, what differs, and both summaries."""
    from app.backtest_summary import differences, summary_of

    now, trial = (
        summary_of(backtest(recording, city, load_detectors(settings)), recording, city, operators)
        for city in cities
    )
    rows = differences(now.lives, trial.lives, cities[0])
    if as_json:
        tell(rows, as_json=True)
        both = {"type": "comparison", "now": now.told(), "trial": trial.told()}
        typer.echo(json.dumps(both, ensure_ascii=False))
        return
    typer.echo("Alerts that differ" if rows else "No alert differs")
    tell(rows, as_json=False)
    for word, summary in (("now", now), ("with the changed limits", trial)):
        typer.echo(f"\n--- {word} ---")
        _tell(summary, as_json=False)
