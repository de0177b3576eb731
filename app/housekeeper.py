"""What has to be done now and then: keep the journal and the refused messages short, watch detectors and followers."""

import threading
from collections import Counter

from sqlalchemy.exc import DBAPIError

from app import journal
from app.database import unit_of_work
from app.followers import prune
from app.health import Health
from app.metrics import DETECTOR_ERRORS, JOURNAL_BEHIND
from app.pipeline import Pipeline
from ingest import refused as refused_store

__all__ = ["Housekeeper"]

_EVERY_S = 10.0


class Housekeeper:
    """One round every ten seconds.

    Args:
        slow_errors: how often each slow detector raised; the fast ones are counted in the pipeline's step.
    """

    def __init__(self, pipeline: Pipeline, slow_errors: Counter[str], health: Health) -> None:
        self._pipeline = pipeline
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
        prune(engine)
        with unit_of_work(engine) as connection:
            refused_store.prune(connection)
            newest = journal.last_pos(connection)
            for follower in ("store", "slow"):
                JOURNAL_BEHIND.labels(follower).set(max(0, newest - journal.cursor(connection, follower)))
        self._watch_detectors()

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
