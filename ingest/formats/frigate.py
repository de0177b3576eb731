"""Frigate's bare counts: ``frigate/<camera or zone>/<object>`` carries an integer, how many are in view now.

Options in ``city.toml``: ``zones = {frigate_zone = "station-id"}``, ``object`` ("person" unless said otherwise) and
``prefix`` ("frigate"). Cameras and zones that are not named, sub-topics such as ``/active`` and ``/snapshot``, events
and availability are not for us and are ignored.

A bare count carries no time, so it gets the receipt time (``time_source`` "received"): if the broker delivers it twice,
nobody can tell. A retained count is refused, for it may be from last year.
"""

import re
from functools import partial
from typing import Any

from ingest.complaint import shown
from ingest.format import IGNORED, Decoded, Message, Opened, Reader
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.reading import MAIN, Reading

__all__ = ["FORMAT", "Frigate"]

_KIND = "crowd_count"
_OPTIONS = {"zones", "object", "prefix"}
_COUNT = re.compile(rb"[0-9]{1,9}")


class Frigate:
    """Counts per zone, one topic each."""

    name = "frigate"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``."""
        return partial(self._reader, city, options)

    def _reader(self, city: City, options: dict[str, Any], topic: str) -> Reader:
        prefix = f"{options.get('prefix', 'frigate')}/"
        parts = topic.removeprefix(prefix).split("/")
        zones = options.get("zones", {})
        if not topic.startswith(prefix) or len(parts) != 2 or parts[0] not in zones:
            return _ignore
        if parts[1] != options.get("object", "person"):
            return _ignore
        station = zones[parts[0]]
        if station not in city.stations:
            raise RefusedMessage(
                "unknown_station", f"zone {shown(parts[0])}: station {shown(station)} is not here"
            )

        def read(message: Message) -> Decoded:
            return Decoded((_reading(message, station),))

        return read

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        found = [
            f"format frigate has no option {name!r}: use zones, object, prefix"
            for name in options
            if name not in _OPTIONS
        ]
        zones = options.get("zones")
        if not isinstance(zones, dict) or not zones:
            return [*found, 'format frigate needs zones = {frigate_zone = "station-id"}']
        for zone, name in zones.items():
            station = city.stations.get(name) if isinstance(name, str) else None
            if station is None:
                found.append(
                    f"format frigate: zone {zone!r} names station {name!r}, which is not in stations.csv"
                )
            elif station.kind != _KIND:
                found.append(
                    f"format frigate: zone {zone!r} names station {name!r} of kind {station.kind}, not {_KIND}"
                )
        return found


def _ignore(_message: Message) -> Decoded:
    return IGNORED


def _reading(message: Message, station: str) -> Reading:
    if message.retain:
        raise RefusedMessage(
            "retained_without_time",
            "a retained count without a time may be of any age: publish counts unretained",
        )
    payload = message.payload.strip()
    if not _COUNT.fullmatch(payload):
        raise RefusedMessage(
            "not_a_count", f"payload {shown(payload[:60])} is not a bare whole number of persons"
        )
    return Reading(station, _KIND, float(payload), message.received_at, message.received_at, MAIN,
                   time_source="received")  # fmt: skip


FORMAT = Frigate()
