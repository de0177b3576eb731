"""Sparkplug B payloads: bytes in, metrics and their numbers out; and the one message that we write, a wish for births.

Only what a reading needs is kept of a metric; metadata, data sets, templates and whatever a later version brings are
skipped unread.

Source:
    Eclipse Sparkplug 3.0.0, chapter 6 (schema of the payload; numbers of fields and of data types as there).
"""

import struct
from math import isfinite

import msgspec

from ingest.protobuf import BYTES, FIXED32, FIXED64, VARINT, Field, bytes_field, fields, single, varint_field
from pantau.errors import RefusedMessage

__all__ = ["GOOD", "MAX_METRICS", "Metric", "Payload", "number", "payload_of", "rebirth", "whole"]

MAX_METRICS = 10_000
"""As many as an array of native JSON has items."""
GOOD = 192
"""The property ``Quality`` when nothing is wrong; 0 is bad, 500 stale."""
_MOST_FIELDS = 64
"""Of one metric; the standard knows 19."""
_MOST_PROPERTIES = 1_000
_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
_UNSIGNED = {5: 8, 6: 16, 7: 32, 8: 64}
_INT, _LONG, _FLOAT, _DOUBLE = 10, 11, 12, 13
_VALUES = {
    _INT: VARINT,
    _LONG: VARINT,
    _FLOAT: FIXED32,
    _DOUBLE: FIXED64,
    14: VARINT,
    15: BYTES,
    16: BYTES,
    17: BYTES,
    18: BYTES,
    19: BYTES,
}
_WORDS = {
    14: "true or false",
    15: "a text",
    16: "bytes",
    17: "a data set",
    18: "a template",
    19: "an extension",
}


class Metric(msgspec.Struct, gc=False):
    """One metric as it was sent.

    Attributes:
        name: empty when the metric has only its alias.
        timestamp: ms since 1970 UTC.
        datatype: number of the data type, 0 when the message leaves it to the birth.
        quality: the property ``Quality``, ``GOOD`` when there is none.
        field: number of the field that holds the value, 0 without one.
        raw: the value of a whole number, as sent.
        data: the value of anything else, as sent.
    """

    name: str = ""
    alias: int | None = None
    timestamp: int | None = None
    datatype: int = 0
    historical: bool = False
    null: bool = False
    quality: int = GOOD
    field: int = 0
    raw: int = 0
    data: bytes = b""

    @property
    def empty(self) -> bool:
        """Whether it says that there is no value now."""
        return self.null or not self.field


class Payload(msgspec.Struct):
    """What one message carries; ``seq`` is the edge node's own count of its messages."""

    metrics: list[Metric]
    timestamp: int | None = None
    seq: int | None = None


def payload_of(data: bytes) -> Payload:
    """The payload in these bytes.

    Raises:
        RefusedMessage: ``not_protobuf``, ``too_many``.
    """
    payload = Payload([])
    for field in fields(data, MAX_METRICS + _MOST_FIELDS):
        if field.number == 1 and field.wire == VARINT:
            payload.timestamp = field.whole
        elif field.number == 2 and field.wire == BYTES:
            payload.metrics.append(_metric(field.data))
        elif field.number == 3 and field.wire == VARINT:
            payload.seq = field.whole
    if len(payload.metrics) > MAX_METRICS:
        raise RefusedMessage(
            "too_many",
            f"message of {len(payload.metrics)} metrics, at most {MAX_METRICS}: send several messages",
        )
    return payload


def _metric(data: bytes) -> Metric:
    metric = Metric()
    for field in fields(data, _MOST_FIELDS):
        if field.number in _VALUES and field.wire == _VALUES[field.number]:
            metric.field, metric.raw, metric.data = field.number, field.whole, field.data
        elif field.wire == VARINT:
            _note(metric, field)
        elif field.wire == BYTES and field.number == 1:
            metric.name = _text(field.data)
        elif field.wire == BYTES and field.number == 9:
            metric.quality = _quality(field.data)
    return metric


