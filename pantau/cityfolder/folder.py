"""The folder as a whole: files are read once, each by its module, and what they say is put together."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from pantau import registry
from pantau.city import City, DatedLadder
from pantau.cityfolder.bridges import read_feeds
from pantau.cityfolder.cells import NAME
from pantau.cityfolder.ladders import crowd_ladders, read_ladders, read_rules
from pantau.cityfolder.links import check_groups, read_links, with_own_groups
from pantau.cityfolder.people import check_last_resort, read_calendar, read_recipients
from pantau.cityfolder.places import names_of, read_areas, read_stations, read_warns
from pantau.cityfolder.problems import Problems
from pantau.cityfolder.ranges import with_ranges
from pantau.cityfolder.rivers import RIVERS, read_rivers
from pantau.cityfolder.settings import FILE, read_settings
from pantau.cityfolder.tables import SCHEMAS, Table, decode_text, read_table
from pantau.kind import Kind

__all__ = ["FILES", "folder_hash", "load"]

FILES = (FILE, *SCHEMAS, RIVERS)
"""Every file a city must have, in the order problems are listed."""


def load(
    folder: Path,
    kinds: dict[str, Kind] | None = None,
    *,
    formats: Collection[str] | None = None,
    channels: Collection[str] | None = None,
    bridges: Collection[str] | None = None,
) -> City:
    """Read and check a city's folder.

    Args:
        kinds: by name; those of ``pantau/kinds`` and of entry points when not given.
        formats: names of the payload formats, to check the bindings with.
        channels: names of the channels, to check the recipients with.
        bridges: names of the bridges, to check the feeds with.

    Raises:
        ConfigError: with every mistake of the whole folder, ``file:line: found, expected; what to do``.
    """
    problems = Problems(folder, FILES)
    bodies = _read_files(folder, problems)
    city = _assemble(folder.resolve().name, bodies, kinds, (formats, channels, bridges), problems)
    problems.raise_all()
    return city


def folder_hash(folder: Path) -> str:
    """SHA-256 over a folder's files as ``City.folder_hash`` has it; a file that is missing counts as empty."""
    return _hash(_read_files(folder, Problems(folder, FILES)))


def _assemble(
    id: str,
    bodies: Mapping[str, bytes | None],
    kinds: dict[str, Kind] | None,
    plugins: tuple[Collection[str] | None, Collection[str] | None, Collection[str] | None],
    problems: Problems,
) -> City:
    if kinds is None:
        kinds = registry.find("pantau.kinds", "KIND", Kind, "name")
    formats, channels, bridges = plugins
    tables = {file: read_table(file, bodies[file], problems) for file in SCHEMAS}
    codes, ids = tables["areas.csv"].keys, tables["stations.csv"].keys
    settings, toml = read_settings(_text(FILE, bodies, problems), id, kinds, formats, problems)
    check_last_resort(toml, settings, tables["recipients.csv"].keys)
    areas = read_areas(tables["areas.csv"])
    stations = read_stations(tables["stations.csv"], codes, kinds)
    links = read_links(tables["links.csv"], stations, ids)
    if _is_complete(tables) and all({link.upstream, link.downstream} <= stations.keys() for link in links):
        check_groups(tables["stations.csv"], stations, links)
    stations = with_own_groups(stations)
    rules = read_rules(tables["capacity_rules.csv"], stations, ids)
    ladders = read_ladders(tables["ladders.csv"], stations, ids, kinds, settings)
    for station in stations.values():
        if station.hazard == "density" and station.id not in ladders:
            ladders.update(_unless_empty(station.id, crowd_ladders(station, rules, settings)))
    return City(
        id=id,
        name=settings.name,
        timezone=settings.timezone,
        languages=settings.languages,
        label=settings.label,
        advice=settings.advice,
        crowd_advice=settings.crowd_advice,
        forecast_advice=settings.forecast_advice,
        emergency_number=settings.emergency_number,
        kinds=kinds,
        stations=with_ranges(stations, ladders, kinds),
        ladders=ladders,
        links=links,
        warns=read_warns(tables["warn_areas.csv"], ids, areas, codes),
        areas=areas,
        rivers=read_rivers(_text(RIVERS, bodies, problems), problems),
        bindings=settings.bindings,
        recipients=read_recipients(tables["recipients.csv"], areas, codes, settings, channels),
        capacity_rules=rules,
        holidays=read_calendar(tables["calendar.csv"]),
        density_limits=settings.density_limits,
        last_resort=settings.last_resort,
        feeds=read_feeds(toml, ids, bridges),
        exercise=settings.exercise,
        sources=settings.sources,
        folder_hash=_hash(bodies),
        names=names_of(stations),
    )


def _read_files(folder: Path, problems: Problems) -> dict[str, bytes | None]:
    if not NAME.fullmatch(folder.resolve().name):
        problems.add(
            "", None, f"the folder is named {folder.resolve().name!r}, expected letters, digits, '.', '_' or '-', "
            "for it is one level of every topic; rename it"
        )  # fmt: skip
    if not folder.is_dir():
        problems.add("", None, "no such folder, expected a city's folder; correct the path")
        problems.raise_all()
    return {file: _read_file(folder / file, file, problems) for file in FILES}


def _read_file(path: Path, file: str, problems: Problems) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        problems.add(
            file, None, "the file is missing; copy it from cities/contoh (its header alone may be enough)"
        )
    except OSError as error:
        problems.add(file, None, f"the file cannot be read ({error.strerror}); correct its rights")
    return None


def _text(file: str, bodies: Mapping[str, bytes | None], problems: Problems) -> str | None:
    body = bodies[file]
    return None if body is None else decode_text(file, body, problems)


def _is_complete(tables: Mapping[str, Table]) -> bool:
    """Whether nothing is missing that would make a complaint about groups wrong."""
    return tables["stations.csv"].whole and tables["links.csv"].whole


def _unless_empty(id: str, ladders: tuple[DatedLadder, ...]) -> dict[str, tuple[DatedLadder, ...]]:
    return {id: ladders} if ladders else {}


def _hash(bodies: Mapping[str, bytes | None]) -> str:
    digest = hashlib.sha256()
    for file in sorted(bodies):
        body = bodies[file] or b""
        digest.update(f"{file}\0{len(body)}\0".encode())
        digest.update(body)
    return digest.hexdigest()
