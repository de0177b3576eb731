"""Messages in, readings and refused messages out: any bytes on any topic, never an error.

A topic is resolved once, its reader kept; only topics that a format accepts are kept, so random topics cost no memory.
What formats know of former messages (``ingest.format.Remembers``) goes out as bytes and comes back at the next start.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite
from operator import attrgetter
from typing import NamedTuple

import msgspec
import structlog

from ingest.complaint import shown
from ingest.format import Ask, Decoded, Format, Gone, Message, Opened, Reader, Remembers
from ingest.metrics import FORMAT_READINGS, FORMAT_REFUSED, MESSAGES, READINGS, REFUSED
from ingest.topic import matches
from pantau import registry
from pantau.city import Binding, City
from pantau.errors import ConfigError, RefusedMessage
from pantau.reading import Reading

__all__ = ["Batch", "Decoder", "Refused", "all_formats"]

_log = structlog.get_logger("pantau.decode")

_KIND, _CODE = attrgetter("kind"), attrgetter("code")
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
        self._remembering = _remembering(self._opened)
        self._unsaved: dict[str, bytes] = {}

    @property
    def filters(self) -> tuple[str, ...]:
        """MQTT filters to subscribe to: native ones per kind, so that what we publish ourselves does not come back."""
        own = (binding for binding in self._city.bindings if binding.format != "native")
        return tuple(dict.fromkeys(binding.topic for binding in (*own, *self._native)))

    def dump_changed(self) -> dict[str, bytes]:
        """What formats know and what of it changed since it was last ``saved``: parts by a name that stays the same.

        An empty part is one that is no more.
        """
        for prefix, opened in list(self._remembering.items()):
            try:
                changed = opened.dump_changed()
                if changed:
                    self._unsaved.update((prefix + name, body) for name, body in changed.items())
            except Exception as error:  # noqa: BLE001 - a broken format must not stop the others' readings
                del self._remembering[prefix]
                _log.error(
                    "format_memory_failed", binding=prefix.strip(), reason=f"{type(error).__name__}: {error}",
                    consequence="what it knows is not kept any more; this is a bug in the format",
                )  # fmt: skip
        return self._unsaved

    def saved(self) -> None:
        """What ``dump_changed`` gave last is kept; without this the next call gives it again."""
        self._unsaved = {}

    def restore(self, kept: Mapping[str, bytes]) -> None:
        """Take over what former runs have kept; call before the first message.

        A binding whose parts cannot be read starts afresh, and this is logged.
        """
        for index, (binding, opened) in enumerate(self._opened):
            prefix = _prefix(binding)
            if self._remembering.get(prefix) is not opened:
                continue
            ours = {name: body for name, body in kept.items() if body and name.startswith(prefix)}
            try:
                self._remembering[prefix].load({name.removeprefix(prefix): ours[name] for name in ours})
            except Exception as error:  # noqa: BLE001 - nothing that was kept may hinder the start
                _log.warning(
                    "format_memory_unreadable", binding=prefix.strip(), reason=f"{type(error).__name__}: {error}",
                    consequence="this binding starts afresh",
                )  # fmt: skip
                fresh = self._formats[binding.format].open(self._city, binding.options)
                self._opened[index] = (binding, fresh)
                self._unsaved.update(dict.fromkeys(ours, b""))  # else no later start could read them either
        self._remembering = _remembering(self._opened)
        self._routes.clear()

    def decode(self, messages: Sequence[Message]) -> Batch:
        """Everything that these messages give, in order."""
        batch = Batch([], [], [], [])
        counts = _Counts()
        routes, readings, plain = self._routes, batch.readings, 0
        for message in messages:
            route = routes.get(message.topic)
            name = "none" if route is None else route.format
            try:
                if route is None:
                    route = self._route(message.topic)
                    name = route.format
                decoded = route.read(message)
                if isinstance(decoded, Reading):
                    readings.append(decoded)
                    plain += 1
                else:
                    counts.add(name, _spread(decoded, message, batch))
            except RefusedMessage as error:
                counts.add(name, refused=1)
                batch.refused.append(Refused(message, error.code, error.reason))
            except Exception as error:  # noqa: BLE001 - a broken format must not stop the others' readings
                counts.add(name, refused=1)
                reason = (
                    f"format raised {type(error).__name__}: {shown(str(error))}; this is a bug in the format"
                )
                batch.refused.append(Refused(message, "format_error", reason))
        counts.tell(plain, batch)
        return batch._replace(ignored=counts.ignored)

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

        def guarded(message: Message) -> Decoded | Reading:
            decoded = read(message)
            for reading in (decoded,) if isinstance(decoded, Reading) else decoded.readings:
                station = stations.get(reading.station)
                if station is None or station.kind != reading.kind or not isfinite(reading.value):
                    raise RefusedMessage(
                        "format_error", f"the format made an impossible reading: {shown(reading)}"
                    )
            return decoded

        return guarded


def _prefix(binding: Binding) -> str:
    return f"{binding.format} {binding.topic}\t"


def _remembering(opened: Sequence[tuple[Binding, Opened]]) -> dict[str, Remembers]:
    """Those that remember, by the beginning of their parts' names; of two bindings of one topic the first counts."""
    found: dict[str, Remembers] = {}
    for binding, one in opened:
        if isinstance(one, Remembers):
            found.setdefault(_prefix(binding), one)
    return found


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


def _spread(decoded: Decoded, message: Message, batch: Batch) -> Decoded:
    """Add what a message gives to its batch."""
    batch.refused.extend(Refused(message, r.code, r.reason, r.index) for r in decoded.refusals)
    batch.readings.extend(decoded.readings)
    batch.gone.extend(decoded.gone)
    batch.asks.extend(decoded.asks)
    return decoded


class _Counts:
    """What a batch adds to the metrics; single native readings are most of it and are counted at the end."""

    def __init__(self) -> None:
        self.ignored = 0
        self._messages: Counter[str] = Counter()
        self._readings: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def add(self, name: str, decoded: Decoded | None = None, refused: int = 0) -> None:
        self._messages[name] += 1
        self._refused[name] += refused
        if decoded is not None:
            self._readings[name] += len(decoded.readings)
            self._refused[name] += len(decoded.refusals)
            self.ignored += not (decoded.readings or decoded.refusals or decoded.gone)

    def tell(self, plain: int, batch: Batch) -> None:
        self._messages["native"] += plain
        self._readings["native"] += plain
        for metric, counter in (
            (MESSAGES, self._messages), (FORMAT_READINGS, self._readings), (FORMAT_REFUSED, self._refused),
            (READINGS, Counter(map(_KIND, batch.readings))), (REFUSED, Counter(map(_CODE, batch.refused))),
        ):  # fmt: skip
            for label, number in counter.items():
                if number:
                    metric.labels(label).inc(number)
