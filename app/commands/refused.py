"""``pantau refused list|retry``: messages that gave no reading, and sending them through the pipeline once more."""

import json
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import typer
from sqlalchemy import Engine, inspect

from app.database import open_engine, unit_of_work
from app.settings import load_settings
from ingest.mqtt import PahoPublisher
from ingest.refused import Kept, count_by_code, listing, mark_retried, take_for_retry
from pantau.errors import ConfigError, Unavailable
from pantau.ports import Clock, Publisher

__all__ = ["Choice", "object_of", "register", "retry"]

_WAIT_S = 10.0
_SHOWN_BYTES = 200


class Choice(NamedTuple):
    """Which kept messages: these ids, or those with a code, or (both None) all that were not retried yet."""

    ids: list[int] | None = None
    code: str | None = None


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Messages that gave no reading.", no_args_is_help=True)
    group.command(name="list")(run_list)
    group.command(name="retry")(run_retry)
    cli.add_typer(group, name="refused")


def run_list(
    code: Annotated[str | None, typer.Option(help="only with this code")] = None,
    limit: Annotated[int, typer.Option(help="at most so many, newest first", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
) -> None:
    """Show refused messages with their reasons, newest first."""
    engine = _open(load_settings().database_url)
    with engine.connect().execution_options(reading=True) as connection:
        found = listing(connection, limit, code)
        counts = count_by_code(connection)
    if not found and (problem := _not_there(engine, [], code)):
        typer.echo(f"{problem}; docs/ingest.md lists what can be", err=True)
    for kept in found:
        if as_json:
            typer.echo(json.dumps(object_of(kept), ensure_ascii=False))
        else:
            typer.echo(
                f"{kept.id:>8}  {_instant(kept.received_at)}  {kept.code:<22} {kept.topic}\n          {kept.reason}"
            )
    if not as_json:
        typer.echo(
            ", ".join(f"{name} {number}" for name, number in counts.items()) or "no message was refused"
        )


def run_retry(
    ids: Annotated[
        list[int] | None, typer.Option("--id", help="this one; may be given several times")
    ] = None,
    code: Annotated[str | None, typer.Option(help="all with this code")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all that were not retried yet")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
) -> None:
    """Publish refused messages on their topics again, so that they go through the whole pipeline."""
    if sum((bool(ids), code is not None, everything)) != 1:
        raise ConfigError("choose exactly one of --id, --code and --all")
    settings = load_settings()
    engine = _open(settings.database_url)
    if problem := _not_there(engine, ids or [], code):
        typer.echo(f"error: {problem}; nothing was sent. See `pantau refused list`", err=True)
        raise typer.Exit(1)
    publisher = PahoPublisher(settings.mqtt_url, f"pantau-retry-{secrets.token_hex(4)}")
    try:
        if not publisher.start(_WAIT_S):
            raise Unavailable("broker", f"no connection within {_WAIT_S:g} s; nothing was sent")
        done, left = retry(engine, publisher, settings.clock, Choice(ids or None, code))
    finally:
        publisher.stop()
    if as_json:
        typer.echo(
            json.dumps({"retried": done, "left": [{"id": one.id, "reason": one.obstacle} for one in left]})
        )
    else:
        typer.echo(f"{done} messages published again")
        for one in left:
            typer.echo(f"{one.id:>8}  left alone: {one.obstacle}")
    raise typer.Exit(1 if left else 0)


def _not_there(engine: Engine, ids: list[int], code: str | None) -> str:
    """Which of the wanted messages are not kept; empty when there is something of each."""
    with engine.connect().execution_options(reading=True) as connection:
        kept = [one.id for one in take_for_retry(connection, ids, limit=len(ids))] if ids else []
        codes = count_by_code(connection) if code is not None else {}
    if missing := sorted(set(ids) - set(kept)):
        return f"no refused message has the id {', '.join(map(str, missing))}"
    if code is not None and code not in codes:
        return f"no refused message has the code {code!r}: there are {', '.join(codes) or 'none at all'}"
    return ""


def retry(engine: Engine, publisher: Publisher, clock: Clock, choice: Choice) -> tuple[int, list[Kept]]:
    """Publish the chosen messages again, in the order they came; never retained, whatever they were.

    Returns:
        How many were published, and those that cannot be.

    Raises:
        Unavailable: the broker went away; what was published until then is marked.
    """
    done, after = 0, 0
    left: list[Kept] = []
    while page := _page(engine, choice, after):
        sent: list[int] = []
        try:
            for kept in page:
                if kept.obstacle:
                    left.append(kept)
                    continue
                publisher.publish(kept.topic, kept.payload)
                sent.append(kept.id)
        finally:
            if sent:
                with unit_of_work(engine) as connection:
                    mark_retried(connection, sent, clock.now())
        done, after = done + len(sent), page[-1].id
    return done, left


def _page(engine: Engine, choice: Choice, after: int) -> list[Kept]:
    with engine.connect().execution_options(reading=True) as connection:
        return take_for_retry(connection, choice.ids, choice.code, after)


def _open(url: str) -> Engine:
    engine = open_engine(url)
    if not inspect(engine).has_table("refused"):
        raise ConfigError(
            f"{engine.url!r}: no table of refused messages; has `pantau run` ever used this database?"
        )
    return engine


def object_of(kept: Kept) -> dict[str, Any]:
    """A refused message for ``--json``; of the payload the first 200 bytes as text."""
    return {
        "id": kept.id,
        "received_at": _instant(kept.received_at),
        "topic": kept.topic,
        "code": kept.code,
        "reason": kept.reason,
        "size": kept.size,
        "retained": kept.retained,
        "retried_at": None if kept.retried_at is None else _instant(kept.retried_at),
        "payload": kept.payload[:_SHOWN_BYTES].decode("utf-8", "replace"),
    }


def _instant(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
