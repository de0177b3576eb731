"""``pantau bridge``: the city's bridges poll their feeds and bring what is new to the broker."""

import json
import signal
import threading
from typing import Annotated, Any

import structlog
import typer

from app.bridges import Bridges, book_path, chosen
from app.settings import Settings, load_settings
from ingest.bridge import all_bridges
from ingest.feedbook import read_status
from pantau import cityfolder
from pantau.city import City, Feed
from pantau.forms import rfc3339

__all__ = ["register"]

_log = structlog.get_logger("pantau.bridge")

_TIMES = ("last_poll", "last_success", "last_new_at", "last_observed_at", "next_at")


def register(cli: typer.Typer) -> None:
    """Add ``bridge``."""
    cli.command(name="bridge")(bridge)


def bridge(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="bridges of city.toml; all by default")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="poll each once, wait for the broker, end")] = False,
    status: Annotated[bool, typer.Option("--status", help="how they go; asks no feed")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="with --status: one object a line")] = False,
) -> None:
    """Poll the public feeds of the city and publish what is new to PANTAU_MQTT_URL, until told to stop.

    Exit code 1: with --once a feed failed or the broker has not got everything (it waits in PANTAU_DATA/bridges); with
    --status a bridge is not well.
    """
    settings = load_settings()
    city = cityfolder.load(settings.city, bridges=all_bridges().keys())
    feeds = chosen(city, names or [])
    if status:
        found = [_status(settings, city, feed) for feed in feeds]
        for one in found:
            typer.echo(json.dumps(one, ensure_ascii=False) if as_json else _words(one))
        raise typer.Exit(0 if all(one["ok"] for one in found) else 1)
    with Bridges(settings, city, feeds) as bridges:
        if once:
            raise typer.Exit(0 if bridges.once() else 1)
        asked = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: asked.set())
        bridges.start()
        _log.info("bridges started", city=city.id, bridges=[feed.name for feed in feeds])
        while not asked.wait(0.2):
            if not bridges.alive:
                raise typer.Exit(1)
    _log.info("bridges stopped")


def _status(settings: Settings, city: City, feed: Feed) -> dict[str, Any]:
    """What is printed of one bridge; times are RFC 3339, null: never."""
    head: dict[str, Any] = {"bridge": feed.name, "kind": feed.kind, "url": feed.url}
    found = read_status(book_path(settings, city, feed))
    if found is None:
        return head | {"ok": False, "polled": False}
    state = found.state
    times = {name: getattr(state, name) for name in _TIMES}
    return (
        head
        | {"ok": not state.errors and not state.still, "polled": True}
        | {name: None if at is None else rfc3339(at) for name, at in times.items()}
        | {"errors": state.errors, "error": state.error, "stands_still": state.still}
        | {"waiting": found.waiting, "taken": state.taken, "dropped": state.dropped, "skipped": state.skipped}
    )


def _words(one: dict[str, Any]) -> str:
    if not one["polled"]:
        return f"{one['bridge']:<16} never polled: start `pantau bridge`"
    how = "stands still" if one["stands_still"] else "well"
    if one["errors"]:
        how = f"failed {one['errors']} times, next {one['next_at']}: {one['error']}"
    skipped = ", ".join(f"{count} {code}" for code, count in one["skipped"].items())
    return (
        f"{one['bridge']:<16} {how}\n"
        f"  polled {one['last_poll']}, well {one['last_success']}, new {one['last_new_at']}\n"
        f"  newest reading {one['last_observed_at']}, {one['taken']} taken, {one['waiting']} wait for the broker, "
        f"{one['dropped']} dropped{'; skipped ' + skipped if skipped else ''}"
    )
