"""``pantau plot reliability``: forecast probabilities against how often they came true."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]


def register(plot: typer.Typer) -> None:
    """Add the subcommand."""
    plot.command(name="reliability")(run)


def run(
    forecasts: Annotated[Path, typer.Argument(help="CSV of `pantau evaluate forecast --out`")],
    out: Annotated[Path, typer.Option(help="picture to write, .svg or .png")],
    limit: Annotated[
        float | None, typer.Option(help="level that was forecast; the file's by default, if it has only one")
    ] = None,
    lead: Annotated[float | None, typer.Option(help="hours; all leads together by default")] = None,
    model: Annotated[str, typer.Option(help="whose forecasts")] = "pantau",
    bins: Annotated[int, typer.Option(help="of equal width", min=2, max=50)] = 10,
) -> None:
    """Draw how often the limit was reached against the probability that was forecast, with 95 % intervals."""
    from app.drawings.reliability import draw

    found = draw(forecasts, out, limit=limit, lead=lead, model=model, bins=bins)
    typer.echo(
        f"{out}: {found.cases} forecasts, {found.true} came true; Brier score {found.score:.4f}, "
        f"of the base rate alone {found.usual:.4f}"
    )
