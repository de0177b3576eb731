"""The shape of a bridge: the answers of a public feed in, pages of what it shows out; one file in ``ingest/bridges``.

A bridge only knows what to ask and how to read the answer. How often, how politely, what is new, and how it gets to the
broker is the same for all of them: ``ingest.poll``, ``ingest.fetch`` and ``ingest.feedbook``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from pantau import registry
from pantau.city import City, Feed

__all__ = ["Answer", "Ask", "Bridge", "Look", "Mark", "Page", "Seen", "all_bridges"]


class Answer(msgspec.Struct, frozen=True):
    """What a feed answered with 200; ``etag`` and ``last_modified`` are empty when it sent none."""

    url: str
    body: bytes
    etag: str = ""
    last_modified: str = ""


class Seen(msgspec.Struct, frozen=True):
    """One value that a feed shows.

    Attributes:
        source: the feed's own id of the sensor.
        observed_at: ms since 1970 UTC.
        unit: of the value, as the feed means it; one that the station's kind takes.
    """

    source: str
    observed_at: int
    value: float
    unit: str


class Mark(msgspec.Struct, frozen=True):
    """How far a source was read.

    Attributes:
        observed_at, value: of the newest that was taken; None before the first.
        cursor: the bridge's own note of where to go on.
    """

    observed_at: int | None = None
    value: float | None = None
    cursor: str = ""


class Page(msgspec.Struct, frozen=True):
    """What one answer shows; it is kept before the next one is asked for.

    Attributes:
        seen: what differs from a source's mark is published, the rest is known already; in the order of time.
        skipped: what could not be used, counted by a short word.
        findings: sentences for the operator, told once.
        cursors: new notes by source.
    """

    seen: Sequence[Seen] = ()
    skipped: Mapping[str, int] = {}
    findings: Sequence[str] = ()
    cursors: Mapping[str, str] = {}


Ask = Callable[[str], Answer | None]
"""Fetches an address; None: nothing has changed since the last time (304), asked for at the feed's own address only.

Raises Unavailable when the feed does not answer as it should, and its kind ``NotThere`` when only this address fails.
"""

Look = Callable[[Ask, Mapping[str, Mark], int], Iterator[Page]]
"""One look at a feed, given how far each source was read and the time (ms).

Raises RefusedMessage for an answer that cannot be read, and lets Unavailable pass; pages that came before are kept.
"""


@runtime_checkable
class Bridge(Protocol):
    """Reads one kind of feed."""

    name: str

    def problems(self, city: City, feed: Feed) -> list[str]:
        """What is wrong with a ``[[bridge]]`` of city.toml beyond its common keys, one line each."""
        ...

    def open(self, city: City, feed: Feed) -> Look:
        """How to look at this feed; called once when the process starts."""
        ...


def all_bridges() -> dict[str, Bridge]:
    """Every bridge by its name.

    Raises:
        PluginError: a file of ``ingest/bridges`` has none.
    """
    return registry.find("ingest.bridges", "BRIDGE", Bridge, "name")
