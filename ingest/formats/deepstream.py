"""NVIDIA DeepStream's messages (nvmsgconv): objects seen in a camera's frame in, how many of them there were out.

Options in ``city.toml``: ``sensors = {"camera-3" = "station-id"}`` maps the message's sensor id; ``object`` is the
class that is counted, or a list of classes ("person" unless said otherwise, case does not matter); ``frame_ms`` below.

The minimal schema has a frame in one message, with a line ``id|left|top|right|bottom|class|#|...|confidence`` for each
object: its count is complete, zero too. The full schema has one object in one message, and no message says how many
will come: objects of one sensor are gathered until one of a later frame arrives. So **a count comes one frame late**, a
frame without any object never, and the first frame of a camera is left out, since its beginning may be missing; after a
restart too, unless objects come at QoS 1. What is stamped at most ``frame_ms`` (10) after a frame's first object
belongs to that frame, for newer versions stamp each object anew. Use the minimal schema where you can.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from ingest.complaint import json_of, shown, zoned
from ingest.format import IGNORED, Decoded, Message, Opened, Reader
from ingest.frames import Frame, Frames
from ingest.stamp import aged, milliseconds
from ingest.targets import MAX_NAME, Target, mapping_problems, target, unknown_options
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.reading import Origin, Reading

__all__ = ["FORMAT", "DeepStream"]

_KIND = "crowd_count"
_OPTIONS = ("sensors", "object", "frame_ms")
_FRAME_MS = 10
"""Well under the 33 ms between two frames at 30 a second."""
_MAX_BYTES = 2_000_000
_MOST_NUMBERS = 1 << 64
_CLASS = 5
"""Place of the class in an object's line; before it stand the id and the box."""


class _Options(msgspec.Struct, frozen=True):
    sensors: dict[str, Target]
    objects: frozenset[str]


