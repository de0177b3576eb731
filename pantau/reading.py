"""A reading: one value of one kind at one station at one instant, and what quality control says of it."""

from enum import IntEnum
from typing import Literal

import msgspec

__all__ = ["MAIN", "Flag", "Origin", "Reading", "TimeSource"]

MAIN = "main"
"""Name of a station's sensor when the topic names none."""

TimeSource = Literal["device", "received"]


class Flag(IntEnum):
    """Quality flag on QARTOD's published scale; a value is flagged, never deleted.

    Source:
        IOOS, Manual for Real-Time Quality Control of Water Level Data, v2.1 (2021).
    """

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


class Origin(msgspec.Struct, array_like=True, omit_defaults=True, frozen=True, gc=False):
    """What counted: a count says little without how and where it was made. Empty or None: the message did not say.

    Attributes:
        camera, zone: as the camera system names them.
        model: program or network that counted, with its version where it has one.
        confidence: 0..1, of the count as a whole.
        window_s: over how many seconds the count was taken; 0 is a single frame.
    """

    camera: str = ""
    zone: str = ""
    model: str = ""
    confidence: float | None = None
    window_s: float | None = None


class Reading(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """One value; ``flag`` and ``reason`` are filled in by quality control.

    Its identity is (station, sensor, kind, observed_at): twice delivered is once stored.

    Attributes:
        station: id in the city's ``stations.csv``.
        kind: name of a kind in ``pantau.kinds``.
        value: in the kind's unit; water level: cm above the station's own gauge zero, may be negative.
        observed_at: when it was so, ms since 1970 UTC.
        received_at: when it reached us, ms since 1970 UTC.
        sensor: which of the station's sensors.
        seq: the device's own counter, where it sends one.
        time_source: ``received`` when the message carried no time of its own.
        retained: the broker kept it for us: it never makes a sensor look alive.
        source: ``device``, or ``operator:<name>`` for a manual reading.
        flag: a ``Flag`` as a plain integer.
        reason: why the flag is not GOOD, empty otherwise.
        vouched: an operator says that the value was really read so, however far it jumps.
        historical: sent or imported as history: it is stored and never moves the live value.
        origin: of a count: camera, zone, model, confidence, window.
    """

    station: str
    kind: str
    value: float
    observed_at: int
    received_at: int
    sensor: str = MAIN
    seq: int | None = None
    time_source: TimeSource = "device"
    retained: bool = False
    source: str = "device"
    flag: int = 2
    reason: str = ""
    vouched: bool = False
    historical: bool = False
    origin: Origin | None = None
