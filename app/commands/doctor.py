"""``pantau doctor``: one line a finding, with what to do; exit 1 when something is to be done."""

from typing import Annotated

import msgspec
import typer

from app.doctor.examine import CHECKS, examine
from app.doctor.finding import BAD, Context, Finding
from app.settings import load_settings
from app.wiring import load_city
from pantau.errors import ConfigError

__all__ = ["register"]


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(name="doctor")(run)


def run(
    only: Annotated[list[str] | None, typer.Option(help=f"one of {', '.join(CHECKS)}; repeatable")] = None,
    ntp: Annotated[
        str | None, typer.Option(help="host[:port] of a time server to compare the clock with")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object a finding on stdout")] = False,
) -> None:
    """Look at the installation and say what is wrong or will be; changes nothing and stores nothing."""
    try:
        settings = load_settings()
    except ConfigError as error:
        for problem in error.problems:
            _say(Finding("error", problem, check="settings"), as_json=as_json)
        raise typer.Exit(2) from None
    try:
        city = load_city(settings)
    except ConfigError:  # the check `city` tells it in full
        city = None
    worst = 0
    for finding in examine(Context(settings, city, ntp), only or ()):
        _say(finding, as_json=as_json)
        worst = max(worst, finding.status in BAD)
    if worst:
        raise typer.Exit(1)


def _say(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(finding).decode())
    else:
        advice = f" -> {finding.do}" if finding.do else ""
        typer.echo(f"{finding.status:<8} {finding.check:<12} {finding.text}{advice}")
