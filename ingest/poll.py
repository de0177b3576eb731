"""The life of a feed: asked when it is due, what is new goes into the book's outbox, what fails is tried later.

Polite: one look a period, longer waits after errors, the feed's own ``Retry-After``, and all of that also across
restarts. Times of waiting are real: a bridge has no place in an exercise.
"""

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from math import isfinite

import msgspec
import structlog

from ingest.bridge import Answer, Look, Mark, Page, Seen, all_bridges
from ingest.feedbook import FeedBook
from ingest.fetch import Web
from ingest.formats.native import encode, topic_of
from ingest.units import converted
from pantau.city import City, Feed
from pantau.errors import PantauError, RefusedMessage, Unavailable
from pantau.ports import Clock
from pantau.reading import MAIN, Reading

__all__ = ["Poll", "agent_of", "back_off_s"]

_log = structlog.get_logger("pantau.bridge")

LONGEST_S = 3_600
"""Between two tries of a feed that fails."""
LONGEST_WISH_S = 86_400
"""More than a day of silence is not granted to a ``Retry-After``: it would be a mistake, and we would be blind."""
_SPREAD = 0.1
"""Part of a wait that chance adds, so that the clients of a feed do not come in step."""
_STILL = 3
"""A feed stands still after so many periods, or so many of its stations' shortest cadence, without anything new."""
_ITEMS = 1_000
"""Readings in one message."""
_MOST_FINDINGS = 1_000