def _note(metric: Metric, field: Field) -> None:
    match field.number:
        case 2:
            metric.alias = field.whole
        case 3:
            metric.timestamp = field.whole
        case 4:
            metric.datatype = field.whole
        case 5:
            metric.historical = bool(field.whole)
        case 7:
            metric.null = bool(field.whole)
        case _:  # 6 is is_transient: a metric that the operator bound is kept all the same
            pass


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RefusedMessage(
            "not_protobuf", f"payload is not Sparkplug B: a name is not UTF-8, {error.reason}"
        ) from error


def _quality(data: bytes) -> int:
    """The property ``Quality`` of a property set: keys and values stand in two lists of equal length."""
    keys: list[bytes] = []
    values: list[bytes] = []
    for field in fields(data, _MOST_PROPERTIES):
        if field.wire == BYTES and field.number == 1:
            keys.append(field.data)
        elif field.wire == BYTES and field.number == 2:
            values.append(field.data)
    for key, value in zip(keys, values, strict=False):
        if key == b"Quality":
            whole = [
                field.whole
                for field in fields(value, _MOST_FIELDS)
                if field[:2] in {(3, VARINT), (4, VARINT)}
            ]
            return whole[-1] if whole else GOOD
    return GOOD


def whole(metric: Metric) -> int | None:
    """A metric's whole number as it was sent (``bdSeq``), None when it has none."""
    return metric.raw if metric.field in {_INT, _LONG} and not metric.null else None


def number(metric: Metric, datatype: int) -> float:
    """The metric's value.

    Args:
        datatype: the metric's own or, where the message leaves it out, that of the birth; without it nobody can tell
            -1 from 4294967295.

    Raises:
        RefusedMessage: ``null_value``, ``bad_quality``, ``bad_value`` (no number), ``unknown_datatype``.
    """
    if metric.empty:
        raise RefusedMessage("null_value", f"metric {_name(metric)} says that it has no value")
    if metric.quality != GOOD:
        raise RefusedMessage(
            "bad_quality",
            f"metric {_name(metric)} has Quality {metric.quality}, expected {GOOD}: the gateway "
            "does not trust the value (0 bad, 500 stale)",
        )
    if metric.field == _FLOAT:
        value = single(metric.data)
    elif metric.field == _DOUBLE:
        (value,) = struct.unpack("<d", metric.data)
    elif metric.field in {_INT, _LONG}:
        value = float(_integer(metric, datatype))
    else:
        raise RefusedMessage(
            "bad_value",
            f"metric {_name(metric)} is {_WORDS[metric.field]}: expected a number; bind another metric",
        )
    if not isfinite(value):
        raise RefusedMessage("bad_value", f"metric {_name(metric)} is {value!r}: expected a finite number")
    return float(value)


def _integer(metric: Metric, datatype: int) -> int:
    """Signed types come as two's complement, of their own width or (Java's encoder) of the field's."""
    width = 32 if metric.field == _INT else 64
    found = metric.raw & ((1 << width) - 1)
    if datatype in _UNSIGNED:
        if found < 1 << _UNSIGNED[datatype]:
            return found
    elif datatype in _SIGNED:
        bits = _SIGNED[datatype]
        half = 1 << (bits - 1)
        if found < half:
            return found
        if found < half * 2:
            return found - half * 2
        if found >= (1 << width) - half:
            return found - (1 << width)
    elif datatype == 0:
        raise RefusedMessage(
            "unknown_datatype",
            f"metric {_name(metric)} is a whole number without a data type and was in no birth that we saw: it may be "
            "signed or not; the edge node is asked to be born again",
        )
    raise RefusedMessage(
        "bad_value", f"metric {_name(metric)} is {found}, which is no number of data type {datatype}"
    )


def _name(metric: Metric) -> str:
    return ascii(metric.name[:60]) if metric.name else f"with alias {metric.alias}"


def rebirth(at: int) -> bytes:
    """The NCMD that asks an edge node to publish its births again.

    Args:
        at: ms since 1970 UTC.

    Source:
        Sparkplug 3.0.0, 6.4.23: metric ``Node Control/Rebirth``, Boolean (data type 11), true; no ``seq``.
    """
    metric = b"".join(
        (
            bytes_field(1, b"Node Control/Rebirth"),
            varint_field(3, at),
            varint_field(4, 11),
            varint_field(14, 1),
        )
    )
    return varint_field(1, at) + bytes_field(2, metric)
