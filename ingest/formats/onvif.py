"""ONVIF events over MQTT: people inside, as a camera's OccupancyCounter counts them.

Topics are ``<prefix>/onvif-ej/RuleEngine/CountAggregation/OccupancyCounter/&<source values>``; the payload is JSON,
``{"UtcTime": "2026-01-02T03:04:05.678Z", "Source": {"VideoSource": "1", "Rule": "Gate"}, "Data": {"Count": "42"}}``,
with numbers in quotes or without, items as above or in ONVIF's own ``{"SimpleItem": [{"Name": ..., "Value": ...}]}``.

Options in ``city.toml``: ``prefix`` (needed: cameras name their rules alike, the prefix tells them apart) and ``rules``
(needed: ``{"Rule" or "VideoSource/Rule" = "station[/sensor]"}``). Rules that are not named, and all other events, are
not for us; an empty payload only deletes what the broker had kept.

The count is those who came in less those who went out since the last reset. It can be negative, when people leave whom
the camera did not see coming or who were inside at the reset. Such a value is kept as it is: quality control flags it
FAIL, which tells the operator that the counter drifts; zero would tell that the place is empty. The plain ``Counter``
counts passages since a reset; bound by mistake, it is refused. ``ResetTime`` is in local time and is not read.
"""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from ingest.complaint import json_of, shown, zoned
from ingest.format import IGNORED, Decoded, Message, Opened, Reader
from ingest.formats.native import MAX_BYTES
from ingest.stamp import aged, milliseconds
from ingest.targets import MAX_NAME, Target, mapping_problems, target, unknown_options
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.reading import Origin, Reading

__all__ = ["FORMAT", "Onvif"]

_KIND = "crowd_count"
_OPTIONS = ("prefix", "rules")
_EVENTS = "RuleEngine/CountAggregation/"
_VIDEO = ("VideoSource", "VideoSourceConfigurationToken", "VideoSourceToken")
_ANALYTICS = ("AnalyticsConfiguration", "VideoAnalyticsConfigurationToken")
_COUNT = re.compile(r"[+-]?[0-9]{1,9}")


class Onvif:
    """Occupancy of one camera, one topic a rule."""

    name = "onvif"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``."""
        rules = {rule: target(city, text) for rule, text in options["rules"].items()}
        return partial(_reader, options["prefix"], rules)

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        form = "format onvif"
        found = unknown_options(form, options, _OPTIONS)
        prefix = options.get("prefix")
        if not isinstance(prefix, str) or set(prefix) & set("+#"):
            found.append(
                f"{form}: prefix is needed: what stands before /onvif-ej/ in this camera's topics, found {prefix!r}"
            )
        return [*found, *mapping_problems(city, f"{form}: rules", options.get("rules"), _KIND)]


class _Place(NamedTuple):
    """What a topic is about."""

    prefix: str
    occupancy: bool
    levels: tuple[str, ...]
    rules: Mapping[str, Target]


def _reader(prefix: str, rules: Mapping[str, Target], topic: str) -> Reader:
    head = f"{prefix}/onvif-ej/" if prefix else "onvif-ej/"
    rest = topic.removeprefix(head).replace("tns1:", "")
    event, _, source = rest.removeprefix(_EVENTS).partition("/")
    if (
        not topic.startswith(head)
        or not rest.startswith(_EVENTS)
        or event not in {"OccupancyCounter", "Counter"}
    ):
        return lambda _message: IGNORED
    levels = tuple(source.removeprefix("&").split("/"))
    return partial(_read, _Place(prefix, event == "OccupancyCounter", levels, rules))


def _read(place: _Place, message: Message) -> Decoded:
    if not message.payload:
        return IGNORED
    event = _event(message.payload)
    source = _items(event.get("Source"))
    video = next((source[name] for name in _VIDEO if name in source), place.levels[0])
    rule = source.get("Rule", place.levels[-1])
    where = place.rules.get(f"{video}/{rule}") or place.rules.get(rule)
    if where is None or event.get("PropertyOperation") == "Deleted":
        return IGNORED
    if not place.occupancy:
        raise RefusedMessage(
            "not_an_occupancy",
            f"rule {shown(rule)} is a Counter: passages since its reset, not people inside; bind an OccupancyCounter",
        )
    camera = "/".join(part for part in (place.prefix, video) if part)
    model = next((source[name] for name in _ANALYTICS if name in source), "")
    origin = Origin(camera[:MAX_NAME], rule, model[:MAX_NAME])
    reading = Reading(
        where.station,
        _KIND,
        float(_count(_items(event.get("Data")))),
        _time(event, message.received_at),
        message.received_at,
        where.sensor,
        retained=message.retain,
        origin=origin,
    )
    return Decoded((reading,))


def _event(payload: bytes) -> dict[str, Any]:
    event = json_of(payload, MAX_BYTES)
    if not isinstance(event, dict):
        raise RefusedMessage(
            "not_an_object", f'found {shown(event)}, expected {{"UtcTime": ..., "Source": ..., "Data": ...}}'
        )
    return event


def _items(found: Any) -> dict[str, str]:
    """The items of Source or Data as texts, in the short form or in ONVIF's own."""
    if isinstance(found, dict) and isinstance(found.get("SimpleItem"), list | dict):
        listed = found["SimpleItem"] if isinstance(found["SimpleItem"], list) else [found["SimpleItem"]]
        found = {str(item.get("Name")): item.get("Value") for item in listed if isinstance(item, dict)}
    if not isinstance(found, dict):
        return {}
    return {name: _word(value) for name, value in found.items()}


def _word(value: Any) -> str:
    """3 and 3.0 are the text "3", so that quoted and unquoted numbers read alike."""
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return value if isinstance(value, str) else shown(value)


def _count(data: dict[str, str]) -> int:
    if "Count" not in data:
        raise RefusedMessage("missing_field", 'Data.Count is missing: expected {"Data": {"Count": 42}}')
    found = data["Count"].strip()
    if not _COUNT.fullmatch(found):
        raise RefusedMessage(
            "not_a_count", f"Data.Count is {shown(found)}: expected a whole number of persons"
        )
    return int(found)


def _time(event: dict[str, Any], received_at: int) -> int:
    found = event.get("UtcTime")
    if found is None:
        raise RefusedMessage("missing_field", "UtcTime is missing: nobody knows when it was so")
    at = zoned(
        "UtcTime", found, expected="RFC 3339, e.g. 2026-01-02T03:04:05Z",
        naive="no Z: it may be the camera's local time; set the camera to UTC",
    )  # fmt: skip
    return aged(milliseconds(at), received_at, number=False)


FORMAT = Onvif()
