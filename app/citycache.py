"""A large city, checked once and kept as it was understood: a restart must not wait for a hundred thousand rows.

The copy counts only for the very same files, code and plugins; with anything else the folder is read and checked again.
Cities below five thousand stations are read in less than a second and are never kept.
"""

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from itertools import repeat
from pathlib import Path
from sys import intern
from typing import TypeVar

import msgspec
import structlog
from msgspec.structs import force_setattr

import pantau
from pantau import cityfolder, registry
from pantau.city import City, DatedLadder
from pantau.cityfolder.places import names_of
from pantau.kind import Kind
from pantau.station import Station

__all__ = ["WORTH", "load"]

_log = structlog.get_logger("pantau.city")

WORTH = 5_000
"""Stations from which on a copy is kept."""


_SHARED = ("kind", "group", "area", "river", "source")
"""Texts that many stations have in common, or that are the station's id."""

_T = TypeVar("_T")
_Ladders = tuple[DatedLadder, ...]


class _Kept(msgspec.Struct):
    """A city as it is read back soonest: a hundred thousand stations in a tenth of a second, equal things made once.

    An id is one text wherever it stands, and equal ladders are one object.

    Attributes:
        city: without its stations, ladders and names.
        stations: each without what is in ``shared`` and what is the default anyway.
        shared: of each such field the different texts, and for each station the place of its own.
        ladders: each once, whose they are (the place of the station), and for each of these the ladders' place.
    """

    key: str
    city: City
    stations: list[Station]
    shared: dict[str, tuple[list[str], list[int]]]
    ladders: tuple[list[_Ladders], list[int], list[int]]

    @classmethod
    def of(cls, key: str, city: City) -> "_Kept":
        """What is kept of a city; to be encoded, not to be made whole."""
        stations = list(city.stations.values())
        at = {name: place for place, name in enumerate(city.stations)}
        ladders, places = _once(city.ladders.values())
        return cls(
            key,
            msgspec.structs.replace(city, stations={}, ladders={}, names={}),
            [_slim(station) for station in stations],
            {field: _once(getattr(station, field) for station in stations) for field in _SHARED},
            (ladders, [at[name] for name in city.ladders], places),
        )

    def whole(self) -> City:
        """The city; what is kept must not be used afterwards."""
        city, stations = self.city, self.stations
        ids = [intern(station.id) for station in stations]  # as others intern it who read it elsewhere
        texts = dict(zip(ids, ids, strict=True))
        _set(stations, "id", ids)
        for field, (values, places) in self.shared.items():
            mine = [texts.get(value) or intern(value) for value in values]
            _set(stations, field, map(mine.__getitem__, places))
        city.stations = dict(zip(ids, stations, strict=True))
        ladders, holders, places = self.ladders
        city.ladders = dict(zip(map(ids.__getitem__, holders), map(ladders.__getitem__, places), strict=True))
        city.names = _Names(city.stations)
        return city


class _Names(Mapping[str, tuple[str, ...]]):
    """``City.names``, made when somebody asks for a name: the service itself goes by ids."""

    def __init__(self, stations: Mapping[str, Station]) -> None:
        self._stations = stations

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        return names_of(self._stations)

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _slim(station: Station) -> Station:
    """What of a station is its own."""
    return msgspec.structs.replace(station, **dict.fromkeys(_SHARED, ""))


def _set(stations: Iterable[Station], field: str, values: Iterable[str]) -> None:
    """One field of each station, without a step of Python for each."""
    deque(map(force_setattr, stations, repeat(field), values), maxlen=0)


def _once(values: Iterable[_T]) -> tuple[list[_T], list[int]]:
    """Each value once, and for each the place of its own."""
    found: dict[_T, int] = {}
    places = [found.setdefault(value, len(found)) for value in values]
    return list(found), places


class _Key(msgspec.Struct):
    key: str


def load(folder: Path, data: Path, formats: Iterable[str], worth: int = WORTH) -> City:
    """The city of a folder, from the copy in ``data`` when there is one of exactly these files.

    Args:
        formats: names of the payload formats, to check the bindings with.
        worth: stations from which on a copy is kept.

    Raises:
        ConfigError: with every mistake of the folder; a folder with mistakes is never kept.
    """
    names = sorted(formats)
    copy = data / "cities" / f"{folder.resolve().name}.msgpack"
    if not copy.is_file():
        city = cityfolder.load(folder, formats=names)
        return _keep(copy, city, _key(city.folder_hash, names), worth)
    key = _key(cityfolder.folder_hash(folder), names)
    known = _read(copy, key)
    if known is not None:
        return known
    city = cityfolder.load(folder, formats=names)
    return _keep(copy, city, key, worth)


def _read(copy: Path, key: str) -> City | None:
    try:
        body = copy.read_bytes()
        if msgspec.msgpack.decode(body, type=_Key).key != key:
            return None
        return msgspec.msgpack.decode(body, type=_Kept).whole()
    except (OSError, msgspec.MsgspecError, LookupError, ValueError):
        return None


def _keep(copy: Path, city: City, key: str, worth: int) -> City:
    """Write the copy if the city is large; returns the city as it will be read back."""
    if len(city.stations) < worth:
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        return city
    fresh, kept = copy.with_suffix(".new"), _Kept.of(key, city)
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.msgpack.encode(kept))
        fresh.replace(copy)
    except OSError as error:
        _log.warning("city not kept", file=str(copy), reason=str(error), consequence="starts take longer")
    return kept.whole()


def _key(folder_hash: str, formats: list[str]) -> str:
    """What the copy depends on: the folder's files, the plugins' names, our own code that reads them."""
    digest = hashlib.sha256(f"{folder_hash}\0{formats}\0".encode())
    digest.update(msgspec.msgpack.encode(registry.find("pantau.kinds", "KIND", Kind, "name")))
    for file in sorted(Path(pantau.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
