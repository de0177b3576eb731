"""A bridge in a test: a small city, a feed on this machine, a clock that moves when told to, what it would publish."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.clock import VirtualClock
from ingest.feedbook import FeedBook
from ingest.fetch import Web
from ingest.poll import Poll, agent_of
from pantau.city import Feed
from tests.ingest.small_city import T0, small_city

MINUTE = 60_000
CITY = small_city()


class Rig:
    """One feed under the small city; ``poll()`` looks once and returns what is new, as ``(topic, item)``."""

    def __init__(self, feed: Feed, home: Path, **web: Any) -> None:
        self.feed = feed
        self.clock = VirtualClock(T0)
        self.path = home / "contoh-feed.db"
        self._web = web
        self.well: bool | None = None
        self.open()

    def open(self) -> None:
        self.book = FeedBook(self.path)
        self.web = Web(agent_of(CITY, self.feed), trust_env=False, **self._web)
        self.at = Poll(CITY, self.feed, self.book, self.web, self.clock, seed=1)

    def close(self) -> None:
        self.web.close()
        self.book.close()

    def restart(self) -> None:
        """As after a kill: nothing but the file is left."""
        self.close()
        self.open()

    def poll(self, minutes: float = 5) -> list[tuple[str, Any]]:
        """Look once; time passes before it."""
        self.clock.set(self.clock.now() + round(minutes * MINUTE))
        self.well = self.at.once()
        return list(self.published())

    def published(self) -> Iterator[tuple[str, Any]]:
        """What waits in the outbox, which is emptied."""
        for waiting in self.book.waiting(10_000):
            self.book.remove(waiting.id)
            yield waiting.topic, json.loads(waiting.payload)
