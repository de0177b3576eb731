"""``pantau demo``: a real flood on one machine."""

from pathlib import Path
from typing import Annotated

import typer

from app.demo.run import Course, run_demo
from app.settings import load_settings
from pantau import cityfolder
from pantau.errors import ConfigError
from simulators.flood_event import event_names


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command()(demo)


def demo(
    event: Annotated[
        str,
        typer.Option(
            help="a flood of the city's events/, @ and a local time to begin later; else city.toml's"
        ),
    ] = "",
    speed: Annotated[float, typer.Option(help="times as fast as it was", min=1.0, max=20_000.0)] = 1500.0,
    city: Annotated[Path | None, typer.Option(help="the city's folder; PANTAU_CITY by default")] = None,
    skip_unknown: Annotated[
        bool, typer.Option(help="leave out rows of stations the city does not know")
    ] = False,
    once: Annotated[
        bool, typer.Option(help="end when the flood has passed, instead of waiting for Ctrl-C")
    ] = False,
) -> None:
    """Replay a real flood through the whole service, with crowds and broken sensors, and watch what it tells."""
    folder = city or load_settings().city
    name, _, start = (event or cityfolder.load(folder).exercise).partition("@")
    if not name:
        events = ", ".join(event_names(folder)) or "none"
        raise ConfigError(
            f"{folder}/city.toml names no exercise; choose a flood with --event (there are: {events})"
        )
    run_demo(Course(folder, name, start or None, speed, skip_unknown, once))
