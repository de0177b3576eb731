"""``pantau contact add|list|revoke``: where the roles of ``recipients.csv`` are reached."""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import typer
from sqlalchemy import Connection

from alerts.channel import Channel
from alerts.store import contacts
from app.database import migrate, open_engine, unit_of_work
from app.settings import Settings, load_settings
from app.wiring import load_city
from pantau.city import City
from pantau.errors import ConfigError
from pantau.forms import rfc3339
from pantau.registry import find

__all__ = ["register", "shown"]

_LEAST_SECRET = 16
"""Characters of a signing secret; ours have 43."""
_AsJson = Annotated[bool, typer.Option("--json", help="one object a line on stdout")]


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Where roles are reached.", no_args_is_help=True)
    group.command(name="add")(add)
    group.command(name="list")(show)
    group.command(name="revoke")(revoke)
    cli.add_typer(group, name="contact")


def add(
    role: Annotated[str, typer.Argument(help="of the city's recipients.csv")],
    channel: Annotated[str, typer.Argument(help="webhook, mqtt, apprise or another that is installed")],
    address: Annotated[
        str, typer.Argument(help="URL or topic; - reads it from stdin, so that no shell keeps it")
    ],
    name: Annotated[str, typer.Option(help="of the person or server, for you")] = "",
    secret_file: Annotated[
        Path | None, typer.Option(help="file with the signing secret; without it one is made and printed")
    ] = None,
) -> None:
    """Add a contact; prints its id, and a webhook's signing secret when it made one."""
    settings = load_settings()
    target = sys.stdin.readline().strip() if address == "-" else address
    way = _checked(load_city(settings), role, channel, target)
    secret = _secret(secret_file) if secret_file else secrets.token_urlsafe(32) if way.signs else ""
    with _database(settings) as (connection, now):
        made = contacts.add(connection, role, channel, target, now, name=name, secret=secret)
    typer.echo(str(made))
    if way.signs and secret_file is None:
        typer.echo(f"signing secret, not shown again: {secret}")


def show(as_json: _AsJson = False) -> None:
    """List contacts, oldest first; of addresses only what is no secret."""
    with _database(load_settings()) as (connection, _):
        found = contacts.listing(connection)
    for contact in found:
        safe = msgspec.structs.replace(contact, address=shown(contact.address))
        if as_json:
            typer.echo(json.dumps(msgspec.structs.asdict(safe), ensure_ascii=False))
        else:
            end = f"  revoked {rfc3339(safe.revoked_at)}" if safe.revoked_at else ""
            typer.echo(f"{safe.id:>5}  {safe.role:<16} {safe.channel:<10} {safe.address}  {safe.name}{end}")


def revoke(id: Annotated[int, typer.Argument(help="as `pantau contact list` shows it")]) -> None:
    """Send nothing to a contact any more, from the next attempt on."""
    with _database(load_settings()) as (connection, now):
        if not contacts.revoke(connection, id, now):
            raise ConfigError(f"no contact {id} is in force: see `pantau contact list`")


def shown(address: str) -> str:
    """What of an address may stand on a screen: paths, users and the hosts of other schemes can be secrets."""
    scheme, separator, _ = address.partition("://")
    if not separator:
        return address
    host = urlsplit(address).hostname if scheme in {"http", "https"} else ""
    return f"{scheme}://{host or ''}/..."


def _checked(city: City, role: str, channel: str, address: str) -> Channel:
    """The channel, when role, channel and address fit together.

    Raises:
        ConfigError: with everything that does not.
    """
    channels: dict[str, Channel] = find("alerts.channels", "CHANNEL", Channel, "name")
    used = {name for recipient in city.recipients if recipient.role == role for name in recipient.channels}
    roles = sorted({recipient.role for recipient in city.recipients} | {city.last_resort} - {""})
    problems = []
    if role not in roles:
        problems.append(f"role {role!r} is not in city {city.id!r}: expected one of {', '.join(roles)}")
    if channel not in channels:
        problems.append(f"channel {channel!r} is not installed: expected one of {', '.join(channels)}")
    elif role in roles and channel not in used and role != city.last_resort:
        problems.append(
            f"role {role!r} is told over {', '.join(sorted(used))} only: add {channel} in recipients.csv first"
        )
    if channel in channels and (problem := channels[channel].problem(address, city.id)):
        problems.append(problem)
    if problems:
        raise ConfigError(*problems)
    return channels[channel]


def _secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigError(
            f"--secret-file {path}: cannot be read ({error.strerror}); check path and rights"
        ) from None
    if len(secret) < _LEAST_SECRET:
        raise ConfigError(
            f"--secret-file {path}: {len(secret)} characters, expected at least {_LEAST_SECRET}"
        )
    return secret


@contextmanager
def _database(settings: Settings) -> Iterator[tuple[Connection, int]]:
    """One transaction on an up-to-date database, and the time."""
    engine = open_engine(settings.database_url, settings.data)
    migrate(engine)
    try:
        with unit_of_work(engine) as connection:
            yield connection, settings.clock.now()
    finally:
        engine.dispose()
