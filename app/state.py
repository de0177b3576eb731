"""The state of a group: what ``step`` needs to judge the next input, as plain data that can be kept and read back.

A group is a connected component of the river links, a crowd zone, or ``system`` for the health of our peers.
"""

from collections.abc import Mapping
from sys import intern
from typing import Any, Never

import msgspec

from models.detector import Detector
from pantau.alert import AlertState
from pantau.city import City
from pantau.ladder import Rung
from pantau.quality import Past

__all__ = ["NOTHING", "VERSION", "GroupState", "SensorState", "dump", "is_calm", "load", "sensor_key"]

VERSION = "2"
"""Of this shape; a snapshot of a version that cannot be read starts afresh and says so."""
_READABLE = frozenset({"1", VERSION})
"""Version 1 had no ``laddered`` and a rung for every sensor with a ladder: it is taken over as it is."""


class _Nothing(dict[str, Any]):
    """The empty dict that all share who have nothing to keep, which is nearly all; writing into it is a bug."""

    def __setitem__(self, key: str, value: object) -> Never:
        raise TypeError(f"{key!r} cannot be kept in the dict that everybody shares: call own() first")

    def setdefault(self, key: str, default: object = None) -> Never:
        """Refused, as every way of writing."""
        self[key] = default

    def update(self, *more: object, **named: object) -> Never:
        """Refused, as every way of writing."""
        self["update"] = (more, named)


NOTHING: dict[str, Any] = _Nothing()
"""Shared by sensors and groups that have nothing to keep; ``own`` gives them dicts of their own."""


def _nothing() -> dict[str, Any]:
    return NOTHING


def sensor_key(station: str, sensor: str) -> str:
    """Key of a sensor within its group."""
    return f"{station}\t{sensor}"


class SensorState(msgspec.Struct, array_like=True, gc=False):
    """One sensor's past.

    Attributes:
        seen_at, seen: the newest reading that was stepped, whatever its flag.
        stored: value kept under ``seen_at`` (differs after a conflicting duplicate).
        past: quality control's memory.
        rungs: where each voice stands on its ladder: ``level``, and detectors by name; without one it stands on the
            ground, as nearly always.
        fast: live state of fast-lane detectors, by name; none of a ``Calm`` one that had nothing to look at yet.
        quiet: no fast detector has anything in force: while the value stays low, none has to be asked.
        laddered: a value was compared with the limits of its station, so its level has a severity, if only 0.
    """

    station: str
    sensor: str
    seen_at: int = 0
    seen: float = 0.0
    stored: float = 0.0
    past: Past = msgspec.field(default_factory=Past)
    rungs: dict[str, Rung] = msgspec.field(default_factory=_nothing)
    fast: dict[str, Any] = msgspec.field(default_factory=_nothing)
    quiet: bool = False
    laddered: bool = False

    def rung(self, voice: str) -> Rung:
        """Where a voice stands, made when first needed."""
        found = self.rungs.get(voice)
        if found is None:
            if self.rungs is NOTHING:
                self.rungs = {}
            found = self.rungs[voice] = Rung()
        return found

    def keep_fast(self, name: str, part: object) -> None:
        """Remember a fast detector's state."""
        if self.fast is NOTHING:
            self.fast = {}
        self.fast[name] = part


class GroupState(msgspec.Struct, gc=False):
    """Everything ``step`` knows of a group; ``own`` before something is written into one of its dicts but ``sensors``.

    Attributes:
        sensors: by ``sensor_key``.
        alerts: by ``str(AlertKey)``: the open alert, or the last one that still waits for an acknowledgement.
        muted: severity up to which an operator closed a condition that still holds, until it has ended.
        out_of_service: stations under repair, with the reason.
        opened: ``opened_at`` of the last alert of each key, so that no two have one id.
    """

    sensors: dict[str, SensorState] = msgspec.field(default_factory=dict)
    alerts: dict[str, AlertState] = msgspec.field(default_factory=_nothing)
    muted: dict[str, int] = msgspec.field(default_factory=_nothing)
    out_of_service: dict[str, str] = msgspec.field(default_factory=_nothing)
    opened: dict[str, int] = msgspec.field(default_factory=_nothing)

    def own(self) -> "GroupState":
        """Itself, with dicts of its own from here on."""
        if self.alerts is NOTHING:
            self.alerts, self.muted, self.out_of_service, self.opened = {}, {}, {}, {}
        return self

    def due(self) -> int:
        """The group's next timer, 0 when it has none."""
        timers = [alert.due for alert in self.alerts.values() if alert.due]
        return min(timers, default=0)


class _Snapshot(msgspec.Struct):
    version: str
    state: GroupState
    fast: dict[str, dict[str, tuple[str, bytes]]]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Snapshot)


_CALM_END = b"".join(_encoder.encode(_Snapshot(VERSION, GroupState(), {})).partition(b"\xa6alerts")[1:])
"""How the bytes end of a group without alerts, repairs and fast detectors' states, whatever its sensors."""


def is_calm(body: bytes) -> bool:
    """Whether a snapshot, if it can be read at all, says that its group has no alert, no timer and no repair.

    Nobody has to look into such a one before an input of its group comes, which is nearly all of a large city.
    """
    return body.endswith(_CALM_END)


def dump(state: GroupState, detectors: Mapping[str, Detector]) -> bytes:
    """The state as bytes; each detector's part carries its name and version."""
    if not any(sensor.fast for sensor in state.sensors.values()):  # nearly always
        return _encoder.encode(_Snapshot(VERSION, state, NOTHING))
    fast = {
        key: {
            name: (detectors[name].version, detectors[name].dump(part)) for name, part in sensor.fast.items()
        }
        for key, sensor in state.sensors.items()
        if sensor.fast
    }
    bare = {
        key: msgspec.structs.replace(sensor, fast={}) if sensor.fast else sensor
        for key, sensor in state.sensors.items()
    }
    return _encoder.encode(_Snapshot(VERSION, msgspec.structs.replace(state, sensors=bare), fast))


def load(body: bytes, detectors: Mapping[str, Detector], city: City) -> GroupState | None:
    """The state back; None when it is of another version or cannot be read (the group then starts afresh).

    A detector that cannot read its own part starts afresh by itself ("warming up"), the rest stays.
    """
    try:
        snapshot = _decoder.decode(body)
    except msgspec.DecodeError:
        return None
    if snapshot.version not in _READABLE:
        return None
    _share(snapshot.state, city)
    for key, parts in snapshot.fast.items():
        sensor = snapshot.state.sensors.get(key)
        station = city.stations.get(sensor.station) if sensor else None
        if sensor is None or station is None:
            continue
        for name, (version, part) in parts.items():
            state = (
                detectors[name].load(version, part, station, city.kinds[station.kind])
                if name in detectors
                else None
            )
            if state is not None:
                sensor.keep_fast(name, state)
    return snapshot.state


def _share(state: GroupState, city: City) -> None:
    """Let what was read back have in common what fresh states have: names, and the dict of those that have nothing."""
    if not (state.alerts or state.muted or state.out_of_service or state.opened):
        state.alerts = state.muted = state.out_of_service = state.opened = NOTHING
    for sensor in state.sensors.values():
        station = city.stations.get(sensor.station)
        if station is not None:
            sensor.station = station.id
        sensor.sensor = intern(sensor.sensor)
        sensor.rungs = sensor.rungs or NOTHING
        sensor.fast = NOTHING
