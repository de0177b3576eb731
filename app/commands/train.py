"""``pantau train``: learns from a recording or from the store; keeps what it has learnt as an artifact."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import replace

from app.caller import caller
from app.clock import RealClock
from app.settings import load_settings
from app.training import Histories, Period, from_file, from_store, instant_or_day
from ingest.decode import all_formats
from pantau import cityfolder
from pantau.city import City
from pantau.errors import ConfigError

if TYPE_CHECKING:
    from models.artifact import Shelf
    from models.card import Card
    from models.train import Trained

__all__ = ["register"]


def register(cli: typer.Typer) -> None:
    """Add the command."""
    cli.command(name="train")(run)


def run(  # noqa: PLR0913, PLR0917 - one argument an option
    file: Annotated[
        Path | None, typer.Argument(help="CSV with time,station,value,unit (UTC)", dir_okay=False)
    ] = None,
    store: Annotated[
        bool, typer.Option("--store", help="learn from the kept readings instead of a file")
    ] = False,
    model: Annotated[
        str, typer.Option(help="forest: what is ordinary, one for each kind; forecast: one for each gauge")
    ] = "forest",
    kind: Annotated[str, typer.Option(help="only this kind; all that occur by default")] = "",
    station: Annotated[
        str, typer.Option(help="only this gauge's forecast (id, name or alias); all that can be by default")
    ] = "",
    start: Annotated[str, typer.Option(help="learn from here on: 2026-01-02, or RFC 3339")] = "",
    end: Annotated[str, typer.Option(help="up to here, not included")] = "",
    city: Annotated[Path | None, typer.Option(help="the city's folder; PANTAU_CITY by default")] = None,
    out: Annotated[
        Path | None, typer.Option(help="where artifacts lie; PANTAU_DATA/models by default")
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="make the new version the live one")] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="let the new version run beside the live one in shadow")
    ] = False,
    by: Annotated[str, typer.Option(help="who decides, for the history; your login name by default")] = "",
    why: Annotated[str, typer.Option(help="and why")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one object a line on stdout")] = False,
) -> None:
    """Train; the new version waits until it is promoted, here (--promote) or with `pantau model promote`."""
    if (file is None) != store:
        raise typer.BadParameter(
            "give either a FILE with time,station,value,unit, or --store to learn from the kept readings"
        )
    if promote and shadow:
        raise typer.BadParameter("give either --promote or --shadow")
    settings = load_settings()
    the_city = cityfolder.load(city or settings.city, formats=all_formats().keys())
    if kind and kind not in the_city.kinds:
        raise ConfigError(f"--kind {kind!r} is no kind; known are {', '.join(sorted(the_city.kinds))}")
    period = _period(start, end, the_city)
    history = from_store(settings, the_city, period) if file is None else from_file(file, the_city, period)
    chosen = {name: found for name, found in sorted(history.items()) if kind in {"", name}}
    if not chosen:
        where = "the kept readings" if file is None else str(file)
        raise ConfigError(
            f"{where}: there are no readings{f' of kind {kind!r}' if kind else ''} to learn from"
        )
    wish = ("promote" * promote) or ("shadow" * shadow)
    for made in _trained(model, chosen, the_city, station, file):
        named = replace(made, card=_named(made.card, the_city))
        shelf, remark = _kept(named, out or settings.data / "models", wish, (by or caller(), why))
        _print(named, shelf, remark, as_json=as_json)


def _period(start: str, end: str, city: City) -> Period:
    period = Period()
    since = instant_or_day(start, "--start", city) if start else period.start
    until = instant_or_day(end, "--end", city) if end else period.end
    if since >= until:
        raise ConfigError(f"--start is {start}, --end is {end}: expected the end after the start")
    return Period(since, until)


def _trained(
    model: str, found: Histories, city: City, station: str, file: Path | None
) -> Iterator["Trained"]:
    """One model after the other, each kept before the next is made."""
    from models.card import KEPT
    from models.train import series_of

    source = KEPT if file is None else file.name
    history = {
        kind: {sensor: series_of(*series) for sensor, series in sensors.items()}
        for kind, sensors in found.items()
    }
    if model == "forest":
        from models.train import train

        if station:
            raise ConfigError("--station goes with --model forecast; a forest is trained for a whole kind")
        for kind, sensors in history.items():
            yield train(kind, sensors, source=source)
    elif model == "forecast":
        from models.train_forecast import train_forecasts

        only = _station(station, city) if station else ""
        for kind, sensors in history.items():
            yield from train_forecasts(kind, sensors, city, only, source=source)
    else:
        raise ConfigError(f"--model is {model!r}, expected forest or forecast")


def _station(name: str, city: City) -> str:
    try:
        return city.find(name).id
    except LookupError as error:
        raise ConfigError(f"--station: {error}") from None


def _named(card: "Card", city: City) -> "Card":
    """With names of stations and the unit of the readings, for people; the version does not hang on them."""
    ids = sorted({sensor.partition("/")[0] for sensor in card.stations} & city.stations.keys())
    return replace(
        card, names={name: city.stations[name].name for name in ids}, unit=city.kinds[card.kind].unit
    )


def _kept(made: "Trained", folder: Path, wish: str, who: tuple[str, str]) -> tuple["Shelf", str]:
    """Save and do what was asked; nothing goes live unasked but the version that was live, mended."""
    from models.artifact import Shelf
    from models.card import Note
    from models.families import opened
    from models.train import keep

    by, why = who
    version = made.card.version
    shelf = Shelf(folder, made.card.family, made.card.name)
    live, problem = shelf.standing("live", opened)
    is_spoilt = bool(problem) and live is None
    is_mended = bool(problem) and version == (live or shelf.former())
    keep(made, folder)
    if wish == "promote" or (is_mended and is_spoilt):
        reason = why or "CURRENT held no version" * is_spoilt
        shelf.promote(version, opened, Note(RealClock().now(), by, reason))
    elif wish == "shadow" and live != version:
        shelf.shadow(version, opened, Note(RealClock().now(), by, why))
    if is_mended:
        return shelf, "it could not be used and is mended"
    if wish == "promote":
        return shelf, "it takes the place of a CURRENT that held no version" * is_spoilt
    return shelf, _instead(shelf, live, problem)


def _instead(shelf: "Shelf", live: str | None, problem: str) -> str:
    """What runs while a version that was not promoted waits."""
    if problem and live is None:
        return "CURRENT holds no version, so the rules run alone until a promotion"
    if problem:
        return f"the live version {live} cannot be used, so the rules run alone until a promotion"
    if live is None:
        retired = f"{shelf.title} was retired: " * shelf.is_retired()
        return f"{retired}the rules run alone until a promotion"
    return ""


def _print(made: "Trained", shelf: "Shelf", remark: str, *, as_json: bool) -> None:
    from models.card import ROLES

    card = made.card
    live, challenger = (shelf.named(role)[0] == card.version for role in ROLES)
    shown: dict[str, Any] = {
        "family": card.family, "name": card.name, "kind": card.kind, "version": card.version,
        "folder": str(shelf.path / card.version), "live": live, "challenger": challenger, "remark": remark,
        "readings": sum(card.stations.values()), "sensors": len(card.stations),
        "metrics": card.metrics, "baselines": card.baselines,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(shown))
        return
    above = card.metrics.get("share_above_half")
    typer.echo(
        f"{shelf.title} {card.version}: {shown['readings']} readings of {shown['sensors']} sensors"
        + (f", {above:.2%} of the held-back readings score 0.5 or more" if above is not None else "")
        + f"; {shown['folder']}"
        + ("; live from the next start" if live else "; in shadow from the next start" if challenger else
           f"; not live: look at its card, then `pantau model promote {shelf.title} {card.version}`")
        + f"; {remark}" * bool(remark)
    )  # fmt: skip
