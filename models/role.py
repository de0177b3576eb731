"""A role: what the slow lane has to know of a detector at every reading, looked up once."""

from collections.abc import Callable
from typing import NamedTuple

from models.detector import Detector, DetectorState
from models.untimed import Untimed

__all__ = ["MOST_STATIONS", "Role"]

MOST_STATIONS = 10_000
"""Stations that every slow detector follows: states of up to 8 kB a detector have to fit into one process."""


class Role(NamedTuple):
    """A detector in the slow lane.

    Attributes:
        whole: wants one call for a whole batch.
        last: is asked after the others.
        timed: time passing may mean something to it.
        everywhere: follows every sensor, however many there are.
        peers: gives its state of another station.
    """

    detector: Detector
    whole: bool
    last: bool
    timed: bool
    everywhere: bool
    peers: Callable[[str], DetectorState]

    @classmethod
    def of(cls, detector: Detector, peers: Callable[[str], DetectorState]) -> "Role":
        """What the detector says of itself."""
        return cls(
            detector,
            whole=bool(getattr(detector, "whole_batch", False)),
            last=bool(getattr(detector, "last", False)),
            timed=getattr(type(detector), "due", None) is not Untimed.due,
            everywhere=bool(getattr(detector, "everywhere", False)),
            peers=peers,
        )
