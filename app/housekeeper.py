"""What has to be done now and then: keep the journal and the refused messages short, watch detectors and followers."""

import threading
from collections import Counter

from sqlalchemy.exc import DBAPIError

from app import journal
from app.database import unit_of_work
from app.followers import prune
from app.health import Health
from app.metrics import DETECTOR_ERRORS, JOURNAL_BEHIND, JOURNAL_BYTES
from app.sequences import CURSOR as SEQUENCES
from app.sequences import SequenceFollower
from app.service import FastLane
from ingest import refused as refused_store
from pantau.faultpoint import Point, reached

__all__ = ["JOURNAL_LIMIT", "Housekeeper"]

_EVERY_S = 10.0
JOURNAL_LIMIT = 4_000_000_000
"""Bytes: more than two hours at 5,000 readings/s, should InfluxDB be away for so long."""
_NEARLY = 0.7


class Housekeeper:
    """One round every ten seconds.

    Args:
        lane: stopped while the journal is full.
        slow_errors: how often each slow detector raised; the fast ones are counted in the pipeline's step.
        sequences: whose counts are saved.
        journal_limit: bytes that batches may take while they wait for a follower.
    """

    def __init__(
        self, lane: FastLane, slow_errors: Counter[str], sequences: SequenceFollower, health: Health,
        journal_limit: int = JOURNAL_LIMIT,
    ) -> None:  # fmt: skip
        self._lane = lane
        self._pipeline = lane.pipeline
        self._sequences = sequences
        self._limit = journal_limit
        self._dropped = 0
        self._watched_broker = False
        self._slow_errors = slow_errors
        self._health = health
        self._seen: Counter[str] = Counter()
        self._raising: set[str] = set()

    def loop(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.wait(_EVERY_S):
            try:
                self.turn()
            except DBAPIError as error:  # the next round does it; whoever cannot wait says so by itself
                self._health.away("housekeeper", f"database: {error.orig}")
            else:
                self._health.up("housekeeper")

    def turn(self) -> None:
        """One round."""
        engine = self._pipeline.engine
        with unit_of_work(engine) as connection:
            self._sequences.save(connection)
        self._sequences.saved()
        prune(engine, (SEQUENCES,))
        reached(Point.PRUNED)
        with unit_of_work(engine) as connection:
            refused_store.prune(connection)
            newest = journal.last_pos(connection)
            for follower in ("store", "slow"):
                JOURNAL_BEHIND.labels(follower).set(max(0, newest - journal.cursor(connection, follower)))
            size = journal.size(connection)
        self._watch_journal(size)
        self._watch_broker()
        self._watch_detectors()

    def _watch_journal(self, size: int) -> None:
        """An alert well before the journal is full; when it is, nothing more is taken from the broker."""
        JOURNAL_BYTES.set(size)
        self._lane.full = size >= self._limit
        if size < self._limit * _NEARLY:
            self._health.up("journal")
            return
        share = f"{size / 1e9:.1f} of {self._limit / 1e9:.1f} GB wait for the reading store"
        stopped = "; nothing is taken from the broker until it drains" if self._lane.full else ""
        self._health.away("journal", share + stopped, at_once=True)

    def _watch_broker(self) -> None:
        """What the broker dropped is lost to everybody: an alert at once; one quiet round ends it."""
        dropped = self._lane.receiver.stats.broker_dropped
        if dropped is None:
            return
        fresh, self._dropped = dropped - self._dropped, dropped
        if fresh > 0 and self._watched_broker:
            self._health.away("broker-drops", f"the broker dropped {fresh} messages", at_once=True)
        else:
            self._health.up("broker-drops")
        self._watched_broker = True

    def _watch_detectors(self) -> None:
        """A detector that raised since the last round is an alert at once; one quiet round ends it."""
        errors = self._pipeline.step.broken + self._slow_errors
        fresh = {name: count - self._seen[name] for name, count in errors.items() if count > self._seen[name]}
        for name, count in fresh.items():
            DETECTOR_ERRORS.labels(name).inc(count)
            self._health.away(f"detector-{name}", f"raised {count} times; the ladder goes on", at_once=True)
        for name in self._raising - fresh.keys():
            self._health.up(f"detector-{name}")
        self._raising, self._seen = set(fresh), errors
