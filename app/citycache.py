"""A large city, checked once and kept as it was understood: a restart must not wait for a hundred thousand rows.

The copy counts only for the very same files, code and plugins; with anything else the folder is read and checked again.
Cities below five thousand stations are read in less than a second and are never kept.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

import pantau
from pantau import cityfolder, registry
from pantau.city import City
from pantau.kind import Kind

__all__ = ["WORTH", "load"]

_log = structlog.get_logger("pantau.city")

WORTH = 5_000
"""Stations from which on a copy is kept."""


class _Kept(msgspec.Struct):
    key: str
    city: City


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
        _keep(copy, city, _key(city.folder_hash, names), worth)
        return city
    key = _key(cityfolder.folder_hash(folder), names)
    known = _read(copy, key)
    if known is not None:
        return known
    city = cityfolder.load(folder, formats=names)
    _keep(copy, city, key, worth)
    return city


def _read(copy: Path, key: str) -> City | None:
    try:
        body = copy.read_bytes()
        if msgspec.msgpack.decode(body, type=_Key).key != key:
            return None
        return msgspec.msgpack.decode(body, type=_Kept).city
    except (OSError, msgspec.MsgspecError):
        return None


def _keep(copy: Path, city: City, key: str, worth: int) -> None:
    if len(city.stations) < worth:
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        return
    fresh = copy.with_suffix(".new")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(msgspec.msgpack.encode(_Kept(key, city)))
        fresh.replace(copy)
    except OSError as error:
        _log.warning("city not kept", file=str(copy), reason=str(error), consequence="starts take longer")


def _key(folder_hash: str, formats: list[str]) -> str:
    """What the copy depends on: the folder's files, the plugins' names, our own code that reads them."""
    digest = hashlib.sha256(f"{folder_hash}\0{formats}\0".encode())
    digest.update(msgspec.msgpack.encode(registry.find("pantau.kinds", "KIND", Kind, "name")))
    for file in sorted(Path(pantau.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()
