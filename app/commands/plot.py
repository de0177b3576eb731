"""``pantau plot``: pictures of what an evaluation wrote; needs matplotlib, the extra ``plot``."""

import importlib
import pkgutil

import typer

from app import plots


def register(cli: typer.Typer) -> None:
    """Add the command with one subcommand for each file of ``app/plots``."""
    plot = typer.Typer(
        name="plot", help="Pictures of what `pantau evaluate --out` wrote (SVG, PNG).", no_args_is_help=True
    )
    for info in sorted(pkgutil.iter_modules(plots.__path__), key=lambda module: module.name):
        importlib.import_module(f"{plots.__name__}.{info.name}").register(plot)
    cli.add_typer(plot)
