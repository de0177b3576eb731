"""``pantau plot hydrograph``: the level of one gauge, its limits, and forecasts as they were issued."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(plot: typer.Typer) -> None:
    """Add the subcommand."""
    plot.command(name="hydrograph")(run)


def run(
    file: Annotated[Path, typer.Argument(help="recording, CSV with time,station,value,unit (UTC)")],
    forecasts: Annotated[Path, typer.Argument(help="CSV of `pantau evaluate forecast --out`")],
    target: Annotated[str, typer.Option(help="station of the recording that was forecast")],
    out: Annotated[Path, typer.Option(help="picture to write, .svg or .png")],
    at: Annotated[
        list[str] | None,
        typer.Option(
            help="issue time, RFC 3339 (without an offset UTC); repeatable; 9, 6 and 3 h before the peak by default"
        ),
    ] = None,
    limits: Annotated[str, typer.Option(help="limits to draw, such as 750,850,950")] = "",
    model: Annotated[str, typer.Option(help="whose forecasts")] = "pantau",
) -> None:
    """Draw a gauge's level, its limits and the forecasts issued at some instants, median and 5 to 95 % band."""
    from app.drawings.hydrograph import draw

    count = draw(file, forecasts, out, target=target, at=at or (), limits=limits, model=model)
    typer.echo(f"{out}: {count} forecasts of {model}")
