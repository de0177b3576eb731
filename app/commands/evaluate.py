"""``pantau evaluate``: how well the models do on data that somebody else gives; baselines stand beside them."""

import typer

from app import evaluations
from app.discover import add_each


def register(cli: typer.Typer) -> None:
    """Add the command with one subcommand for each file of ``app/evaluations``."""
    evaluate = typer.Typer(
        name="evaluate", help="How well the models do on given data, beside baselines.", no_args_is_help=True
    )
    add_each(evaluations, evaluate)
    cli.add_typer(evaluate)
