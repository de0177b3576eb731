"""Frigate: how many are in view now, from its bare counts or from its events, and when it is away.

``frigate/<camera or zone>/<object>`` carries an integer. A bare count has no time, so it gets the receipt time
(``time_source`` "received"): if the broker delivers it twice, nobody can tell; a retained one is refused, for it may be
from last year. ``frigate/available`` and ``frigate/<camera>/status/detect`` say when nothing is counted at all.

Options in ``city.toml``: ``zones`` (needed: ``{zone or camera = "station[/sensor]"}``), ``object`` ("person" unless
said otherwise), ``prefix`` ("frigate"), ``cameras`` (``{camera = ["zone"]}``: which zones are blind when it is).
Cameras and zones that are not named and other sub-topics (``/active``, ``/snapshot``) are not for us and are ignored.

With ``source = "events"`` the counts are made of ``frigate/events`` instead, which have the camera's own time and a
score: an object counts in its ``current_zones`` and in its camera until it ends, unless ``without`` (a list of
``"false_positive"``, which is the default, and ``"stationary"``) leaves it out, or nothing is heard of it for
``forget_s`` (300). Events say what changes, not who is there: in the first ``learn_s`` (90) we only listen, and again
after every restart unless events come at QoS 1, which the broker keeps for us.

Source:
    Frigate, docs/docs/integrations/mqtt.md; it tells of each object that it follows at least once a minute
    (frigate/track/tracked_object.py, 0.16), hence the two times.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import msgspec

from ingest.complaint import NOT_JSON, check_size, not_json, shown
from ingest.format import IGNORED, Decoded, Gone, Message, Opened, Reader
from ingest.formats.native import MAX_BYTES
from ingest.sightings import Sighting, Sightings
from ingest.stamp import LATEST, aged
from ingest.targets import MAX_NAME, Target, mapping_problems, target, unknown_options
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.reading import Origin, Reading

__all__ = ["FORMAT", "Frigate"]

_KIND = "crowd_count"
_MODEL = "frigate"
_OPTIONS = ("zones", "object", "prefix", "cameras", "source", "without", "forget_s", "learn_s")
_SOURCES = ("counts", "events")
_LEFT_OUT = ("false_positive", "stationary")
_FORGET_S = 300
"""Five times what Frigate promises: an object whose end was lost is counted for no longer than that."""
_LEARN_S = 90
"""Until then everybody who is there has been told of, whom we cannot know after our own start."""
_LONGEST_S = 864_000
_COUNT = re.compile(rb"[0-9]{1,9}")


class _Object(msgspec.Struct, gc=False):
    id: str
    camera: str
    label: str
    frame_time: float
    end_time: float | None = None
    score: float | None = None
    false_positive: bool = False
    stationary: bool = False
    current_zones: list[str] = []


class _Event(msgspec.Struct, gc=False):
    type: Literal["new", "update", "end"]
    after: _Object


_EVENTS = msgspec.json.Decoder(_Event)


class _Binding(NamedTuple):
    """The options, read once."""

    zones: dict[str, Target]
    object: str
    prefix: str
    cameras: dict[str, list[str]]
    events: bool
    without: Sequence[str]
    sightings: Sightings


class Frigate:
    """Counts per zone, of one installation."""

    name = "frigate"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``."""
        binding = _Binding(
            {zone: target(city, text) for zone, text in options["zones"].items()},
            options.get("object", "person"),
            f"{options.get('prefix', 'frigate')}/",
            options.get("cameras", {}),
            options.get("source") == "events",
            options.get("without", ["false_positive"]),
            Sightings(
                int(options.get("forget_s", _FORGET_S) * 1000),
                int(options.get("learn_s", _LEARN_S) * 1000),
                str([options.get(name) for name in ("zones", "object", "prefix", "source", "without")]),
            ),
        )
        return _Installation(binding)

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        form = "format frigate"
        found = unknown_options(form, options, _OPTIONS)
        found += mapping_problems(city, f"{form}: zones", options.get("zones"), _KIND)
        return [*found, *(f"{form}: {text}" for text in _problems(options))]


def _problems(options: dict[str, Any]) -> Iterator[str]:
    zones, cameras = options.get("zones"), options.get("cameras", {})
    for name in ("object", "prefix"):
        if not isinstance(options.get(name, "x"), str) or not options.get(name, "x"):
            yield f"{name} must be a word, found {options[name]!r}"
    if not isinstance(cameras, dict) or not all(isinstance(names, list) for names in cameras.values()):
        yield f'cameras must be {{camera = ["zone"]}}, found {cameras!r}'
    elif isinstance(zones, dict):
        yield from (
            f"cameras: {camera!r} names zone {zone!r}, which is not in zones"
            for camera, names in cameras.items()
            for zone in names
            if zone not in zones
        )
    if options.get("source", "counts") not in _SOURCES:
        yield f"source must be one of {', '.join(_SOURCES)}, found {options['source']!r}"
    without = options.get("without", [])
    if not isinstance(without, list) or not all(word in _LEFT_OUT for word in without):
        yield f"without must be a list of {', '.join(_LEFT_OUT)}, found {without!r}"
    for name in ("forget_s", "learn_s"):
        seconds = options.get(name, 0)
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 0 <= seconds <= _LONGEST_S
        ):
            yield f"{name} must be 0 to {_LONGEST_S} seconds, found {seconds!r}"


