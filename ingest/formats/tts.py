"""The Things Stack v3 uplinks: ``v3/{application}@{tenant}/devices/{device}/up``, one LoRaWAN device's message each.

Options in ``city.toml``: ``devices = {"level-17" = "station-id/sensor"}`` with ``value = "distance"``, the key of the
decoded payload that holds the value (``a.b`` for a key within); or, for a device that measures several things, a table
of such keys: ``devices.level-17 = {"level" = "station-id", "rain.mm" = "rain-id"}``. ``unit`` is the values' unit, one
word or a table by key (the kind's own unless said); ``time`` a key of the decoded payload with the device's own time
(RFC 3339, or seconds or milliseconds since 1970); ``ports`` the only f_ports that carry values, others are ignored.

The stack leaves out its own fields that are 0, "" or false: no ``f_cnt`` is counter 0. It becomes ``seq``, but not
where ``ports`` is set: the device counts its other messages too. What the device's payload formatter returned is left
as it is, zeros too, so a value that is missing there is missing. Without a time of the device the network's own receipt
is taken (``time_source`` "received"), which a second delivery repeats.
"""

from functools import partial
from typing import Any

import msgspec

from ingest.complaint import NOT_JSON, check_size, not_json, shown, zoned
from ingest.format import IGNORED, Decoded, Message, Opened, Reader, Refusal
from ingest.stamp import aged, milliseconds
from ingest.targets import Target, mapping_problems, target, target_problem, unknown_options
from ingest.units import converted
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.reading import Reading, TimeSource

__all__ = ["FORMAT", "TheThingsStack"]

_OPTIONS = ("devices", "value", "unit", "time", "ports")
_MAX_BYTES = 100_000
"""A LoRaWAN payload has at most 242 bytes; what is decoded from it, with every gateway's metadata, a few thousand."""
_SECONDS_BELOW = 100_000_000_000
"""A number of a device's clock below it counts seconds (the year 5138), above it milliseconds (since 1973)."""

_F_CNTS = 1 << 32


class _Uplink(msgspec.Struct):
    decoded_payload: Any = None
    f_cnt: Any = 0
    f_port: Any = 0
    frm_payload: Any = ""
    received_at: Any = None


class _Up(msgspec.Struct):
    uplink_message: _Uplink | None = None
    received_at: Any = None
    simulated: Any = False


_UP = msgspec.json.Decoder(_Up)


class _Source(msgspec.Struct, frozen=True):
    """One value of a device: where it stands, in which unit, and whose it is."""

    path: str
    unit: str | None
    whose: Target


class _Device(msgspec.Struct, frozen=True):
    sources: list[_Source]
    time: str | None
    ports: list[int] | None


