"""``pantau backtest``: what would have been alerted on a recording."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.backtest import backtest, object_of
from app.settings import load_settings
from app.wiring import load_detectors
from ingest.decode import all_formats
from pantau import cityfolder
from simulators.recording import read_recording


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
) -> None:
    """Run the whole pipeline on a recording under a virtual clock and print every transition."""
    settings = load_settings()
    the_city = cityfolder.load(city or settings.city, formats=all_formats().keys())
    recording = read_recording(file, the_city, skip_unknown=skip_unknown)
    for transition in backtest(recording, the_city, load_detectors(settings)):
        line = object_of(transition, the_city)
        if as_json:
            typer.echo(json.dumps(line, ensure_ascii=False))
        else:
            typer.echo(
                f"{line['at']}  {line['name']:<28} {line['hazard']}/{line['cause']:<8} {line['transition']:<10}"
                f" severity {line['severity']}"
                + ("" if line["value"] is None else f"  value {line['value']:g}")
                + ("" if line["confirmed"] else "  (unconfirmed)")
            )