class _Installation:
    """The topics of one binding; see ``ingest.format.Remembers``."""

    def __init__(self, binding: _Binding) -> None:
        self._binding = binding

    def __call__(self, topic: str) -> Reader:
        return _reader(self._binding, topic)

    def dump_changed(self) -> dict[str, bytes]:
        return self._binding.sightings.dump_changed()

    def load(self, kept: Mapping[str, bytes]) -> None:
        self._binding.sightings.load(kept)


def _reader(binding: _Binding, topic: str) -> Reader:
    if not topic.startswith(binding.prefix):
        return _ignore
    match topic.removeprefix(binding.prefix).split("/"):
        case ["available"]:
            return partial(_available, binding)
        case ["events"] if binding.events:
            return partial(_event, binding)
        case [camera, "status", "detect"]:
            names = [camera, *binding.cameras.get(camera, [])]
            return partial(
                _status, camera, {name: binding.zones[name] for name in names if name in binding.zones}
            )
        case [zone, found] if not binding.events and zone in binding.zones and found == binding.object:
            return partial(_counted, zone, binding.zones[zone])
        case _:
            return _ignore


def _ignore(_message: Message) -> Decoded:
    return IGNORED


def _available(binding: _Binding, message: Message) -> Decoded:
    word = _word(message, {b"online", b"offline"})
    binding.sightings.knows_all(message.received_at)
    # The broker keeps "online" and says it again whenever we connect: only a fresh one is a start.
    if word == b"offline" or not message.retain:
        binding.sightings.clear()
    return _gone(binding.zones, message, "Frigate is offline") if word == b"offline" else IGNORED


def _status(camera: str, zones: dict[str, Target], message: Message) -> Decoded:
    word = _word(message, {b"online", b"offline", b"disabled"}) if zones else b"online"
    return (
        IGNORED
        if word == b"online"
        else _gone(zones, message, f"Frigate: camera {shown(camera)} is {word.decode()}")
    )


def _word(message: Message, known: set[bytes]) -> bytes:
    word = message.payload.strip()
    if word not in known:
        words = " or ".join(sorted(known_word.decode() for known_word in known))
        raise RefusedMessage("bad_payload", f"payload {shown(message.payload[:60])}: expected {words}")
    return word


def _gone(zones: dict[str, Target], message: Message, reason: str) -> Decoded:
    sensors = dict.fromkeys((where.station, where.sensor) for where in zones.values())
    return Decoded(
        (), gone=[Gone(station, sensor, message.received_at, reason) for station, sensor in sensors]
    )


def _counted(zone: str, where: Target, message: Message) -> Decoded:
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
    at = message.received_at
    reading = Reading(where.station, _KIND, float(payload), at, at, where.sensor,
                      time_source="received", origin=Origin(zone=zone, model=_MODEL))  # fmt: skip
    return Decoded((reading,))


def _event(binding: _Binding, message: Message) -> Decoded:
    if message.retain:
        raise RefusedMessage(
            "retained", "a retained event says nothing of who is there now: publish events unretained"
        )
    event = _decoded(message.payload)
    found = event.after
    if binding.object not in {"all", found.label}:
        return IGNORED
    at = _time(found, message.received_at)
    zones = {*found.current_zones, found.camera} if _counts(event, binding.without) else set[str]()
    seen = Sighting(frozenset(zones & binding.zones.keys()), at, message.received_at, _score(found))
    whole = binding.sightings.knows_all(message.received_at)
    news = binding.sightings.note(found.id, seen, message.qos)
    if not news or not whole:
        return IGNORED
    return Decoded([_reading(binding, zone, found.camera, at, message) for zone in sorted(news)])


def _decoded(payload: bytes) -> _Event:
    check_size(payload, MAX_BYTES)
    try:
        event = _EVENTS.decode(payload)
    except msgspec.ValidationError as error:
        raise RefusedMessage(
            "bad_payload", f"payload is not an event of Frigate: {shown(str(error))}"
        ) from error
    except NOT_JSON as error:
        raise not_json(payload, error) from error
    if len(event.after.id) > MAX_NAME:
        raise RefusedMessage(
            "bad_payload", f"the object's id has {len(event.after.id)} characters, at most {MAX_NAME}"
        )
    return event


def _counts(event: _Event, without: Sequence[str]) -> bool:
    """Whether the object is there and wanted."""
    if event.type == "end" or event.after.end_time is not None:
        return False
    return not any(getattr(event.after, word) for word in without)


def _time(found: _Object, received_at: int) -> int:
    """When it was so: Frigate's epoch seconds with a fraction, in milliseconds."""
    seconds = max(found.frame_time, found.end_time or 0.0)
    if not abs(seconds) <= LATEST / 1000:
        raise RefusedMessage("bad_time", f"frame_time is {seconds!r}: expected epoch seconds")
    return aged(round(seconds * 1000), received_at, number=False)


def _score(found: _Object) -> float | None:
    return None if found.score is None else min(max(found.score, 0.0), 1.0)


def _reading(binding: _Binding, zone: str, camera: str, at: int, message: Message) -> Reading:
    where = binding.zones[zone]
    number, score = binding.sightings.count(zone, message.received_at, at)
    return Reading(
        where.station,
        _KIND,
        float(number),
        binding.sightings.moment(zone, at),
        message.received_at,
        where.sensor,
        origin=Origin(camera[:100], zone, _MODEL, score),
    )


FORMAT = Frigate()
