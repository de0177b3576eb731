"""Objects of a camera that come one by one in, whole frames out: a frame ends when a later one begins.

The unfinished frame outlives a restart if its objects were sent at QoS 1: only then the broker kept those that came
while we were away.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from pantau.errors import RefusedMessage

__all__ = ["Frame", "Frames"]

_MOST_OBJECTS = 10_000
"""In one frame; more is no picture but a fault, and would only fill the memory."""

_MOST_KEPT = 1_000
"""Objects of a frame that is kept, of at most 400 bytes each; a larger one is left out after a restart."""

_SET_BACK_MS = 60_000
"""Further back no message is delayed: the camera's clock was set, and gathering begins anew."""


class Frame(msgspec.Struct, kw_only=True):
    """Counted objects of one picture.

    Attributes:
        at: when, ms since 1970 UTC.
        number: how many objects counted.
        zone, model: see ``pantau.reading.Origin``.
        sure: sum of the confidences of the ``rated`` objects that have one.
    """

    at: int
    retained: bool = False
    zone: str = ""
    model: str = ""
    number: int = 0
    sure: float = 0.0
    rated: int = 0

    def count(self, confidence: float | None) -> None:
        """One more; a confidence outside 0..1 stands for none (DeepStream writes -0.1)."""
        self.number += 1
        if confidence is not None and 0 <= confidence <= 1:
            self.sure += confidence
            self.rated += 1

    @property
    def confidence(self) -> float | None:
        """The mean of those objects that have one, None when none has."""
        return round(self.sure / self.rated, 6) if self.rated else None


class _Kept(msgspec.Struct, array_like=True):
    """The unfinished frame of a sensor as it is kept; ``cut``: its beginning may be missing."""

    version: Literal[1]
    cut: bool
    frame: Frame
    seen: list[str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Kept).decode


class Frames:
    """The unfinished frame of each sensor.

    Args:
        within_ms: an object stamped at most so long after its frame's first one belongs to the frame.
    """

    def __init__(self, within_ms: int) -> None:
        self._within_ms = within_ms
        self._frames: dict[str, Frame] = {}
        self._seen: dict[str, set[str]] = {}
        self._cut: set[str] = set()
        self._lossy: set[str] = set()
        self._changed: set[str] = set()
        self._kept: set[str] = set()

    def place(
        self, sensor: str, frame: Frame, identity: str, qos: int = 1
    ) -> tuple[Frame | None, Frame | None]:
        """Where an object belongs, and what has ended with it.

        Args:
            frame: the object's own: taken when it begins another than the one that is being gathered.
            identity: the same again is a second delivery.
            qos: at 0, what comes while we are away is lost.

        Returns:
            The frame that the object belongs to, None when it is in already; and the whole frame before, None when
            this object does not end one, or ends one whose beginning may be missing.

        Raises:
            RefusedMessage: ``frame_over``: the object's frame had ended before it came; ``too_many``.
        """
        (self._lossy.discard if qos else self._lossy.add)(sensor)
        self._changed.add(sensor)
        now = self._frames.get(sensor)
        ended: Frame | None = None
        if now is None or frame.at < now.at - _SET_BACK_MS:
            self._cut.add(sensor)
        elif frame.at > now.at + self._within_ms:
            ended = None if sensor in self._cut else now
            self._cut.discard(sensor)
        elif frame.at < now.at - self._within_ms:
            raise RefusedMessage(
                "frame_over",
                f"the object is {now.at - frame.at} ms older than the frame that is being counted: its own is over",
            )
        else:
            return self._within(now, self._seen[sensor], identity), None
        self._frames[sensor], self._seen[sensor] = frame, {identity}
        return frame, ended

    @staticmethod
    def _within(now: Frame, seen: set[str], identity: str) -> Frame | None:
        if identity in seen:
            return None
        if len(seen) >= _MOST_OBJECTS:
            raise RefusedMessage("too_many", f"more than {_MOST_OBJECTS} objects in one frame")
        seen.add(identity)
        return now

    def dump_changed(self) -> dict[str, bytes]:
        """The unfinished frames that changed, by sensor; see ``ingest.format.Remembers``."""
        if not self._changed:
            return {}
        sure = self._changed & self._frames.keys() - self._lossy
        found = dict.fromkeys(self._changed & self._kept & self._lossy, b"")
        self._kept = self._kept - found.keys() | sure
        self._changed.clear()
        return found | {sensor: self._dump(sensor) for sensor in sure}

    def _dump(self, sensor: str) -> bytes:
        frame, seen = self._frames[sensor], self._seen[sensor]
        if len(seen) > _MOST_KEPT:
            return _encode(_Kept(1, cut=True, frame=Frame(at=frame.at), seen=[]))
        return _encode(_Kept(1, cut=sensor in self._cut, frame=frame, seen=list(seen)))

    def load(self, kept: Mapping[str, bytes]) -> None:
        """Take over what ``dump_changed`` gave.

        Raises:
            msgspec.DecodeError: it is of another version.
        """
        self._kept.update(kept)
        for sensor, body in kept.items():
            found = _decode(body)
            self._frames[sensor], self._seen[sensor] = found.frame, set(found.seen)
            if found.cut:
                self._cut.add(sensor)
