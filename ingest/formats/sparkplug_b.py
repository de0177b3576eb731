"""Sparkplug B: births, data and deaths of edge nodes and their devices on ``spBv1.0/{group}/{type}/{node}[/{device}]``.

Options in ``city.toml``: ``group`` (needed: names of nodes are unique within a group only), ``metrics`` (needed:
``{"node/metric" or "node/device/metric" = "station[/sensor]"}``), ``unit`` of all bound metrics and ``units`` of single
ones (``{"node/metric" = "m"}``), the kind's own unless said. Nodes and metrics that are not bound are not for us.

``DATA`` names its metrics by the alias that a birth gave them; the births are remembered by ``ingest.births``, across
restarts too. When one is missing (we started later, a number is left out, an alias is unknown), the node is asked to be
born again. Births carry values, so they give readings as well. ``seq`` counts all messages of a node, not those of a
sensor, so ``Reading.seq`` stays None: a gap in it says nothing about one sensor.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ingest.births import Node, Order
from ingest.complaint import shown
from ingest.format import IGNORED, Ask, Decoded, Gone, Message, Opened, Reader, Refusal
from ingest.formats.native import MAX_BYTES
from ingest.sparkplug import GOOD, Metric, Payload, number, payload_of, rebirth, whole
from ingest.stamp import BACK_MS, aged
from ingest.targets import Target, mapping_problems, target, unknown_options
from ingest.units import converted
from pantau.city import City
from pantau.errors import RefusedMessage
from pantau.reading import Reading

__all__ = ["FORMAT", "SparkplugB"]

_OPTIONS = ("group", "metrics", "unit", "units")
_BIRTHS = {"NBIRTH", "DBIRTH"}
_OF_NODES = {"NBIRTH", "NDATA", "NDEATH"}
_OF_DEVICES = {"DBIRTH", "DDATA", "DDEATH"}
_COMMANDS = {"NCMD", "DCMD"}


class _Bound(NamedTuple):
    """Where a metric goes, and the unit that it comes in."""

    target: Target
    unit: str


class SparkplugB:
    """Metrics of edge nodes and devices, one reading each."""

    name = "sparkplug_b"

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """See ``ingest.format.Format``."""
        bound = {
            key: _Bound(
                found := target(city, text),
                options.get("units", {}).get(key) or options.get("unit") or found.kind.unit,
            )
            for key, text in options["metrics"].items()
        }
        return _Group(options["group"], bound)

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """See ``ingest.format.Format``."""
        form = "format sparkplug_b"
        found = unknown_options(form, options, _OPTIONS)
        group = options.get("group")
        if not isinstance(group, str) or not group or set(group) & set("/+#"):
            found.append(
                f'{form}: group is needed: the second level of the topics, e.g. group = "Gauges", found {group!r}'
            )
        metrics = options.get("metrics")
        wrong = mapping_problems(city, f"{form}: metrics", metrics)
        if wrong or not isinstance(metrics, dict):
            return [*found, *wrong]
        found += [
            f'{form}: metrics: {key!r} must be "node/metric" or "node/device/metric"'
            for key in metrics
            if not all(key.partition("/"))
        ]
        return [*found, *_unit_problems(city, options, form)]


def _unit_problems(city: City, options: dict[str, Any], form: str) -> Iterator[str]:
    units = options.get("units", {})
    if not isinstance(units, dict):
        yield f'{form}: units must be {{"node/metric" = "m"}}, found {units!r}'
        return
    yield from (f"{form}: units: {key!r} is not in metrics" for key in units if key not in options["metrics"])
    for key, text in options["metrics"].items():
        kind = target(city, text).kind
        unit = units.get(key, options.get("unit", kind.unit))
        if unit not in kind.units:
            yield f"{form}: metrics: {key!r} is in {unit!r}, {kind.name} takes {', '.join(kind.units)}"


class _Place(NamedTuple):
    """What a topic is about; ``device`` is empty for the node itself, ``path`` begins the keys of its metrics."""

    type: str
    group: str
    node: str
    device: str
    path: str


class _Group:
    """The nodes of one binding; see ``ingest.format.Remembers``."""

    def __init__(self, group: str, bound: dict[str, _Bound]) -> None:
        self._group = group
        self._bound = bound
        self._nodes: dict[str, Node] = {key.split("/")[0]: Node() for key in bound}
        self._heard: set[str] = set()

    def __call__(self, topic: str) -> Reader:
        parts = topic.split("/")
        if parts[0] != "spBv1.0" or len(parts) < 3:
            raise _bad_topic(topic)
        if parts[1] != self._group or parts[2] in _COMMANDS:
            return _ignore
        if parts[2] not in _OF_NODES | _OF_DEVICES or len(parts) != (4 if parts[2] in _OF_NODES else 5):
            raise _bad_topic(topic)
        node = self._nodes.get(parts[3])
        if node is None:
            return _ignore
        device = "/".join(parts[4:])
        place = _Place(parts[2], self._group, parts[3], device, "".join(f"{part}/" for part in parts[3:]))
        ours = {key: where for key, where in self._bound.items() if key.startswith(place.path)}
        return _Reader(place, node, ours, self._heard).read

    def dump_changed(self) -> dict[str, bytes]:
        if not self._heard:
            return {}
        heard = sorted(self._heard)
        self._heard.clear()
        return {
            f"{self._group}/{name}/{part}": body
            for name in heard
            for part, body in self._nodes[name].dump_changed().items()
        }

    def load(self, kept: Mapping[str, bytes]) -> None:
        parts: dict[str, dict[str, bytes]] = defaultdict(dict)
        for key, body in kept.items():
            group, name, part = key.split("/", 2)
            if group == self._group and name in self._nodes:
                parts[name][part] = body
        for name, found in parts.items():
            self._nodes[name].load(found)


class _Reader:
    """Reads the messages of one topic of one node.

    Args:
        heard: nodes that may have changed.
    """

    def __init__(self, place: _Place, node: Node, bound: dict[str, _Bound], heard: set[str]) -> None:
        self._place = place
        self._node = node
        self._bound = bound
        self._heard = heard

    def read(self, message: Message) -> Decoded:
        if message.retain:
            raise RefusedMessage(
                "retained",
                f"a retained {self._place.type} may be of any age, and the standard forbids it: send unretained",
            )
        if not message.payload:
            raise RefusedMessage("empty", "the payload is empty")
        if len(message.payload) > MAX_BYTES:
            raise RefusedMessage(
                "too_large",
                f"payload has {len(message.payload)} bytes, at most {MAX_BYTES}: send fewer metrics a message",
            )
        payload = payload_of(message.payload)
        self._heard.add(self._place.node)
        match self._place.type:
            case "NBIRTH":
                self._node.begin(payload.metrics, _bd_seq(payload), payload.seq, payload.timestamp)
                return self._values(payload, message, ask=False)
            case "NDEATH":
                return self._death_of_node(payload, message)
            case _:
                return self._counted(payload, message)

    def _counted(self, payload: Payload, message: Message) -> Decoded:
        order = self._node.order(payload.seq, payload.timestamp)
        ask = order is Order.GAP or not self._node.alive
        if self._place.type == "DDEATH":
            gone: list[Gone] = []
            if order is not Order.AGAIN:
                self._node.lose(self._place.device)
                gone = self._gone(
                    _death_at(payload, message), f"its edge node {self._place.node} lost it (DDEATH)"
                )
            return Decoded((), gone=gone, asks=self._asks(message, wanted=ask))
        if self._place.type == "DBIRTH" and order is not Order.AGAIN and self._bound:
            self._node.define(self._place.device, payload.metrics, payload.seq, payload.timestamp)
        return self._values(payload, message, ask=ask)

    def _death_of_node(self, payload: Payload, message: Message) -> Decoded:
        known = self._node.alive
        if not self._node.end(_bd_seq(payload)):
            return IGNORED
        reason = f"edge node {self._place.node} of group {self._place.group} lost its connection to the broker (NDEATH)"
        # A will carries the time at which it was written, at the connection's beginning: no time of death.
        # Of a session that we do not know it may be late: whoever lives nevertheless answers with births.
        return Decoded(
            (), gone=self._gone(message.received_at, reason), asks=self._asks(message, wanted=not known)
        )

    def _gone(self, at: int, reason: str) -> list[Gone]:
        sensors = dict.fromkeys((where.target.station, where.target.sensor) for where in self._bound.values())
        return [Gone(station, sensor, at, reason) for station, sensor in sensors]

    def _asks(self, message: Message, *, wanted: bool) -> tuple[Ask, ...]:
        if not wanted or not self._node.may_ask(message.received_at):
            return ()
        topic = f"spBv1.0/{self._place.group}/NCMD/{self._place.node}"
        return (Ask(topic, rebirth(message.received_at)),)

    def _values(self, payload: Payload, message: Message, *, ask: bool) -> Decoded:
        """Readings of all bound metrics, one refusal of each that gives none, and one of all unknown aliases."""
        readings: list[Reading] = []
        refusals: list[Refusal] = []
        unknown: list[int] = []
        birth = self._place.type in _BIRTHS
        for index, metric in enumerate(payload.metrics if self._bound else ()):
            name, datatype = self._resolved(metric, payload)
            if not name:
                unknown.append(metric.alias if metric.alias is not None else -1)
                continue
            where = self._bound.get(self._place.path + name)
            # A birth lists every metric, with those that have no value yet: nothing is wrong with that.
            if where is None or (birth and (metric.empty or metric.quality != GOOD)):
                continue
            try:
                readings.append(_reading(metric, datatype, where, payload, message))
            except RefusedMessage as refused:
                refusals.append(Refusal(refused.code, refused.reason, index))
                ask = ask or refused.code == "unknown_datatype"
        if unknown and not birth:
            refusals.append(_unknown(unknown, payload))
        asks = self._asks(message, wanted=ask or (bool(unknown) and not birth))
        return Decoded(readings, refusals, asks=asks)

    def _resolved(self, metric: Metric, payload: Payload) -> tuple[str, int]:
        """Name and data type of a metric; no name: nobody can tell."""
        if metric.name:
            return metric.name, metric.datatype or self._node.datatype(self._place.device, metric.name)
        if metric.alias is None:
            return "", 0
        found = self._node.meaning(self._place.device, metric.alias, payload.timestamp)
        return ("", 0) if found is None else (found.name, metric.datatype or found.datatype)


def _reading(metric: Metric, datatype: int, where: _Bound, payload: Payload, message: Message) -> Reading:
    value = number(metric, datatype)
    kind = where.target.kind
    if where.unit != kind.unit:
        value = converted(value, where.unit, kind)
    given = payload.timestamp if metric.timestamp is None else metric.timestamp
    at = message.received_at if given is None else aged(given, message.received_at, number=True)
    return Reading(
        where.target.station,
        kind.name,
        value,
        at,
        message.received_at,
        where.target.sensor,
        time_source="received" if given is None else "device",
        historical=metric.historical,
    )


def _bd_seq(payload: Payload) -> int | None:
    found = [whole(metric) for metric in payload.metrics if metric.name == "bdSeq"]
    return found[-1] if found else None


def _death_at(payload: Payload, message: Message) -> int:
    given = payload.timestamp
    sane = given is not None and message.received_at - BACK_MS <= given <= message.received_at
    return given if sane and given is not None else message.received_at


def _unknown(aliases: list[int], payload: Payload) -> Refusal:
    error = RefusedMessage(
        "unknown_alias",
        f"{len(aliases)} of {len(payload.metrics)} metrics have an alias that no birth in force gives a name "
        f"({', '.join(str(alias) for alias in aliases[:5])}): the edge node is asked to be born again; then retry this",
    )
    return Refusal(error.code, error.reason)


def _bad_topic(topic: str) -> RefusedMessage:
    return RefusedMessage(
        "bad_topic",
        f"topic {shown(topic)}: expected spBv1.0/{{group}}/(NBIRTH|NDATA|NDEATH)/{{node}} or "
        "spBv1.0/{group}/(DBIRTH|DDATA|DDEATH)/{node}/{device}",
    )


def _ignore(_message: Message) -> Decoded:
    return IGNORED


FORMAT = SparkplugB()
