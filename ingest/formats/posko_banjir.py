"""Posko Banjir's XML feed as a payload: every post of the city's public water-level feed in one message.

Options in ``city.toml``: ``posts = {"116" = "station-id/sensor"}`` maps a row's ``ID_PINTU_AIR`` (or ``KODE_STASIUN``)
to a station; rows that are not named are ignored. Two sensors of one post have two ids and two zeros, so they belong to
two stations. ``timezone`` is that of times without an offset, the city's own unless said otherwise.

Limits in the feed are not taken: a city's own stand in ``ladders.csv`` with their dates. A feed that is polled more
often than it changes repeats its rows; the same time and value again is a duplicate and does nothing.
"""

from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from ingest.format import IGNORED, Decoded, Message, Opened, Reader, Refusal
from ingest.posko import rows
from ingest.targets import Target, mapping_problems, target, unknown_options
from pantau.city import City
from pantau.reading import Reading

__all__ = ["FORMAT", "PoskoBanjir"]

_KIND = "water_level"
_OPTIONS = ("posts", "timezone")


class PoskoBanjir:
    """All rows of the feed, each for the station it is mapped to."""

    name = "posko_banjir"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``."""
        return partial(self._reader, city, options)

    def _reader(self, city: City, options: dict[str, Any], _topic: str) -> Reader:
        posts = {post: target(city, text) for post, text in options["posts"].items()}
        return partial(_read, posts, ZoneInfo(options.get("timezone", city.timezone)))

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        found = unknown_options("format posko_banjir", options, _OPTIONS)
        if "timezone" in options and not _is_zone(options["timezone"]):
            found.append(
                f"format posko_banjir: timezone {options['timezone']!r}: expected a name such as Asia/Tokyo"
            )
        posts = options.get("posts")
        found += mapping_problems(city, "format posko_banjir: posts", posts, _KIND)
        return found or _shared(posts or {})


def _is_zone(name: object) -> bool:
    try:
        ZoneInfo(str(name))
    except (ValueError, OSError, KeyError):  # no such zone is a KeyError, a folder of zones an OSError
        return False
    return isinstance(name, str)


def _shared(posts: dict[str, str]) -> list[str]:
    """Two rows for one station would be two zeros in one series."""
    first: dict[str, str] = {}
    return [
        f"format posko_banjir: posts: {post!r} and {other!r} are both station {station!r}: each has its own zero, "
        "so each needs a station of its own"
        for post, text in posts.items()
        if (other := first.setdefault(station := text.partition("/")[0], post)) != post
    ]


def _read(posts: dict[str, Target], zone: ZoneInfo, message: Message) -> Decoded:
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    for row in rows(message.payload, zone, message.received_at):
        whose = posts.get(row.id) or posts.get(row.code)
        if whose is None:
            continue
        level, at = row.level_cm, row.observed_at
        if row.problem is not None:
            refusals.append(row.problem)
        elif level is not None and at is not None:
            readings.append(
                Reading(
                    whose.station,
                    _KIND,
                    level,
                    at,
                    message.received_at,
                    whose.sensor,
                    retained=message.retain,
                )
            )
    return Decoded(readings, refusals) if readings or refusals else IGNORED


FORMAT = PoskoBanjir()