class Poll:
    """One feed and everything that is known of it; used by one thread.

    Args:
        feed: one of the city's, checked.
        web: asks it.
        seed: of the chance in waiting; None: any.
    """

    def __init__(
        self, city: City, feed: Feed, book: FeedBook, web: Web, clock: Clock, *, seed: int | None = None
    ) -> None:
        self.feed = feed
        self.book = book
        self._city = city
        self._web = web
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311 - spreads requests, keeps no secret
        self._look: Look = all_bridges()[feed.kind].open(city, feed)
        self._told: set[str] = set()
        self._fresh: Answer | None = None

    def due_in_s(self) -> float:
        """Real seconds until it should be asked; 0 when it is due or was never asked."""
        at = self.book.state.next_at
        return 0.0 if at is None else max(0.0, (at - self._clock.now()) / 1000)

    @property
    def is_backing_off(self) -> bool:
        """Whether the feed failed and asked us, or we decided, to leave it alone for now."""
        return self.book.state.errors > 0 and self.due_in_s() > 0

    def once(self) -> bool:
        """Look at the feed once; whether it answered well. Never raises: what went wrong is logged and in the state."""
        began, now = time.monotonic(), self._clock.now()
        state = self.book.state
        state.last_poll = now
        if state.url != self.feed.url:
            state.url, state.etag, state.last_modified = self.feed.url, "", ""
        self._fresh = None
        skipped = Counter[str]()
        before = state.taken
        why, wish_s = self._guarded(skipped, now)
        state.skipped = dict(skipped)
        self._settle(why, wish_s, now)
        if not why:
            _log.info(
                "bridge polled", bridge=self.feed.name, new=state.taken - before, skipped=state.skipped,
                waiting=len(self.book), ms=round((time.monotonic() - began) * 1000),
            )  # fmt: skip
        return not why

    def _guarded(self, skipped: Counter[str], now: int) -> tuple[str, float | None]:
        """Look; why it failed (empty: it did not) and how many seconds the feed wants to be left alone."""
        try:
            marks = self.book.marks()
            for page in self._look(self._ask, marks, now):
                self._take(page, marks, skipped, now)
        except Unavailable as error:
            return error.reason, error.retry_after_s
        except PantauError as error:
            return str(error), None
        except sqlite3.Error as error:
            return f"the bridge's file cannot be written: {error}", None
        except Exception as error:  # noqa: BLE001 - a bridge's bug must not end the other bridges
            _log.exception("bridge raised", bridge=self.feed.name)
            return f"the bridge has a bug: {type(error).__name__}: {error}", None
        return "", None

    def _ask(self, url: str) -> Answer | None:
        state = self.book.state
        if url != self.feed.url:
            return self._web.get(url)
        answer = self._web.get(url, etag=state.etag, last_modified=state.last_modified)
        self._fresh = answer or self._fresh
        return answer

    def _take(self, page: Page, marks: dict[str, Mark], skipped: Counter[str], now: int) -> None:
        """Keep what is new on a page together with how far it was read."""
        skipped.update(page.skipped)
        for text in page.findings:
            self._find(text)
        fresh: dict[tuple[str, str], list[Reading]] = {}
        moved: dict[str, Mark] = {}
        for seen in page.seen:
            mark = moved.get(seen.source) or marks.get(seen.source) or Mark()
            if (seen.observed_at, seen.value) == (mark.observed_at, mark.value):
                continue
            try:
                reading = self._reading(seen, now)
            except RefusedMessage as refused:
                skipped[refused.code] += 1
                self._find(f"{seen.source}: {refused.reason}")
                continue
            fresh.setdefault((reading.station, reading.sensor), []).append(reading)
            moved[seen.source] = Mark(seen.observed_at, seen.value, mark.cursor)
        for source, cursor in page.cursors.items():
            mark = moved.get(source) or marks.get(source) or Mark()
            moved[source] = msgspec.structs.replace(mark, cursor=cursor)
        readings = [reading for of_one in fresh.values() for reading in of_one]
        dropped = self.book.take(_messages(self._city.id, fresh.values()), moved)
        self._note(readings, now)
        marks.update(moved)
        if dropped:
            _log.error("bridge outbox full, the oldest messages go", bridge=self.feed.name, dropped=dropped)

    def _note(self, readings: Sequence[Reading], now: int) -> None:
        if not readings:
            return
        state = self.book.state
        state.taken += len(readings)
        state.last_new_at = now
        state.last_observed_at = max(
            state.last_observed_at or 0, *(reading.observed_at for reading in readings)
        )

    def _reading(self, seen: Seen, now: int) -> Reading:
        target = self.feed.stations.get(seen.source, seen.source)
        station, _, sensor = target.partition("/")
        kind = self._city.kinds[self._city.stations[station].kind]
        if not isfinite(seen.value):
            raise RefusedMessage("bad_value", f"value is {seen.value!r}: no such number can be measured")
        value = converted(seen.value, seen.unit, kind)
        return Reading(station, kind.name, value, seen.observed_at, now, sensor or MAIN)

    def _find(self, text: str) -> None:
        if text not in self._told and len(self._told) < _MOST_FINDINGS:
            self._told.add(text)
            _log.warning("bridge finding", bridge=self.feed.name, finding=text)

    def _settle(self, why: str, wish_s: float | None, now: int) -> None:
        """Note how the look ended and when the next one is due."""
        state = self.book.state
        if why:
            state.errors += 1
            state.error = why
            wait_s = max(back_off_s(self.feed.every_s, state.errors), min(wish_s or 0.0, LONGEST_WISH_S))
        else:
            state.errors, state.error, wait_s = 0, "", float(self.feed.every_s)
            state.last_success = now
            state.last_new_at = state.last_new_at or now
            if self._fresh is not None:
                state.etag, state.last_modified = self._fresh.etag, self._fresh.last_modified
            self._judge_still(now)
        wait_s *= 1 + _SPREAD * self._chance.random()
        state.next_at = now + round(wait_s * 1000)
        if why:
            _log.warning(
                "bridge failed", bridge=self.feed.name, reason=why, errors=state.errors, next_s=round(wait_s)
            )
        try:
            self.book.save()
        except sqlite3.Error as error:
            _log.error("bridge state not kept", bridge=self.feed.name, reason=str(error))

    def _judge_still(self, now: int) -> None:
        """Say once when a feed answers and does not move, and once when it does again."""
        state = self.book.state
        quiet_ms = now - (state.last_new_at or now)
        still = quiet_ms > self.still_ms()
        if still and not state.still:
            _log.warning("feed stands still", bridge=self.feed.name, minutes=round(quiet_ms / 60_000))
        elif state.still and not still:
            _log.info("feed moves again", bridge=self.feed.name)
        state.still = still

    def still_ms(self) -> int:
        """After how long without anything new the feed is said to stand still."""
        targets = self.feed.stations.values() or self._city.stations
        stations = (self._city.stations.get(target.partition("/")[0]) for target in targets)
        cadences = [station.cadence_ms for station in stations if station is not None]
        return _STILL * max(self.feed.every_s * 1000, min(cadences, default=0))


def agent_of(city: City, feed: Feed) -> str:
    """The User-Agent: what we are, whose, and whom to write to when we disturb."""
    return f"Pantau/{version('pantau')} (city {city.id}{f'; {feed.contact}' if feed.contact else ''})"


def back_off_s(every_s: int, errors: int) -> float:
    """Seconds to wait after so many failures in a row: doubled each time, at most an hour (or the period)."""
    return float(min(every_s * 2 ** min(errors - 1, 20), max(every_s, LONGEST_S)))


def _messages(city: str, series: Iterable[list[Reading]]) -> list[tuple[str, bytes]]:
    return [
        (topic_of(city, readings[0]), encode(*readings[first : first + _ITEMS]))
        for readings in series
        for first in range(0, len(readings), _ITEMS)
    ]
