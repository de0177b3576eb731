"""``pantau token add|list|revoke``: who may command."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from sqlalchemy import Connection

from alerts.store import tokens
from app.database import migrate, open_engine, unit_of_work
from app.settings import load_settings
from pantau.errors import ConfigError
from pantau.forms import rfc3339

__all__ = ["register"]

_AsJson = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Operators' tokens for the API.", no_args_is_help=True)
    group.command(name="add")(add)
    group.command(name="list")(show)
    group.command(name="revoke")(revoke)
    cli.add_typer(group, name="token")


def add(
    name: Annotated[str, typer.Argument(help="of the operator; stands on the timeline beside what they do")],
    role: Annotated[str, typer.Option(help=f"one of {', '.join(sorted(tokens.ROLES))}")] = "operator",
) -> None:
    """Make a token and print it, once: only its hash is kept."""
    if role not in tokens.ROLES:
        raise ConfigError(f"role {role!r} is not known: expected one of {', '.join(sorted(tokens.ROLES))}")
    if not name.strip():
        raise ConfigError("a token needs the name of its operator")
    with _database() as (connection, now):
        typer.echo(tokens.add(connection, name.strip(), role, now))
    typer.echo("Keep it: it is not shown again. Use it as `Authorization: Bearer <token>`.", err=True)


def show(as_json: _AsJson = False) -> None:
    """List tokens, without their secrets, oldest first."""
    with _database() as (connection, _):
        found = tokens.listing(connection)
    for token in found:
        if as_json:
            typer.echo(json.dumps(msgspec.structs.asdict(token), ensure_ascii=False))
        else:
            end = f"  revoked {rfc3339(token.revoked_at)}" if token.revoked_at else ""
            typer.echo(f"{token.id}  {token.role:<10} {token.name}  made {rfc3339(token.created_at)}{end}")


def revoke(
    id: Annotated[
        str, typer.Argument(help="the first column of `pantau token list`; or a name that one has")
    ],
) -> None:
    """End a token at once."""
    with _database() as (connection, now):
        one = _in_force(tokens.listing(connection), id)
        tokens.revoke(connection, one.id, now)
    typer.echo(f"token {one.id} of {one.name} revoked")


def _in_force(found: Iterable[tokens.TokenRecord], text: str) -> tokens.TokenRecord:
    """The token with this id, else the only one with this name, of those that are not revoked."""
    valid = [one for one in found if one.revoked_at is None]
    fitting = [one for one in valid if one.id == text] or [one for one in valid if one.name == text.strip()]
    if not fitting:
        raise ConfigError(
            f"no token {text!r} is in force: expected an id, the first column of `pantau token list`, or a name in it"
        )
    if len(fitting) > 1:
        ids = ", ".join(one.id for one in fitting)
        raise ConfigError(f"{len(fitting)} tokens of {text.strip()!r} are in force: revoke by id, {ids}")
    return fitting[0]


@contextmanager
def _database() -> Iterator[tuple[Connection, int]]:
    """One transaction on an up-to-date database, and the time."""
    settings = load_settings()
    engine = open_engine(settings.database_url, settings.data)
    migrate(engine)
    try:
        with unit_of_work(engine) as connection:
            yield connection, settings.clock.now()
    finally:
        engine.dispose()
