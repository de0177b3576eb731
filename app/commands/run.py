"""``pantau run``: the service."""

import signal
import threading
from typing import Annotated

import structlog
import typer

from app.settings import load_settings
from app.wiring import PARTS, Service

_log = structlog.get_logger("pantau.run")


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(run)


def run(
    only: Annotated[str, typer.Option(help=f"some of {','.join(PARTS)}; all by default")] = ",".join(PARTS),
) -> None:
    """Run the service until it is told to stop (Ctrl-C, SIGTERM)."""
    parts = [part.strip() for part in only.split(",") if part.strip()]
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise typer.BadParameter(f"expected some of {', '.join(PARTS)}, got {only!r}", param_hint="--only")
    service = Service(load_settings(), parts)
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    service.start()
    host, port = service.settings.http
    _log.info("started", city=service.city.id, parts=parts, page=f"http://{host}:{port}/")
    while not asked.wait(0.2):
        if service.threads.stop.is_set():
            service.stop()
            raise typer.Exit(1)
    service.stop()
    _log.info("stopped")
