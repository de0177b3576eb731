"""A large city, checked once and kept as it was understood: a restart must not wait for a hundred thousand rows.

The copy counts only for the very same files, code and plugins; with anything else the folder is read and checked again.
Cities below five thousand stations are read in less than a second and are never kept.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from sys import intern
from typing import Any

import msgspec
import structlog
from msgspec.structs import force_setattr

import pantau
from pantau import cityfolder, registry
from pantau.city import City, DatedLadder
from pantau.kind import Kind
from pantau.station import Station

__all__ = ["WORTH", "load"]

_log = structlog.get_logger("pantau.city")

WORTH = 5_000
"""Stations from which on a copy is kept."""


_SHARED = ("kind", "group", "area", "river", "source")
"""Texts that many stations have in common, or that are the station's id."""


class _Kept(msgspec.Struct):
    """A city with equal things once: read back, an id is one text wherever it stands, and equal ladders are one.

    Attributes:
        city: without its stations, ladders and names.
        ladders: each once, whose they are, and for each of these the ladders' place.
        names: likewise the ids that answer to a name.
    """

    key: str
    city: City
    stations: list[Station]
    ladders: tuple[list[tuple[DatedLadder, ...]], list[str], list[int]]
    names: tuple[list[tuple[str, ...]], list[str], list[int]]

    @classmethod
    def of(cls, key: str, city: City) -> "_Kept":
        """What is kept of a city."""
        bare = msgspec.structs.replace(city, stations={}, ladders={}, names={})
        return cls(key, bare, list(city.stations.values()), _once(city.ladders), _once(city.names))

    def whole(self) -> City:
        """The city; what is kept must not be used afterwards."""
        city, texts = self.city, dict[str, str]()
        for station in self.stations:
            name = intern(station.id)  # as others intern it who read it elsewhere
            texts[name] = name
            force_setattr(station, "id", name)
            for field in _SHARED:
                if text := getattr(station, field):
                    force_setattr(station, field, texts.setdefault(text, text))
            city.stations[name] = station
        ladders, ids, places = self.ladders
        city.ladders = {texts[each]: ladders[place] for each, place in zip(ids, places, strict=True)}
        answers, names, places = self.names
        answers = [tuple(texts[one] for one in each) for each in answers]
        city.names = {
            texts.get(name, name): answers[place] for name, place in zip(names, places, strict=True)
        }
        return city


def _once(of: Mapping[str, Any]) -> tuple[list[Any], list[str], list[int]]:
    """Each value once, the keys, and for each key the place of its value."""
    values: dict[Any, int] = {}
    places = [values.setdefault(value, len(values)) for value in of.values()]
    return list(values), list(of), places


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
