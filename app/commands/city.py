"""``pantau city check``: every mistake of a city's folder, or what is in it on one screen."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from alerts.channel import Channel
from app.settings import load_settings
from ingest.bridge import all_bridges
from ingest.format import Format
from pantau import cityfolder, registry
from pantau.city import City
from pantau.errors import ConfigError

__all__ = ["Finding", "Summary", "examine", "register"]


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What a city's folder holds.

    Attributes:
        stations: number of them by kind.
        groups: size of each group with more than one station.
        without_ladder: ids of stations that can never raise a level alert.
        timed_links: links with a published travel time.
        warned_areas: number of areas that some station warns.
        capped_zones: crowd zones that capacity rules act on.
        last_holiday: the calendar's last day, "" when it is empty.
    """

    name: str
    timezone: str
    languages: tuple[str, ...]
    stations: dict[str, int]
    ladders: int
    without_ladder: tuple[str, ...]
    groups: dict[str, int]
    links: int
    timed_links: int
    areas: int
    warned_areas: int
    warning_stations: int
    bindings: tuple[str, ...]
    bridges: tuple[str, ...]
    recipients: tuple[str, ...]
    last_resort: str
    capacity_rules: int
    capped_zones: int
    holidays: int
    last_holiday: str
    folder_hash: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome for one folder; ``summary`` is None when there are problems."""

    folder: str
    ok: bool
    problems: tuple[str, ...] = ()
    summary: Summary | None = None


def register(cli: typer.Typer) -> None:
    """Add ``city``."""
    group = typer.Typer(help="A city's folder: check it.", no_args_is_help=True)
    group.callback()(_city)
    group.command(name="check")(check)
    cli.add_typer(group, name="city")


def check(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(help="folders of cities; PANTAU_CITY by default", metavar="[DIR]..."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one object a folder on stdout")] = False,
) -> None:
    """Print every mistake of a city's folder with file, line and what to do, or a summary of what is in it."""
    findings = [examine(folder) for folder in folders or [load_settings().city]]
    for finding in findings:
        if as_json:
            typer.echo(json.dumps(msgspec.to_builtins(finding), ensure_ascii=False))
        else:
            typer.echo("\n".join(_lines(finding)))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def examine(folder: Path) -> Finding:
    """Check a folder with every plugin known, options of bindings included; the contract test calls this too."""
    formats = registry.find("ingest.formats", "FORMAT", Format, "name")
    channels = registry.find("alerts.channels", "CHANNEL", Channel, "name")
    try:
        city = cityfolder.load(
            folder, formats=formats.keys(), channels=channels.keys(), bridges=all_bridges().keys()
        )
    except ConfigError as error:
        return Finding(folder=folder.as_posix(), ok=False, problems=error.problems)
    problems = tuple(
        f"{(folder / 'city.toml').as_posix()}: options of the binding of {binding.topic!r}: {problem}"
        for binding in city.bindings
        for problem in formats[binding.format].problems(city, binding.options)
    ) + tuple(
        f"{(folder / 'city.toml').as_posix()}: bridge {feed.name!r}: {problem}"
        for feed in city.feeds
        for problem in all_bridges()[feed.kind].problems(city, feed)
    )
    if problems:
        return Finding(folder=folder.as_posix(), ok=False, problems=problems)
    return Finding(folder=folder.as_posix(), ok=True, summary=_summary(city))


def _city() -> None:
    """A city's folder."""


def _summary(city: City) -> Summary:
    stations = city.stations.values()
    groups = Counter(station.group for station in stations)
    warned = {code for codes in city.warns.values() for code in codes}
    capped = [
        station
        for station in stations
        if station.hazard == "density"
        and station.capacity is not None
        and any(not rule.stations or station.id in rule.stations for rule in city.capacity_rules)
    ]
    return Summary(
        name=city.name,
        timezone=city.timezone,
        languages=city.languages,
        stations=dict(Counter(station.kind for station in stations).most_common()),
        ladders=len(city.ladders),
        without_ladder=tuple(station.id for station in stations if station.id not in city.ladders),
        groups={group: size for group, size in groups.most_common() if size > 1},
        links=len(city.links),
        timed_links=sum(link.low_min is not None for link in city.links),
        areas=len(city.areas),
        warned_areas=len(warned),
        warning_stations=len(city.warns),
        bindings=tuple(f"{binding.topic} ({binding.format})" for binding in city.bindings),
        bridges=tuple(f"{feed.name} ({feed.url} every {feed.every_s} s)" for feed in city.feeds),
        recipients=tuple(recipient.role for recipient in city.recipients),
        last_resort=city.last_resort,
        capacity_rules=len(city.capacity_rules),
        capped_zones=len(capped),
        holidays=len(city.holidays),
        last_holiday=max(city.holidays).isoformat() if city.holidays else "",
        folder_hash=city.folder_hash,
    )


def _lines(finding: Finding) -> list[str]:
    summary = finding.summary
    if summary is None:
        count = len(finding.problems)
        return [*finding.problems, f"{finding.folder}: {count} problem{'s' if count > 1 else ''}"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in summary.stations.items())
    groups = ", ".join(f"{group} ({size} stations)" for group, size in summary.groups.items())
    holidays = f"{summary.holidays}, the last on {summary.last_holiday}" if summary.holidays else "none"
    rules = f"{summary.capacity_rules}, acting on {summary.capped_zones} zones that have a capacity"
    rows = {
        "stations": f"{sum(summary.stations.values())}: {kinds}",
        "ladders": f"{summary.ladders} stations have limits",
        "no limits": ", ".join(summary.without_ladder) or "none",
        "groups": groups or "none",
        "links": f"{summary.links}, {summary.timed_links} with a travel time",
        "areas": f"{summary.areas}, {summary.warned_areas} of them warned by {summary.warning_stations} stations",
        "recipients": f"{', '.join(summary.recipients)} (last resort: {summary.last_resort})",
        "bindings": ", ".join(summary.bindings),
        "bridges": ", ".join(summary.bridges) or "none",
        "crowd rules": rules,
        "holidays": holidays,
        "folder hash": summary.folder_hash,
    }
    head = f"{finding.folder}: {summary.name}, {summary.timezone}, {' '.join(summary.languages)}: no problems"
    return [head, *(f"  {name:<12} {text}" for name, text in rows.items())]
