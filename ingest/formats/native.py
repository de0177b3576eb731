"""Pantau's own JSON on ``pantau/v1/{city}/{kind}/{station}[/{sensor}]``: one object or an array of at most 10,000.

``{"observed_at": "2026-01-02T03:04:05Z" | epoch milliseconds, "value": 123.4, "unit": "cm", "seq": 17}``; unit and seq
may be left out, other keys are ignored. Good items of an array are kept, each bad one is refused with its index.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import msgspec

from ingest.complaint import NOT_JSON, complaint, not_json, shown
from ingest.format import IGNORED, Decoded, Message, Opened, Reader, Refusal
from ingest.stamp import BACK_MS, LATEST, aged, milliseconds
from ingest.targets import MAX_NAME, is_sensor
from ingest.units import converted
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.kind import Kind
from pantau.reading import MAIN, Reading
from pantau.station import Station

__all__ = ["FORMAT", "MAX_BYTES", "MAX_ITEMS", "Native", "encode", "topic_of"]

MAX_ITEMS = 10_000
MAX_BYTES = 2_000_000
"""Ten thousand items of generous length; a longer payload is refused before anybody parses it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Item(msgspec.Struct, gc=False):
    observed_at: Annotated[datetime, msgspec.Meta(tz=True)] | int | float
    value: float
    unit: str | None = None
    seq: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None


_PAYLOAD = msgspec.json.Decoder(_Item | list[_Item])
_ITEM = msgspec.json.Decoder(_Item)
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


class _Place(msgspec.Struct, frozen=True, gc=False):
    """What a topic is about, and how its items become readings."""

    station: str
    kind: str
    sensor: str
    unit: str
    measured: Kind

    def read(self, message: Message) -> Decoded | Reading:
        try:
            payload = _PAYLOAD.decode(message.payload) if len(message.payload) <= MAX_BYTES else None
        except NOT_JSON:
            payload = None
        if type(payload) is _Item:
            return self.reading(payload, message)
        if payload is None:
            return self._piecewise(message)
        return self._each(payload, message)

    def reading(self, item: _Item, message: Message) -> Reading:
        given, value, received_at = item.observed_at, item.value, message.received_at
        # Written out, for nearly every message takes this way: a time with offset, of a clock that is set.
        if type(given) is int:
            at = given
        else:
            at = round(given.timestamp() * 1000) if type(given) is datetime else milliseconds(given)
        if not received_at - BACK_MS <= at <= LATEST:
            at = aged(at, received_at, number=type(given) is not datetime)
        if item.unit is not None and item.unit != self.unit:
            value = converted(value, item.unit, self.measured)
        return Reading(
            self.station, self.kind, value, at, received_at, self.sensor, item.seq, "device", message.retain
        )

    def _piecewise(self, message: Message) -> Decoded:
        """What is left of a payload that did not decode as a whole: slow, and worded for people."""
        if len(message.payload) > MAX_BYTES:
            raise RefusedMessage(
                "too_large",
                f"payload has {len(message.payload)} bytes, at most {MAX_BYTES}: send smaller arrays",
            )
        if message.payload.lstrip()[:1] != b"[":
            raise complaint(message.payload)
        try:
            items: Sequence[msgspec.Raw] = _ARRAY.decode(message.payload)
        except NOT_JSON as error:
            raise not_json(message.payload, error) from error
        return self._each(items, message)

    def _each(self, items: Sequence[_Item | msgspec.Raw], message: Message) -> Decoded:
        if not items:
            raise RefusedMessage("empty", "the array is empty: send nothing rather than an array of nothing")
        if len(items) > MAX_ITEMS:
            raise RefusedMessage(
                "too_many", f"array of {len(items)} items, at most {MAX_ITEMS}: send several messages"
            )
        readings: list[Reading] = []
        refusals: list[Refusal] = []
        for index, item in enumerate(items):
            try:
                readings.append(self.reading(_item(item) if isinstance(item, msgspec.Raw) else item, message))
            except RefusedMessage as refused:
                refusals.append(Refusal(refused.code, refused.reason, index))
        return Decoded(readings, refusals)


def _item(raw: msgspec.Raw) -> _Item:
    try:
        return _ITEM.decode(raw)
    except NOT_JSON:
        raise complaint(bytes(raw)) from None


class Native:
    """Native JSON; the topic says station and kind, the payload instant and value."""

    name = "native"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``; what Pantau itself publishes under ``public`` is ignored."""
        del options
        return partial(self._reader, city)

    def _reader(self, city: City, topic: str) -> Reader:
        parts = topic.split("/")
        if parts[:2] != ["pantau", "v1"] or len(parts) < 4:
            raise _bad_topic(topic, "it does not begin with pantau/v1/{city}/{kind}")
        if parts[2] != city.id:
            raise RefusedMessage(
                "other_city", f"topic {shown(topic)} is of city {shown(parts[2])}, this is {city.id}"
            )
        if parts[3] == "public":
            return lambda _message: IGNORED
        if parts[3] not in city.kinds:
            raise RefusedMessage("unknown_kind", f"kind {shown(parts[3])} is none of {', '.join(city.kinds)}")
        if len(parts) not in {5, 6}:
            raise _bad_topic(topic, "it has too few or too many levels")
        station = _station(city, parts[4], parts[3])
        sensor = parts[5] if len(parts) == 6 else MAIN
        if not is_sensor(sensor):
            raise _bad_topic(topic, f"a sensor's name has 1 to {MAX_NAME} printable characters")
        kind = city.kinds[station.kind]
        return _Place(station.id, kind.name, sensor, kind.unit, kind).read

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``; there are no options."""
        del city
        return [f"format native has no options, found {', '.join(options)}: remove them"] if options else []


def _station(city: City, name: str, kind: str) -> Station:
    station = city.stations.get(name)
    if station is None:
        raise RefusedMessage(
            "unknown_station", f"station {shown(name)} is not in city {city.id}{_hint(city, name)}"
        )
    if station.kind != kind:
        raise RefusedMessage(
            "wrong_kind",
            f"station {station.id} measures {station.kind}, the topic says {kind}: correct the topic",
        )
    return station


def _hint(city: City, name: str) -> str:
    try:
        return f": topics carry the id, for {name!r} that is {city.find(name).id!r}"
    except LookupError:
        return ": add it to stations.csv, or correct the device's topic"


def _bad_topic(topic: str, why: str) -> RefusedMessage:
    return RefusedMessage(
        "bad_topic",
        f"topic {shown(topic)}: {why}; expected pantau/v1/{{city}}/{{kind}}/{{station}} or .../{{station}}/{{sensor}}",
    )


def topic_of(city: str, reading: Reading) -> str:
    """The topic a device would send this reading to."""
    head = f"pantau/v1/{city}/{reading.kind}/{reading.station}"
    return head if reading.sensor == MAIN else f"{head}/{reading.sensor}"


def encode(*readings: Reading) -> bytes:
    """What a device would send: one object, or an array when there are several (all of one topic)."""
    items = [_encoded(reading) for reading in readings]
    return msgspec.json.encode(items[0] if len(items) == 1 else items)


def _encoded(reading: Reading) -> dict[str, Any]:
    at = (_EPOCH + timedelta(milliseconds=reading.observed_at)).isoformat(timespec="milliseconds")
    item: dict[str, Any] = {"observed_at": at.replace("+00:00", "Z"), "value": reading.value}
    return item if reading.seq is None else {**item, "seq": reading.seq}


FORMAT = Native()
