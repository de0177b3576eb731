"""``pantau evaluate``: how well the models do on data that somebody else gives; baselines stand beside them."""

import importlib
import pkgutil

import typer

from app import evaluations


def register(cli: typer.Typer) -> None:
    """Add the command with one subcommand for each file of ``app/evaluations``."""
    evaluate = typer.Typer(
        name="evaluate", help="How well the models do on given data, beside baselines.", no_args_is_help=True
    )
    for info in sorted(pkgutil.iter_modules(evaluations.__path__), key=lambda module: module.name):
        importlib.import_module(f"{evaluations.__name__}.{info.name}").register(evaluate)
    cli.add_typer(evaluate)
