"""``pantau plot scores``: a series and a model's score of it, one below the other."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(plot: typer.Typer) -> None:
    """Add the subcommand."""
    plot.command(name="scores")(run)


def run(  # noqa: PLR0913 - each is an option of the command
    file: Annotated[Path, typer.Argument(help="CSV of `pantau evaluate nab --out` or `... crowd --out`")],
    *,
    out: Annotated[Path, typer.Option(help="picture to write, .svg or .png")],
    series: Annotated[
        str, typer.Option(help="file (nab) or station (crowd) to draw; needed where there are several")
    ] = "",
    model: Annotated[str, typer.Option(help="whose score")] = "pantau",
    windows: Annotated[
        Path | None, typer.Option(help="labels/combined_windows.json of the benchmark, to shade its windows")
    ] = None,
    injected: Annotated[str, typer.Option(help="kind of surge to draw (crowd); all by default")] = "",
    threshold: Annotated[float | None, typer.Option(help="score to draw a line at")] = None,
    period: Annotated[
        str, typer.Option(help="from/to, such as 2014-02-01T00:00:00Z/2014-02-08T00:00:00Z")
    ] = "",
) -> None:
    """Draw the values of a series and a model's score below them."""
    from app.drawings.scores import Wanted, draw

    wanted = Wanted(series, model, windows, injected, threshold, period)
    scores, shaded = draw(file, out, wanted)
    typer.echo(f"{out}: {scores} scores of {model}, {shaded} stretches shaded")