class TheThingsStack:
    """Uplinks of LoRaWAN devices, found by their device id in the topic."""

    name = "tts"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``."""
        return partial(self._reader, city, options)

    def _reader(self, city: City, options: dict[str, Any], topic: str) -> Reader:
        levels = topic.split("/")
        if len(levels) < 3 or levels[-3] != "devices" or levels[-1] != "up":
            return _ignore  # joins, downlinks, locations, service data
        entry = options["devices"].get(levels[-2])
        if entry is None:
            return _ignore
        places = {options["value"]: entry} if isinstance(entry, str) else entry
        units = options.get("unit")
        sources = [
            _Source(path, units.get(path) if isinstance(units, dict) else units, target(city, text))
            for path, text in places.items()
        ]
        return partial(_read, _Device(sources, options.get("time"), options.get("ports")))

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        found = unknown_options("format tts", options, _OPTIONS)
        found += [
            f"format tts: {name} {options[name]!r}: expected a key of the decoded payload"
            for name in ("value", "time")
            if name in options and not _is_path(options[name])
        ]
        ports = options.get("ports", [1])
        if not isinstance(ports, list) or not ports or any(type(port) is not int for port in ports):
            found.append(f"format tts: ports {ports!r}: expected a list of numbers such as [2]")
        return found + _device_problems(city, options)


def _device_problems(city: City, options: dict[str, Any]) -> list[str]:
    devices, found = options.get("devices"), []
    if not isinstance(devices, dict) or not devices:
        return ['format tts: devices is needed: {device_id = "station-id" or "station-id/sensor"}']
    for device, entry in devices.items():
        where = f"format tts: devices: {device!r}"
        if isinstance(entry, dict):
            found += mapping_problems(city, where, entry)
            found += [
                f"{where}: {path!r} is no key of a decoded payload" for path in entry if not _is_path(path)
            ]
        elif problem := target_problem(city, entry):
            found.append(f"{where} {problem}")
        elif "value" not in options:
            found.append(
                f'{where}: value = "..." is needed: the key of the decoded payload that holds the value'
            )
    return found or _unit_problems(city, options)


def _unit_problems(city: City, options: dict[str, Any]) -> list[str]:
    units, found = options.get("unit"), []
    for device, entry in options["devices"].items():
        places = {options.get("value", ""): entry} if isinstance(entry, str) else entry
        for path, text in places.items():
            unit = units.get(path) if isinstance(units, dict) else units
            taken = target(city, text).kind.units
            if unit is not None and unit not in taken:
                found.append(
                    f"format tts: devices: {device!r}: unit {unit!r} of {path!r}: expected {', '.join(taken)}"
                )
    return found


def _is_path(found: object) -> bool:
    return isinstance(found, str) and all(found.split("."))


def _ignore(_message: Message) -> Decoded:
    return IGNORED


def _read(device: _Device, message: Message) -> Decoded:
    check_size(message.payload, _MAX_BYTES)
    up = _up(message.payload)
    uplink = up.uplink_message
    if uplink is None:
        raise RefusedMessage(
            "not_an_uplink", "uplink_message is missing: expected an uplink of The Things Stack v3"
        )
    if up.simulated:
        raise RefusedMessage(
            "simulated", "the uplink was simulated in The Things Stack: nobody measured its values"
        )
    if device.ports is not None and uplink.f_port not in device.ports:
        return IGNORED
    if uplink.decoded_payload is None:
        if not uplink.frm_payload:
            return IGNORED  # only commands of the network layer, or an empty sign of life
        raise RefusedMessage(
            "missing_field",
            "decoded_payload is missing: give the device a payload formatter in The Things Stack",
        )
    return _readings(device, uplink, _instant(device.time, uplink, up, message), message)


def _readings(device: _Device, uplink: _Uplink, instant: tuple[int, TimeSource], message: Message) -> Decoded:
    at, source = instant
    # With other ports left out, the counter would seem to lose their messages.
    counted = device.ports is None and type(uplink.f_cnt) is int and 0 <= uplink.f_cnt < _F_CNTS
    seq = uplink.f_cnt if counted else None
    readings: list[Reading] = []
    refusals: list[Refusal] = []
    for wanted in device.sources:
        whose = wanted.whose
        try:
            value = _value(uplink.decoded_payload, wanted)
        except RefusedMessage as refused:
            refusals.append(Refusal(refused.code, refused.reason))
            continue
        readings.append(
            Reading(whose.station, whose.kind.name, value, at, message.received_at, whose.sensor, seq, source,
                    retained=message.retain)
        )  # fmt: skip
    return Decoded(readings, refusals)


def _up(payload: bytes) -> _Up:
    try:
        return _UP.decode(payload)
    except NOT_JSON:
        pass
    try:
        found = msgspec.json.decode(payload)
    except NOT_JSON as error:
        raise not_json(payload, error) from None
    raise RefusedMessage("not_an_uplink", f"found {shown(found)}, expected an uplink of The Things Stack v3")


def _at(payload: Any, path: str) -> Any:
    """What stands at a path; KeyError when nothing does."""
    for key in path.split("."):
        if not isinstance(payload, dict):
            raise KeyError(path)
        payload = payload[key]
    return payload


def _value(payload: Any, wanted: _Source) -> float:
    try:
        found = _at(payload, wanted.path)
    except KeyError:
        raise RefusedMessage(
            "missing_field", f"decoded_payload has no {wanted.path}, found {shown(payload)}"
        ) from None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise RefusedMessage(
            "bad_value", f"{wanted.path} is {shown(found)}: expected a number, without quotes"
        )
    unit, kind = wanted.unit, wanted.whose.kind
    return float(found) if unit is None or unit == kind.unit else converted(found, unit, kind)


def _instant(path: str | None, uplink: _Uplink, up: _Up, message: Message) -> tuple[int, TimeSource]:
    if path is not None:
        try:
            found = _at(uplink.decoded_payload, path)
        except KeyError:
            pass  # a device without a fix leaves its time out
        else:
            return _device_time(path, found, message.received_at), "device"
    for found in (uplink.received_at, up.received_at):
        if found is not None:
            return aged(_rfc3339("received_at", found), message.received_at, number=False), "received"
    if message.retain:
        raise RefusedMessage("retained_without_time", "a retained uplink without any time may be of any age")
    return message.received_at, "received"


def _device_time(path: str, found: Any, received_at: int) -> int:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return aged(_rfc3339(path, found), received_at, number=False)
    if abs(found) < _SECONDS_BELOW:
        return aged(round(found * 1000), received_at, number=False)
    return aged(milliseconds(found), received_at, number=False)


def _rfc3339(field: str, found: Any) -> int:
    naive = "no offset: append Z or the local one"
    return milliseconds(zoned(field, found, expected="2026-01-02T03:04:05Z", naive=naive))


FORMAT = TheThingsStack()