class DeepStream:
    """Counts of one class of objects per frame."""

    name = "deepstream"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``; a frame of the full schema is gathered whatever topic its objects come on."""
        wanted = options.get("object", "person")
        classes = frozenset(word.casefold() for word in ([wanted] if isinstance(wanted, str) else wanted))
        sensors = {sensor: target(city, text) for sensor, text in options["sensors"].items()}
        return _Pipeline(_Options(sensors, classes), Frames(options.get("frame_ms", _FRAME_MS)))

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        found = unknown_options("format deepstream", options, _OPTIONS)
        wanted = options.get("object", "person")
        words = wanted if isinstance(wanted, list) else [wanted]
        if not words or not all(isinstance(word, str) and word for word in words):
            found.append(
                f'format deepstream: object {wanted!r}: expected a class such as "person", or a list'
            )
        frame_ms = options.get("frame_ms", _FRAME_MS)
        if type(frame_ms) is not int or not 0 <= frame_ms <= 1000:
            found.append(f"format deepstream: frame_ms {frame_ms!r}: expected 0 to 1000 milliseconds")
        return [*found, *mapping_problems(city, "format deepstream: sensors", options.get("sensors"), _KIND)]


class _Pipeline:
    """The cameras of one binding; see ``ingest.format.Remembers``."""

    def __init__(self, options: _Options, frames: Frames) -> None:
        self._options = options
        self._frames = frames

    def __call__(self, _topic: str) -> Reader:
        return self._read

    def dump_changed(self) -> dict[str, bytes]:
        return self._frames.dump_changed()

    def load(self, kept: Mapping[str, bytes]) -> None:
        sensors = self._options.sensors
        self._frames.load({sensor: body for sensor, body in kept.items() if sensor in sensors})

    def _read(self, message: Message) -> Decoded:
        return _read(self._options, self._frames, message)


def _read(options: _Options, frames: Frames, message: Message) -> Decoded:
    found = _json(message.payload)
    if "objects" in found:
        sensor, objects = _text(found, "sensorId"), found["objects"]
        if sensor not in options.sensors:
            return IGNORED
        frame = Frame(at=_instant(found, message), retained=message.retain)
        _count_lines(frame, objects, options.objects)
        return Decoded((_reading(frame, sensor, options, message),))
    if "object" in found:
        return _gathered(found, options, frames, message)
    raise _unreadable(f"found {shown(found)}, expected objects (minimal schema) or object (full schema)")


def _json(payload: bytes) -> dict[str, Any]:
    found = json_of(payload, _MAX_BYTES)
    if not isinstance(found, dict):
        raise _unreadable(f"found {shown(found)}, expected an object")
    return found


def _count_lines(frame: Frame, objects: Any, classes: frozenset[str]) -> None:
    if not isinstance(objects, list):
        raise _unreadable(f"objects is {shown(objects)}, expected an array of lines")
    for line in objects:
        parts = line.split("|") if isinstance(line, str) else []
        if len(parts) <= _CLASS:
            # One object that cannot be read makes the whole count wrong.
            raise _unreadable(f"an object is {shown(line)}, expected id|left|top|right|bottom|class")
        if parts[_CLASS].strip().casefold() in classes:
            frame.count(_last_number(parts) if "#" in parts else None)


def _last_number(parts: list[str]) -> float | None:
    try:
        return float(parts[-1])
    except ValueError:
        return None


def _gathered(found: dict[str, Any], options: _Options, frames: Frames, message: Message) -> Decoded:
    sensor = _text(_table(found, "sensor"), "id")
    if sensor not in options.sensors:
        return IGNORED
    whole = _table(found, "object")
    identity = found.get("messageid", whole.get("id"))
    if isinstance(identity, int) and abs(identity) < _MOST_NUMBERS:
        identity = str(identity)
    if not isinstance(identity, str) or len(identity) > MAX_NAME:
        raise _unreadable(f"messageid is {shown(identity)}: objects cannot be told apart")
    frame = Frame(
        at=_instant(found, message), retained=message.retain, zone=_zone(found), model=_model(found)
    )
    current, ended = frames.place(sensor, frame, identity, message.qos)
    counted = _counted(whole, options.objects)
    if current is not None and counted is not None:
        confidence = counted.get("confidence")
        current.count(float(confidence) if isinstance(confidence, int | float) else None)
    return IGNORED if ended is None else Decoded((_reading(ended, sensor, options, message),))


def _counted(whole: dict[str, Any], classes: frozenset[str]) -> dict[str, Any] | None:
    """What describes the object, when it is of a class that counts: ``type`` says so, or a field of that name."""
    named = whole.get("type")
    if isinstance(named, str) and named.casefold() in classes:
        return whole
    for key, inner in whole.items():
        if key.casefold() in classes:
            return inner if isinstance(inner, dict) else {}
    return None


def _zone(found: dict[str, Any]) -> str:
    place = found.get("place")
    words = (place.get("name"), place.get("id")) if isinstance(place, dict) else ()
    return next((word[:MAX_NAME] for word in words if isinstance(word, str) and word), "")


def _model(found: dict[str, Any]) -> str:
    module = found.get("analyticsModule")
    words = (module.get("source"), module.get("version")) if isinstance(module, dict) else ()
    return " ".join(word[:MAX_NAME] for word in words if isinstance(word, str) and word)


def _reading(frame: Frame, sensor: str, options: _Options, message: Message) -> Reading:
    whose = options.sensors[sensor]
    return Reading(
        whose.station,
        _KIND,
        float(frame.number),
        frame.at,
        message.received_at,
        whose.sensor,
        retained=frame.retained,
        origin=Origin(sensor, frame.zone, frame.model, frame.confidence, 0.0),
    )


def _instant(found: dict[str, Any], message: Message) -> int:
    at = zoned(
        "@timestamp",
        found.get("@timestamp"),
        expected="2026-01-02T03:04:05.000Z",
        naive="no offset: append Z",
    )
    return aged(milliseconds(at), message.received_at, number=False)


def _table(found: dict[str, Any], field: str) -> dict[str, Any]:
    inner = found.get(field)
    if isinstance(inner, dict):
        return inner
    raise _unreadable(f"{field} is {shown(inner)}, expected an object")


def _text(found: dict[str, Any], field: str) -> str:
    inner = found.get(field)
    if isinstance(inner, str):
        return inner
    raise _unreadable(f"{field} is {shown(inner)}, expected the sensor's id as a text")


def _unreadable(why: str) -> RefusedMessage:
    return RefusedMessage("bad_frame", f"no message of DeepStream: {why}")


FORMAT = DeepStream()
