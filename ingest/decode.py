"""Messages in, readings and refused messages out: any bytes on any topic, never an error.

A topic is resolved once, its reader kept; only topics that a format accepts are kept, so random topics cost no memory.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from ingest.complaint import shown
from ingest.format import Ask, Decoded, Format, Gone, Message, Opened, Reader
from ingest.metrics import MESSAGES, READINGS, REFUSED
from ingest.topic import matches
from pantau import registry
from pantau.city import Binding, City
from pantau.errors import ConfigError, RefusedMessage
from pantau.reading import Reading

__all__ = ["Batch", "Decoder", "Refused", "all_formats"]

_MOST_TOPICS = 200_000
"""Readers kept, a few hundred bytes each; a city with more topics than this resolves some of them anew."""


class Refused(msgspec.Struct, gc=False):
    """A message, or the item ``index`` of its array, that gives no reading."""

    message: Message
    code: str
    reason: str
    index: int | None = None


class Batch(NamedTuple):
    """What a batch of messages gives; ``ignored`` messages carried nothing by design.

    Attributes:
        gone: sensors whose gateway says that they are away.
        asks: messages that go back to the field, once the batch is committed.
    """

    readings: list[Reading]
    refused: list[Refused]
    gone: list[Gone]
    asks: list[Ask]
    ignored: int = 0


class _Route(NamedTuple):
    format: str
    read: Reader


def all_formats() -> dict[str, Format]:
    """Every payload format there is, by name."""
    return registry.find("ingest.formats", "FORMAT", Format, "name")


class Decoder:
    """Decodes the messages of one city.

    Args:
        city: its bindings say which topics are in which format, the first that matches decides; whatever they say,
            ``pantau/v1/{city}/{kind}/#`` is native for every kind.
        formats: by name; all there are, unless a test brings its own.
        most_topics: readers kept at once.

    Raises:
        ConfigError: a binding names an unknown format or has wrong options; all problems at once.
    """

    def __init__(
        self, city: City, formats: Mapping[str, Format] | None = None, most_topics: int = _MOST_TOPICS
    ) -> None:
        self._city = city
        self._formats = all_formats() if formats is None else formats
        self._native = tuple(Binding(f"pantau/v1/{city.id}/{kind}/#", "native") for kind in city.kinds)
        self._bindings = (*city.bindings, *self._native)
        self._most_topics = most_topics
        self._routes: dict[str, _Route] = {}
        _check(city, self._formats)
        self._opened = [
            (binding, self._formats[binding.format].open(city, binding.options)) for binding in self._bindings
        ]

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT filters to subscribe to: native ones per kind, so that what we publish ourselves does not come back."""
        own = (binding for binding in self._city.bindings if binding.format != "native")
        return tuple(dict.fromkeys(binding.topic for binding in (*own, *self._native)))

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Everything that these messages give, in order."""
        batch = Batch([], [], [], [])
        ignored = 0
        formats: Counter[str] = Counter()
        for message in messages:
            route = self._routes.get(message.topic)
            try:
                if route is None:
                    route = self._route(message.topic)
                formats[route.format] += 1
                decoded = route.read(message)
                if decoded.refusals:
                    batch.refused.extend(
                        Refused(message, r.code, r.reason, r.index) for r in decoded.refusals
                    )
                elif not decoded.readings:
                    ignored += not decoded.gone
                    batch.gone.extend(decoded.gone)
                batch.asks.extend(decoded.asks)
                batch.readings.extend(decoded.readings)
            except RefusedMessage as error:
                batch.refused.append(Refused(message, error.code, error.reason))
            except Exception as error:  # noqa: BLE001 - a broken format must not stop the others' readings
                reason = (
                    f"format raised {type(error).__name__}: {shown(str(error))}; this is a bug in the format"
                )
                batch.refused.append(Refused(message, "format_error", reason))
        _count(formats, batch)
        return batch._replace(ignored=ignored)

    def _route(self, topic: str) -> _Route:
        for binding, opened in self._opened:
            if matches(binding.topic, topic):
                return self._bound(topic, binding, opened)
        raise RefusedMessage(
            "unbound_topic", f"no binding of city {self._city.id} matches topic {shown(topic)}"
        )

    def _bound(self, topic: str, binding: Binding, opened: Opened) -> _Route:
        read = opened(topic)
        route = _Route(binding.format, read if binding.format == "native" else self._guarded(read))
        if len(self._routes) >= self._most_topics:
            self._routes.clear()
        self._routes[topic] = route
        return route

    def _guarded(self, read: Reader) -> Reader:
        """A format from elsewhere may forget what ours checks; nothing after this line expects NaN."""
        stations = self._city.stations

        def guarded(message: Message) -> Decoded:
            decoded = read(message)
            for reading in decoded.readings:
                station = stations.get(reading.station)
                if station is None or station.kind != reading.kind or not isfinite(reading.value):
                    raise RefusedMessage(
                        "format_error", f"the format made an impossible reading: {shown(reading)}"
                    )
            return decoded

        return guarded


def _check(city: City, formats: Mapping[str, Format]) -> None:
    problems: list[str] = []
    for binding in city.bindings:
        where = f"{city.id}: city.toml: binding of {binding.topic!r}"
        if binding.format not in formats:
            problems.append(f"{where}: format {binding.format!r} is none of {', '.join(formats)}")
        else:
            problems += (
                f"{where}: {text}" for text in formats[binding.format].problems(city, binding.options)
            )
    if problems:
        raise ConfigError(*problems)


def _count(formats: Mapping[str, int], batch: Batch) -> None:
    for name, number in formats.items():
        MESSAGES.labels(name).inc(number)
    for kind, number in _tally(reading.kind for reading in batch.readings):
        READINGS.labels(kind).inc(number)
    for code, number in _tally(refused.code for refused in batch.refused):
        REFUSED.labels(code).inc(number)


def _tally(words: Iterable[Any]) -> Iterable[tuple[str, int]]:
    return Counter(words).items()
