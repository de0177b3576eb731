"""Reads faults as a person writes them: ``drop:p=0.02,spike:station=Katulampa;size=300;at=23:10`` gives ``Fault`` s.

Faults are separated by commas, a fault's options by semicolons. Times are local ``23:10`` (the first one of the run) or
RFC 3339, durations ``90s``, ``10m``, ``2h``. A station is called by id, name or alias; one with a comma or semicolon in
its name by its id.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

from pantau.city import City
from pantau.errors import ConfigError
from simulators.faults import ACTIONS, Fault
from simulators.instant import duration_of, local_instant

__all__ = ["OPTIONS", "parse_faults"]

_WHERE = ("station", "sensor", "from", "for")
_CHANCE = (*_WHERE, "p", "at")

OPTIONS: dict[str, tuple[str, ...]] = {
    "drop": _CHANCE,
    "delay": (*_CHANCE, "by", "to"),
    "duplicate": (*_CHANCE, "by", "to", "times"),
    "reorder": (*_WHERE, "p", "n"),
    "spike": (*_CHANCE, "size"),
    "freeze": _WHERE,
    "clock_drift": (*_WHERE, "by", "per_h"),
    "garbage": _CHANCE,
    "wrong_unit": (*_CHANCE, "unit", "factor"),
}
"""Options of each fault."""

_DEFAULTS: dict[str, dict[str, str]] = {
    "delay": {"by": "10m"},
    "spike": {"size": "100"},
    "clock_drift": {"per_h": "10s"},
    "wrong_unit": {"unit": "furlong"},
}


def parse_faults(text: str, city: City, start: int) -> list[Fault]:
    """Faults in the order written.

    Args:
        start: first instant of the run, ms since 1970 UTC: local times mean the first such time from then on.

    Raises:
        ConfigError: with one line for each fault that cannot be read.
    """
    found, problems = [], []
    for part in text.split(","):
        if not part.strip():
            continue
        try:
            found.append(_fault(part.strip(), city, start))
        except (ValueError, LookupError) as error:
            problems.append(f"--faults: {part.strip()!r}: {error}")
    if problems:
        raise ConfigError(*problems)
    return found


def _fault(text: str, city: City, start: int) -> Fault:
    name, _, rest = text.partition(":")
    if name not in OPTIONS:
        raise ValueError(f"there is no fault {name!r}; there are {', '.join(ACTIONS)}")
    given = {}
    for option in rest.split(";") if rest else ():
        key, equals, value = option.partition("=")
        if key not in OPTIONS[name] or not equals:
            raise ValueError(
                f"option {option!r}, expected one of {', '.join(f'{key}=...' for key in OPTIONS[name])}"
            )
        given[key] = value.strip()
    if not {"by", "per_h", "unit", "factor", "size"} & given.keys():
        given = _DEFAULTS.get(name, {}) | given
    return Fault(name=name, **_window(given, city, start), **_amounts(given))


def _window(given: dict[str, str], city: City, start: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    if "station" in given:
        fields["station"] = city.find(given["station"]).id
    if "sensor" in given:
        fields["sensor"] = given["sensor"]
    if "at" in given:
        if {"from", "for", "p"} & given.keys():
            raise ValueError("at= hits one reading, so it stands without from=, for= and p=")
        fields |= {"begin": local_instant(given["at"], city, start), "once": True}
    if "from" in given:
        fields["begin"] = local_instant(given["from"], city, start)
    if "for" in given:
        fields["end"] = fields.get("begin", start) + duration_of(given["for"])
    return fields


def _amounts(given: dict[str, str]) -> dict[str, Any]:
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        "p": ("p", _probability),
        "by": ("by_ms", duration_of),
        "to": ("by_max_ms", duration_of),
        "per_h": ("per_h_ms", duration_of),
        "size": ("size", _number),
        "factor": ("factor", _number),
        "times": ("times", _count),
        "n": ("n", _count),
        "unit": ("unit", str),
    }
    return {field: reader(given[key]) for key, (field, reader) in readers.items() if key in given}


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if not isfinite(value):
        raise ValueError(f"{text!r} is no finite number")
    return value


def _probability(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise ValueError(f"p is {text}, expected 0 to 1")
    return value


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1000:
        raise ValueError(f"{text!r}, expected a whole number from 1 to 1000")
    return int(text)
