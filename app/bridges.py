"""Runs the city's bridges: settings and feeds in, one thread a feed that polls and one that brings to the broker.

Each feed has its own file, threads and back-off, so that one that hangs costs the others nothing.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

import structlog

from app.clock import RealClock
from app.settings import Settings
from ingest.bridge import all_bridges
from ingest.feedbook import FeedBook
from ingest.fetch import Web
from ingest.mqtt import PahoPublisher
from ingest.poll import Poll, agent_of
from pantau.city import City, Feed
from pantau.errors import ConfigError, Unavailable
from pantau.ports import Publisher

__all__ = ["Bridges", "book_path", "chosen"]

_log = structlog.get_logger("pantau.bridge")

_CONNECT_S = 5.0
_FLUSH_S = 30.0
_LOOK_S = 0.5
"""How soon a new message is seen, and the order to stop."""
_RETRY_S = 2.0
_END_S = 5.0


class _Line:
    """One feed with its file, on its way to the broker."""

    def __init__(self, settings: Settings, city: City, feed: Feed) -> None:
        self.book = FeedBook(book_path(settings, city, feed))
        self._web = Web(agent_of(city, feed))
        self.poll = Poll(city, feed, self.book, self._web, RealClock())

    def keep_polling(self, stop: threading.Event) -> None:
        """Poll whenever it is due."""
        while not stop.wait(min(self.poll.due_in_s(), _LOOK_S)):
            if self.poll.due_in_s() == 0:
                self.poll.once()

    def keep_bringing(self, publisher: Publisher, stop: threading.Event) -> None:
        """Bring what waits to the broker; one that is away costs time."""
        while not stop.is_set():
            stop.wait(0 if self.bring(publisher, stop) else _RETRY_S)
            if len(self.book) == 0:
                stop.wait(_LOOK_S)

    def bring(self, publisher: Publisher, stop: threading.Event | None = None) -> bool:
        """Bring some messages; whether the broker took them."""
        for waiting in self.book.waiting(100):
            if stop is not None and stop.is_set():
                return False
            with suppress(Unavailable):
                publisher.publish(waiting.topic, waiting.payload)
                self.book.remove(waiting.id)
                continue
            return False
        return True

    def close(self) -> None:
        self._web.close()
        self.book.close()


class Bridges:
    """The bridges of a process; use it as a context manager.

    Args:
        feeds: some of the city's.

    Raises:
        ConfigError: a feed's file cannot be used, or it runs already; or the clock is an exercise's.
    """

    def __init__(self, settings: Settings, city: City, feeds: Sequence[Feed]) -> None:
        if settings.simulated is not None:
            raise ConfigError("PANTAU_CLOCK is set: a bridge brings real readings, which no exercise may see")
        self._lines: list[_Line] = []
        self._stop = threading.Event()
        try:
            for feed in feeds:
                self._lines.append(_Line(settings, city, feed))
        except ConfigError:
            self._close()
            raise
        # Another one for each choice of bridges, so that two processes do not throw each other out at the broker.
        names = "" if len(feeds) == len(city.feeds) else "-" + "-".join(feed.name for feed in feeds)
        self._publisher = PahoPublisher(settings.mqtt_url, f"pantau-{city.id}-bridge{names}")
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_END_S)
        self._publisher.stop()
        if not any(thread.is_alive() for thread in self._threads):
            self._close()

    def start(self) -> None:
        """Poll and bring until the end of the context; returns at once, also when the broker is away."""
        self._publisher.start()
        for line in self._lines:
            name = line.poll.feed.name
            self._start(f"poll-{name}", partial(line.keep_polling, self._stop))
            self._start(f"bring-{name}", partial(line.keep_bringing, self._publisher, self._stop))

    def once(self) -> bool:
        """Poll each feed once and bring what there is; whether all answered and the broker has everything.

        A feed that failed before is left alone until it may be asked again.
        """
        self._publisher.start(_CONNECT_S)
        well = True
        for line in self._lines:
            if line.poll.is_backing_off:
                wait_s = round(line.poll.due_in_s())
                _log.warning("bridge left alone", bridge=line.poll.feed.name, next_s=wait_s)
                well = False
            else:
                well = line.poll.once() and well
        deadline = time.monotonic() + _FLUSH_S
        for line in self._lines:
            while len(line.book) and line.bring(self._publisher) and time.monotonic() < deadline:
                pass
        return well and not any(len(line.book) for line in self._lines)

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def _start(self, name: str, work: Callable[[], None]) -> None:
        # A daemon: a feed that drips may not hold up the end of the process; its file bears being left at any time.
        thread = threading.Thread(target=work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _close(self) -> None:
        for line in self._lines:
            line.close()


def book_path(settings: Settings, city: City, feed: Feed) -> Path:
    """The file of a feed."""
    return settings.data / "bridges" / f"{city.id}-{feed.name}.db"


def chosen(city: City, names: Sequence[str]) -> list[Feed]:
    """The city's feeds of these names, all of them when there are no names.

    Raises:
        ConfigError: a name that city.toml does not have, a mistake in one of them, or there are no bridges.
    """
    known = {feed.name: feed for feed in city.feeds}
    if not known:
        raise ConfigError(f"city {city.id} has no bridge: add a [[bridge]] table to its city.toml")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"bridge {unknown[0]!r}: city.toml has {', '.join(known)}")
    feeds = [known[name] for name in dict.fromkeys(names)] or list(city.feeds)
    problems = [
        f"city.toml: bridge {feed.name!r}: {problem}"
        for feed in feeds
        for problem in all_bridges()[feed.kind].problems(city, feed)
    ]
    if problems:
        raise ConfigError(*problems)
    return feeds
