"""What the slow lane remembers: of each sensor its recent past, of each detector on it a state and its last word."""

from functools import cache

import msgspec

from models.detector import Detector, DetectorState, Sample
from models.voice import Voice
from pantau.event import Score
from pantau.kind import Kind
from pantau.reading import Reading
from pantau.station import Station
from pantau.track import Track

__all__ = ["SELF", "Part", "Sensor"]

SELF = "lane"
"""Where rows have a detector's name, the lane's own row has this one."""
_VERSION = "1"
_NO_TRACK = Track()
"""The slow lane keeps no tracks: none of its detectors looks at one, and each would be a second copy."""
_HOLD_CADENCES = 2
"""Less than the alert machine's three, so that a voice never stops before its alert was lowered."""


class _Past(msgspec.Struct, array_like=True, gc=False):
    """Of one sensor; ``held`` is a reading that waits for its judgement, ``judged_at`` when the last judged one was."""

    at: int = 0
    judged_at: int = 0
    held: Reading | None = None
    held_pending: bool = False


class _Kept(msgspec.Struct, array_like=True):
    voice: Voice
    state: bytes


_SILENT = Voice()
"""Of all who never said anything; nobody speaks with it."""


class Part:
    """One detector on one sensor.

    Attributes:
        state: the detector's own.
        waits: when its timer is due, ms; None without one.
    """

    __slots__ = ("_kept", "_voice", "state", "waits")

    def __init__(self, state: DetectorState, voice: Voice = _SILENT) -> None:
        self.state = state
        self._voice = _SILENT if voice == _SILENT else voice
        self.waits: int | None = None
        self._kept = 0

    def speaks(self, detector: Detector, answer: Score, gap_ms: int) -> bool:
        """Whether the answer is news; an outlook always is."""
        if self._voice is _SILENT:
            self._voice = Voice()
        news = self._voice.speaks(detector.ladder, answer.score, answer.at, gap_ms=gap_ms)
        return news or answer.outlook is not None

    def dump_changed(self, detector: Detector) -> list[bytes]:
        """The body to keep, none when it is the one kept last."""
        body = msgspec.msgpack.encode(_Kept(self._voice, detector.dump(self.state)))
        if hash(body) == self._kept:
            return []
        self._kept = hash(body)
        return [body]

    @classmethod
    def load(cls, detector: Detector, version: str, body: bytes, sensor: "Sensor") -> "Part | None":
        """A part from its body; None when it cannot be used any more."""
        try:
            kept = msgspec.msgpack.decode(body, type=_Kept)
        except msgspec.MsgspecError:
            return None
        state = detector.load(version, kept.state, sensor.station, sensor.kind)
        if state is None:
            return None
        part = cls(state, kept.voice)
        part._kept = hash(body)
        return part


@cache
def _pace(cadence_ms: int) -> tuple[int, int]:
    """``hold_gap_ms`` and the spacing of what is judged, the same numbers for all sensors of a cadence."""
    return _HOLD_CADENCES * cadence_ms, cadence_ms // 2


class Sensor:
    """One sensor of a station with its recent past.

    Attributes:
        version: of its own row.
        hold_gap_ms: longest silence across which a hold goes on.
        parts: by detector.
    """

    __slots__ = ("_kept", "_past", "_spacing_ms", "hold_gap_ms", "kind", "parts", "station")

    version = _VERSION

    def __init__(self, station: Station, kind: Kind) -> None:
        self.station = station
        self.kind = kind
        self.hold_gap_ms, self._spacing_ms = _pace(station.cadence_ms)
        self.parts: dict[str, Part] = {}
        self._past = _Past()
        self._kept = 0

    @property
    def flush_at(self) -> int | None:
        """When the held reading is judged if no other comes, ms; None without one."""
        held = self._past.held
        return None if held is None else held.received_at + self._spacing_ms

    def holds(self, reading: Reading, *, pending: bool) -> bool:
        """The short way of ``follow`` in the midst of a burst: the reading takes the held one's place, if it may."""
        past, at = self._past, reading.observed_at
        held = past.held
        if (
            held is None or pending or at <= past.at
            or at - past.judged_at >= self._spacing_ms or at - held.observed_at >= self._spacing_ms
        ):  # fmt: skip
            return False
        past.at, past.held, past.held_pending = at, reading, False
        return True

    def follow(self, reading: Reading, *, pending: bool) -> list[Sample]:
        """Take the next reading; what is to be judged now, oldest first.

        Sensors are judged at their own cadence: a reading less than half a cadence after the last judged one is held,
        the next one takes its place, and the last of such a burst is judged when the burst is over. What is not newer
        than the last reading was seen before (a batch handed over again) and is passed over.
        """
        past, at = self._past, reading.observed_at
        if at <= past.at:
            return []
        due: list[Sample] = []
        if past.held is not None and at - past.held.observed_at >= self._spacing_ms:
            due += self.flush()
        past.at = at
        past.held, past.held_pending = reading, pending
        if at - past.judged_at >= self._spacing_ms:
            due += self.flush()
        return due

    def flush(self) -> list[Sample]:
        """The held reading, to be judged now."""
        past = self._past
        reading = past.held
        if reading is None:
            return []
        past.held, past.judged_at = None, reading.observed_at
        return [Sample(reading, _NO_TRACK, past.held_pending, None)]

    def dump_changed(self) -> list[bytes]:
        """The body of its own row, none when it is the one kept last."""
        body = msgspec.msgpack.encode(self._past)
        if hash(body) == self._kept:
            return []
        self._kept = hash(body)
        return [body]

    def load(self, version: str, body: bytes) -> bool:
        """Its own row back; False when it cannot be used."""
        if version != self.version:
            return False
        try:
            self._past = msgspec.msgpack.decode(body, type=_Past)
        except msgspec.MsgspecError:
            return False
        self._kept = hash(body)
        return True
