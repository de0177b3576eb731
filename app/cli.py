"""``pantau``: collects the commands of ``app/commands``; exit codes 0 done, 1 a finding, 2 usage or configuration."""

import gc
import sys

import typer

from app import commands
from app.discover import add_each
from app.log import configure_logs
from pantau.errors import PantauError

__all__ = ["main", "make_cli"]


def make_cli(wanted: str = "") -> typer.Typer:
    """The command line with every command found.

    Args:
        wanted: a command that is to be run: the others are left out, for a restart must not wait for their imports.
    """
    cli = typer.Typer(
        name="pantau",
        help="Flood and crowd-density alerts from gauges and cameras over MQTT.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    cli.callback()(_nothing_before_a_command)
    add_each(commands, cli, wanted)
    return cli


def _nothing_before_a_command() -> None:
    # With it a command line of one command keeps its command's name.
    pass


def main() -> None:
    """Entry point: deliberate errors are told in words, everything else is a bug and shows its trace."""
    configure_logs()
    gc.disable()  # modules stay: looking through them again and again would take a third of the time
    cli = make_cli(sys.argv[1] if len(sys.argv) > 1 else "")
    gc.freeze()
    gc.enable()
    try:
        cli()
    except PantauError as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        raise SystemExit(2) from None
