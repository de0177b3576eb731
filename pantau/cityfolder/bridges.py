"""The ``[[bridge]]`` tables of city.toml -> the feeds that bridges poll."""

from collections.abc import Collection
from urllib.parse import urlsplit

from pantau.city import Feed
from pantau.cityfolder.cells import NAME, nearest
from pantau.cityfolder.settings import KEYS
from pantau.cityfolder.toml import Toml
from pantau.reading import MAIN

__all__ = ["read_feeds"]

_LEAST_S, _MOST_S = 60, 86_400
"""A public feed asked more often than once a minute would have reason to shut us out."""
_LONGEST_SENSOR = 100


def read_feeds(
    toml: Toml, stations: Collection[str] | None, bridges: Collection[str] | None
) -> tuple[Feed, ...]:
    """The feeds, in the file's order.

    Args:
        stations: ids, None when stations.csv could not be read.
        bridges: names of ``ingest/bridges``, None when nobody here knows them.
    """
    tables = toml.value("bridge")
    if tables is None:
        return ()
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        toml.wrong("bridge", "[[bridge]] tables with kind and url")
        return ()
    found: dict[str, Feed] = {}
    for index in range(len(tables)):
        feed = _feed(toml, f"bridge[{index}]", stations, bridges)
        if feed.name in found:
            toml.says(
                f"bridge[{index}]",
                f"bridge[{index}] is named {feed.name!r}, expected a name that no other bridge has; "
                "give one of the two a name of its own",
            )
        found[feed.name] = feed
    return tuple(found.values())


def _feed(toml: Toml, path: str, stations: Collection[str] | None, bridges: Collection[str] | None) -> Feed:
    toml.only(path, KEYS["bridge"])
    kind = toml.text(f"{path}.kind", "the name of a bridge")
    if kind and bridges is not None and kind not in bridges:
        toml.wrong(
            f"{path}.kind",
            f"one of {', '.join(sorted(bridges))}",
            f"correct the value{nearest(kind, bridges)}",
        )
    name = toml.text(f"{path}.name", "a name", default=kind)
    if name and not NAME.fullmatch(name):
        toml.wrong(
            f"{path}.name",
            "1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit: it names a file",
        )
    return Feed(
        name=name,
        kind=kind,
        url=_url(toml, f"{path}.url"),
        every_s=_every_s(toml, f"{path}.every_s"),
        stations=_stations(toml, f"{path}.stations", stations),
        contact=_contact(toml, f"{path}.contact"),
        options=toml.table(f"{path}.options"),
    )


def _url(toml: Toml, path: str) -> str:
    expected = "an address, http://... or https://..."
    text = toml.text(path, expected)
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises when it is no number
    except ValueError:
        toml.wrong(path, expected)
        return text
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or not _is_plain(text)):
        toml.wrong(path, expected)
    elif parts.username or parts.password or parts.fragment:
        # The value itself is not shown: it may hold a password.
        toml.says(
            path, f"{path} holds a user, a password or a '#', expected none: this file is in git; remove it"
        )
    return text


def _every_s(toml: Toml, path: str) -> int:
    value = toml.value(path)
    if value is None:
        return 300
    if type(value) is not int or not _LEAST_S <= value <= _MOST_S:
        toml.wrong(path, f"whole seconds from {_LEAST_S} to {_MOST_S}: a public feed is asked seldom")
        return 300
    return value


def _contact(toml: Toml, path: str) -> str:
    text = toml.text(path, "text", default="")
    if len(text) > _LONGEST_SENSOR or not _is_plain(text) or set(text) & set("();"):
        toml.wrong(path, "an e-mail or web address of at most 100 characters: it goes into every request")
        return ""
    return text


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _stations(toml: Toml, path: str, known: Collection[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for source, given in toml.table(path).items():
        station, slash, sensor = given.partition("/") if isinstance(given, str) else ("", "", "")
        text = station if sensor == MAIN else given  # two ways to say the same
        if not isinstance(text, str) or (slash and not _is_sensor(sensor)):
            toml.says(
                path,
                f'{path} holds {source} = {text!r:.80}, expected "station" or "station/sensor" '
                "(a sensor has 1 to 100 printable characters without '/', '+', '#'); correct it",
            )
        elif known is not None and station not in known:
            toml.says(
                path,
                f"{path} holds {source} = {text!r:.80}, expected a station that stands in stations.csv; "
                f"correct it or add it there{nearest(station, known)}",
            )
        elif text in found.values():
            toml.says(
                path,
                f"{path} sends {source} and another to {text!r}, expected one each: two sensors have two zeros; "
                "make them two stations of one post",
            )
        else:
            found[source] = text
    return found


def _is_sensor(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_SENSOR and name.isprintable() and not set(name) & set("/+#")
