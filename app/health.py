"""What this process knows about itself and its peers; an outage that lasts is itself an alert."""

import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import structlog

from models.detector import Sample
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

__all__ = ["PEER", "Health", "PeerDetector"]

_log = structlog.get_logger("pantau.health")

OUTAGE_S = 60.0
"""A peer away for longer than this is an alert; shorter, it is a hiccup that a retry settles."""


class PeerDetector:
    """Name, hazard and ladder of outages; the scores are made by ``Health.scores``, not from readings."""

    name = "peer"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({"system"})  # no kind of reading
    hazard = "system"
    cause = ""
    ladder = Ladder(limits=(1.0, None, None))
    shadow = False

    def start(self, station: Station, kind: Kind) -> Any:
        """Nothing to keep."""

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Readings say nothing about peers."""
        return [None for _ in samples]

    def due(self, state: Any) -> int | None:
        """No timer."""

    def tick(self, state: Any, station: Station, sensor: str, now: int, listening_since: int) -> Score | None:
        """No timer."""

    def dump(self, state: Any) -> bytes:  # noqa: ARG002 - the shape of a detector
        """Nothing to keep."""
        return b""

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> Any:
        """Nothing to keep."""


PEER = PeerDetector()


class Health:
    """Thread-safe notes on readiness and peers.

    Attributes:
        ready: subscribed, store open, state restored.
        caught_up: what waited at the broker when we came was taken.
    """

    def __init__(self) -> None:
        self.ready = self.caught_up = False
        self._lock = threading.Lock()
        self._away: dict[str, tuple[float, str]] = {}
        self._known: dict[str, str] = {}
        self._told: set[str] = set()

    def up(self, peer: str, word: str = "ok") -> None:
        """The peer answered."""
        with self._lock:
            self._known[peer] = word
            gone = self._away.pop(peer, None)
        if gone is not None:
            _log.info("peer back", peer=peer, away_s=round(time.monotonic() - gone[0], 1))

    def away(self, peer: str, reason: str, *, at_once: bool = False) -> None:
        """The peer did not answer; with ``at_once`` that is an alert now, not only when it lasts."""
        with self._lock:
            former = self._away.get(peer)
            since = former[0] if former else time.monotonic() - (OUTAGE_S if at_once else 0)
            self._away[peer] = (since, reason)
            self._known[peer] = f"away: {reason}"
        if former is None:
            _log.warning("peer away", peer=peer, reason=reason)

    def resume(self, peers: Iterable[str]) -> None:
        """Outages whose alerts were open when the service ended: each ends when its peer answers."""
        with self._lock:
            self._told.update(peers)

    @property
    def degraded(self) -> list[str]:
        """Peers that are away."""
        with self._lock:
            return sorted(self._away)

    @property
    def peers(self) -> dict[str, str]:
        """State of each peer in words."""
        with self._lock:
            return dict(sorted(self._known.items()))

    def scores(self, now: int) -> list[Score]:
        """Outages that began to count, and those that ended, since the last call."""
        with self._lock:
            lasting = {
                peer: reason
                for peer, (since, reason) in self._away.items()
                if time.monotonic() - since >= OUTAGE_S
            }
            begun, ended = lasting.keys() - self._told, (self._told & self._known.keys()) - self._away.keys()
            self._told = (self._told | begun) - ended
        return [_score(peer, now, 1.0, lasting[peer]) for peer in sorted(begun)] + [
            _score(peer, now, 0.0, "answers again") for peer in sorted(ended)
        ]


def _score(peer: str, now: int, score: float, reason: str) -> Score:
    return Score(f"system:{peer}", peer, PEER.name, PEER.version, now, score, reason)
