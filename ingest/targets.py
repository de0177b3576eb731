"""What an option of a binding points at: ``"station"`` or ``"station/sensor"`` in, a known station of the city out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ingest.complaint import shown
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.kind import Kind
from pantau.reading import MAIN

__all__ = [
    "MAX_NAME",
    "Target",
    "is_sensor",
    "mapping_problems",
    "target",
    "target_problem",
    "unknown_options",
]

MAX_NAME = 100
"""Characters of a sensor's name, and of what else a message may name itself."""


class Target(msgspec.Struct, frozen=True):
    """Whose reading it is; ``kind`` is the station's, so values come out in its unit."""

    station: str
    sensor: str
    kind: Kind


def is_sensor(name: str) -> bool:
    """Whether a word can name a sensor: 1 to 100 printable characters."""
    return 0 < len(name) <= MAX_NAME and name.isprintable()


def target(city: City, text: str) -> Target:
    """The target that an option names; without ``/sensor`` the sensor is ``main``.

    Raises:
        RefusedMessage: ``unknown_station``: the option was not checked, or the city has changed since.
    """
    station, slash, sensor = text.partition("/")
    if station not in city.stations:
        raise RefusedMessage(
            "unknown_station", f"the binding names station {shown(station)}, which is not in stations.csv"
        )
    return Target(station, sensor if slash else MAIN, city.kinds[city.stations[station].kind])


def target_problem(city: City, text: object, kind: str = "") -> str | None:
    """What is wrong with such a text, None when nothing is.

    Args:
        text: as it stands in ``city.toml``.
        kind: the only one the format can deliver; empty: any.
    """
    if not isinstance(text, str):
        return f'expected "station-id" or "station-id/sensor", found {text!r}'
    name, slash, sensor = text.partition("/")
    station = city.stations.get(name)
    if station is None:
        return f"names station {name!r}, which is not in stations.csv"
    if kind and station.kind != kind:
        return f"names station {name!r} of kind {station.kind}, not {kind}"
    if slash and not is_sensor(sensor):
        return f"names sensor {sensor!r}: expected 1 to {MAX_NAME} printable characters"
    return None


def mapping_problems(city: City, where: str, found: object, kind: str = "") -> list[str]:
    """What is wrong with an option that maps the sender's names to targets, one line each.

    Args:
        where: begins each line, e.g. ``format frigate: zones``.
        found: the option's value; it must be a table with at least one entry.
        kind: the only one the format can deliver; empty: any.
    """
    if not isinstance(found, Mapping) or not found:
        return [f'{where} is needed: {{their_name = "station-id" or "station-id/sensor"}}, found {found!r}']
    table: Mapping[Any, Any] = found
    checked = ((name, target_problem(city, text, kind)) for name, text in table.items())
    return [f"{where}: {name!r} {problem}" for name, problem in checked if problem]


def unknown_options(form: str, options: Iterable[str], known: Sequence[str]) -> list[str]:
    """Options of a binding that its format does not have, one line each.

    Args:
        form: begins each line, e.g. ``format frigate``.
    """
    return [f"{form} has no option {name!r}: use {', '.join(known)}" for name in options if name not in known]
