"""Objects of a camera that come one by one in, whole frames out: a frame ends when a later one begins."""

from pantau.errors import RefusedMessage

__all__ = ["Frame", "Frames"]

_MOST_OBJECTS = 10_000
"""In one frame; more is no picture but a fault, and would only fill the memory."""

_SET_BACK_MS = 60_000
"""Further back no message is delayed: the camera's clock was set, and gathering begins anew."""


class Frame:
    """Counted objects of one picture.

    Attributes:
        at: when, ms since 1970 UTC.
        number: how many objects counted.
        zone, model: see ``pantau.reading.Origin``.
    """

    def __init__(self, at: int, *, retained: bool = False, zone: str = "", model: str = "") -> None:
        self.at = at
        self.retained = retained
        self.zone = zone
        self.model = model
        self.number = 0
        self._confidences: list[float] = []

    def count(self, confidence: float | None) -> None:
        """One more; a confidence outside 0..1 stands for none (DeepStream writes -0.1)."""
        self.number += 1
        if confidence is not None and 0 <= confidence <= 1:
            self._confidences.append(confidence)

    @property
    def confidence(self) -> float | None:
        """The mean of those objects that have one, None when none has."""
        found = self._confidences
        return round(sum(found) / len(found), 6) if found else None


class Frames:
    """The unfinished frame of each sensor.

    Args:
        within_ms: an object stamped at most so long after its frame's first one belongs to the frame.
    """

    def __init__(self, within_ms: int) -> None:
        self._within_ms = within_ms
        self._frames: dict[str, Frame] = {}
        self._seen: dict[str, set[str | int]] = {}
        self._cut: set[str] = set()

    def place(self, sensor: str, frame: Frame, identity: str | int) -> tuple[Frame | None, Frame | None]:
        """Where an object belongs, and what has ended with it.

        Args:
            frame: the object's own: taken when it begins another than the one that is being gathered.
            identity: the same again is a second delivery.

        Returns:
            The frame that the object belongs to, None when it is in already; and the whole frame before, None when
            this object does not end one, or ends one whose beginning may be missing.

        Raises:
            RefusedMessage: ``frame_over``: the object's frame had ended before it came; ``too_many``.
        """
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
    def _within(now: Frame, seen: set[str | int], identity: str | int) -> Frame | None:
        if identity in seen:
            return None
        if len(seen) >= _MOST_OBJECTS:
            raise RefusedMessage("too_many", f"more than {_MOST_OBJECTS} objects in one frame")
        seen.add(identity)
        return now
