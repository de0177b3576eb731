"""SenML, JSON and CBOR (RFC 8428): one pack a message, with the records of one device or of a gateway's many.

Options in ``city.toml``: ``names = {"urn:dev:ow:10e2073a01080063:level" = "station-id/sensor"}`` says whose a record is
by its full name (``bn + n``); a name may begin with one ``*`` for any beginning. With ``topic = "senml/{station}/up"``
the level of the message's topic that stands at ``{station}`` can be used on the right:
``names = {"*:level" = "{station}", "*:level2" = "{station}/second"}``. Records of other names are ignored.

A time below 2**28 is relative to the receipt, and none at all means "now": both make ``time_source`` "received", for a
redelivery gets another time and cannot be told. Absolute times are the device's own. Sums, update times and fields that
nobody knows are ignored; a unit may be left out and is the kind's own then.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ingest.complaint import shown
from ingest.format import IGNORED, Decoded, Message, Opened, Reader, Refusal
from ingest.senml import Resolved, pack_of, resolved
from ingest.stamp import LATEST, aged
from ingest.targets import Target, mapping_problems, target, unknown_options
from ingest.units import converted
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.kind import Kind
from pantau.reading import Reading, TimeSource

__all__ = ["FORMAT", "SenML"]

_OPTIONS = ("names", "topic")
_STATION = "{station}"
_ABSOLUTE = 1 << 28
"""Seconds; a smaller time is relative to now (RFC 8428, 4.5.3)."""

_Find = Callable[[str], Target | None]


class SenML:
    """Packs of records, found by their names."""

    name = "senml"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``."""
        return partial(self._reader, city, options)

    def _reader(self, city: City, options: dict[str, Any], topic: str) -> Reader:
        station = _station_in(topic, options.get("topic", ""))
        find = _finder(
            {name: target(city, text.replace(_STATION, station)) for name, text in options["names"].items()}
        )
        return partial(_read, find)

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        found = unknown_options("format senml", options, _OPTIONS)
        names, template = options.get("names"), options.get("topic")
        if template is not None and (
            not isinstance(template, str) or template.split("/").count(_STATION) != 1
        ):
            found.append(
                f"format senml: topic {template!r}: expected one level {_STATION}, as in senml/{_STATION}"
            )
        some = next(iter(city.stations), "")
        plain = names
        if isinstance(names, Mapping):
            for name, text in names.items():
                if "*" in name[1:]:
                    found.append(f"format senml: names: {name!r}: * can only stand at the beginning")
                if isinstance(text, str) and _STATION in text and template is None:
                    found.append(
                        f'format senml: names: {name!r} needs topic = "..." that says where {_STATION} is'
                    )
            plain = {n: t.replace(_STATION, some, 1) if isinstance(t, str) else t for n, t in names.items()}
        return [*found, *mapping_problems(city, "format senml: names", plain)]


def _station_in(topic: str, template: str) -> str:
    if not template:
        return ""
    levels, expected = topic.split("/"), template.split("/")
    if len(levels) != len(expected) or any(
        want not in {have, "+", _STATION} for want, have in zip(expected, levels, strict=True)
    ):
        raise RefusedMessage("bad_topic", f"topic {shown(topic)} is not of the form {shown(template)}")
    return levels[expected.index(_STATION)]


def _finder(targets: dict[str, Target]) -> _Find:
    """Whose a full name is: the exact one first, then the longest ending."""
    endings = sorted(
        ((name[1:], found) for name, found in targets.items() if name.startswith("*")),
        key=lambda entry: -len(entry[0]),
    )

    def find(name: str) -> Target | None:
        if name in targets:
            return targets[name]
        return next((found for ending, found in endings if name.endswith(ending)), None)

    return find


def _read(find: _Find, message: Message) -> Decoded:
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    for record in resolved(pack_of(message.payload), lambda name: find(name) is not None):
        if isinstance(record, Refusal):
            refusals.append(record)
            continue
        whose = find(record.name)
        try:
            if whose is not None:
                readings.append(_reading(record, whose, message))
        except RefusedMessage as refused:
            refusals.append(Refusal(refused.code, f"{shown(record.name)}: {refused.reason}", record.index))
    return Decoded(readings, refusals) if readings or refusals else IGNORED


def _reading(record: Resolved, whose: Target, message: Message) -> Reading:
    at, source = _instant(record.time, message)
    return Reading(
        whose.station,
        whose.kind.name,
        _in_own_unit(record.value, record.unit, whose.kind),
        at,
        message.received_at,
        whose.sensor,
        time_source=source,
        retained=message.retain,
    )


def _in_own_unit(value: float, unit: str | None, kind: Kind) -> float:
    if unit is None or unit == kind.unit:
        return value
    if unit == "count" and kind.unit == "persons":
        return value
    if unit == "m" and unit not in kind.units and "cm" in kind.units:
        return converted(value * 100, "cm", kind)
    return converted(value, unit, kind)


def _instant(time: float | None, message: Message) -> tuple[int, TimeSource]:
    seconds = time or 0.0
    if abs(seconds) * 1000 > LATEST:
        raise RefusedMessage("bad_time", f"the time is {seconds:g} s: SenML counts seconds, not milliseconds")
    if seconds >= _ABSOLUTE:
        return aged(round(seconds * 1000), message.received_at, number=False), "device"
    if message.retain:
        raise RefusedMessage(
            "retained_without_time",
            "a retained record without an absolute time may be of any age: publish it unretained",
        )
    relative = round(seconds * 1000)
    if relative > 0:
        raise RefusedMessage(
            "bad_time",
            f"the time lies {seconds:g} s after now: is it the time since the device started? "
            "Send seconds since 1970, or none",
        )
    return aged(message.received_at + relative, message.received_at, number=False), "received"


FORMAT = SenML()
