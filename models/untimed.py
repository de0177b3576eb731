"""For detectors that only speak about readings: time passing means nothing to them."""

from models.detector import DetectorState
from pantau.event import Score
from pantau.station import Station

__all__ = ["Untimed"]


class Untimed:
    """The two verbs of ``Detector`` that are about time, with nothing to say."""

    def due(self, state: DetectorState) -> int | None:
        """Never."""
        del state
        return None

    def tick(
        self, state: DetectorState, station: Station, sensor: str, now: int, listening_since: int
    ) -> Score | None:
        """Nothing to say."""
        del state, station, sensor, now, listening_since
        return None
