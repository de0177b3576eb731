"""``pantau``: collects the commands of ``app/commands``; exit codes 0 done, 1 a finding, 2 usage or configuration."""

import sys

import typer

from app import commands
from app.discover import add_each
from app.log import configure_logs
from pantau.errors import PantauError

__all__ = ["main", "make_cli"]


def make_cli() -> typer.Typer:
    """The command line with every command found."""
    cli = typer.Typer(
        name="pantau",
        help="Flood and crowd-density alerts from gauges and cameras over MQTT.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    add_each(commands, cli)
    return cli


def main() -> None:
    """Entry point: deliberate errors are told in words, everything else is a bug and shows its trace."""
    configure_logs()
    try:
        make_cli()()
    except PantauError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(2) from None
