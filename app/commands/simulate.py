"""``pantau simulate``: invented rivers and crowds, or a fleet of devices for load, go to the broker."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.clock import ScaledClock
from app.playback import Playback, pace_of, tell
from app.settings import Settings, load_settings
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError
from pantau.forms import rfc3339
from simulators.fleet import Fleet
from simulators.instant import instant_of
from simulators.load import LoadClient, numbered
from simulators.row import in_time_order
from simulators.scenario import scenarios

__all__ = ["register"]

_HOUR_MS = 3_600_000


def register(cli: typer.Typer) -> None:
    """Add ``simulate``."""
    cli.command(name="simulate")(simulate)


def simulate(  # noqa: PLR0913, PLR0917 - one argument an option
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SCENARIO]...", help="none: they are listed")
    ] = None,
    city: Annotated[Path | None, typer.Option(help="the city's folder; PANTAU_CITY by default")] = None,
    speed: Annotated[float | None, typer.Option(help="simulated seconds per second; 1 by default")] = None,
    start: Annotated[str | None, typer.Option(help="first instant, RFC 3339; now by default")] = None,
    hours: Annotated[float | None, typer.Option(help="how long, in simulated time")] = None,
    faults: Annotated[str, typer.Option(help="e.g. drop:p=0.02,freeze:station=X;for=2h")] = "",
    seed: Annotated[int, typer.Option(help="of everything random")] = 0,
    truth: Annotated[Path | None, typer.Option(help="write what the faults injected to this file")] = None,
    outbox: Annotated[
        Path | None, typer.Option(help="file that keeps messages until the broker has them")
    ] = None,
    devices: Annotated[int | None, typer.Option(help="no scenario but so many devices, for load")] = None,
    rate: Annotated[float, typer.Option(help="with --devices: readings a second, of all together")] = 1000.0,
    minutes: Annotated[float, typer.Option(help="with --devices: how long")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="the summary as one JSON object")] = False,
) -> None:
    """Publish invented readings to PANTAU_MQTT_URL: scenarios, several at once, or a fleet of devices for load.

    Without PANTAU_CLOCK a speed other than 1 needs --start: the readings then bear times of their own, and a service on
    real time takes them for late.
    """
    settings = load_settings()
    the_city = cityfolder.load(city or settings.city)
    if devices is not None:
        if names or speed or start or hours or faults:
            raise ConfigError("--devices: goes with --rate, --minutes and --seed only, without a scenario")
        tell(_run_fleet(settings, the_city, devices, rate, minutes, seed), as_json=as_json)
        return
    if not names:
        for scenario in scenarios().values():
            typer.echo(f"{scenario.name:<12} {scenario.about} ({scenario.hours:g} h)")
        return
    first, pace = _begin(settings, start, speed)
    end = first + round((hours or max(scenarios()[name].hours for name in _known(names))) * _HOUR_MS)
    rows = in_time_order(*(scenarios()[name].rows(the_city, first, end, seed) for name in _known(names)))
    playback = Playback(
        settings=settings, city=the_city, faults=faults, seed=seed, outbox=outbox, truth=truth
    )
    summary = {"scenarios": names, "from": rfc3339(first), "to": rfc3339(end)}
    tell(summary | playback.send(rows, first, pace), as_json=as_json)


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in scenarios():
            raise ConfigError(f"scenario {name!r}: there are {', '.join(scenarios())}")
    return list(dict.fromkeys(names))


def _begin(settings: Settings, start: str | None, speed: float | None) -> tuple[int, Any]:
    """First instant and pace; without ``start`` it is now on the service's clock."""
    if start is not None:
        try:
            first = instant_of(start)
        except ValueError as error:
            raise ConfigError(f"--start: {error}") from None
        return first, pace_of(settings, first, speed=speed, as_if_now=False)
    clock, _ = pace_of(settings, 0, speed=speed, as_if_now=True)
    return clock.now(), (clock, 0)


def _run_fleet(
    settings: Settings, city: City, devices: int, rate: float, minutes: float, seed: int
) -> dict[str, object]:
    """Send a fleet's readings by the clock; the rate is one of real seconds also on a scaled clock."""
    if rate <= 0 or minutes <= 0:
        raise ConfigError(f"--rate {rate:g} --minutes {minutes:g}: expected numbers above 0")
    clock = settings.clock
    scale = clock.speed if isinstance(clock, ScaledClock) else 1.0
    each = round(rate * minutes * 60 / devices) if devices > 0 else 0
    step_ms = round(devices / rate * 1000 * scale)
    with LoadClient(settings.mqtt_url) as client:
        fleet = Fleet(city, count=devices, each=each, step_ms=step_ms, start=clock.now(), seed=seed)
        client.run(numbered((m.at, m.topic, m.payload) for m in fleet.messages()), clock.now)
        return {
            "devices": devices,
            "messages": client.acknowledged,
            "readings": fleet.readings,
            "doubles": fleet.doubles,
            "crossings": [one.station for one in fleet.crossings()],
            "spikes": [one.station for one in fleet.spikes()],
        }
