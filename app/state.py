"""The state of a group: what ``step`` needs to judge the next input, as plain data that can be kept and read back.

A group is a connected component of the river links, a crowd zone, or ``system`` for the health of our peers.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from models.detector import Detector
from pantau.alert import AlertState
from pantau.city import City
from pantau.ladder import Rung
from pantau.quality import Past

__all__ = ["VERSION", "GroupState", "SensorState", "dump", "load", "sensor_key"]

VERSION = "1"
"""Of this shape; a snapshot of another version starts afresh and says so."""


def sensor_key(station: str, sensor: str) -> str:
    """Key of a sensor within its group."""
    return f"{station}\t{sensor}"


class SensorState(msgspec.Struct, array_like=True):
    """One sensor's past.

    Attributes:
        seen_at, seen: the newest reading that was stepped, whatever its flag.
        stored: value kept under ``seen_at`` (differs after a conflicting duplicate).
        past: quality control's memory.
        rungs: where each voice stands on its ladder: ``level``, and detectors by name.
        fast: live state of fast-lane detectors, by name.
        quiet: no fast detector has anything in force: while the value stays low, none has to be asked.
    """

    station: str
    sensor: str
    seen_at: int = 0
    seen: float = 0.0
    stored: float = 0.0
    past: Past = msgspec.field(default_factory=Past)
    rungs: dict[str, Rung] = msgspec.field(default_factory=dict)
    fast: dict[str, Any] = msgspec.field(default_factory=dict)
    quiet: bool = False


class GroupState(msgspec.Struct):
    """Everything ``step`` knows of a group.

    Attributes:
        sensors: by ``sensor_key``.
        alerts: by ``str(AlertKey)``: the open alert, or the last one that still waits for an acknowledgement.
        muted: severity up to which an operator closed a condition that still holds, until it has ended.
        out_of_service: stations under repair, with the reason.
        opened: ``opened_at`` of the last alert of each key, so that no two have one id.
    """

    sensors: dict[str, SensorState] = msgspec.field(default_factory=dict)
    alerts: dict[str, AlertState] = msgspec.field(default_factory=dict)
    muted: dict[str, int] = msgspec.field(default_factory=dict)
    out_of_service: dict[str, str] = msgspec.field(default_factory=dict)
    opened: dict[str, int] = msgspec.field(default_factory=dict)

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


def dump(state: GroupState, detectors: Mapping[str, Detector]) -> bytes:
    """The state as bytes; each detector's part carries its name and version."""
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
    if snapshot.version != VERSION:
        return None
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
                sensor.fast[name] = state
    return snapshot.state
