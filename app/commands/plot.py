"""``pantau plot``: pictures of what an evaluation wrote; needs matplotlib, the extra ``plot``."""

import typer

from app import plots
from app.discover import add_each


def register(cli: typer.Typer) -> None:
    """Add the command with one subcommand for each file of ``app/plots``."""
    plot = typer.Typer(
        name="plot", help="Pictures of what `pantau evaluate --out` wrote (SVG, PNG).", no_args_is_help=True
    )
    add_each(plots, plot)
    cli.add_typer(plot)
