"""Why a JSON item gives no reading, in words for the person who looks after the device.

Only asked after the typed decoder has said no, so it may take its time.
"""

from datetime import datetime
from typing import Any

import msgspec

from pantau.errors import RefusedMessage

__all__ = ["NOT_JSON", "check_size", "complaint", "json_of", "not_json", "shown", "zoned"]

NOT_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""All that msgspec raises on hostile bytes: its own errors, bad UTF-8 inside strings, thousands of open brackets."""
_LONGEST = 60
_SEQ_LIMIT = 2**63


def shown(found: object) -> str:
    """What was found, printable, on one line and not too long."""
    text = ascii(found)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def check_size(payload: bytes, most: int) -> None:
    """Refuse a payload of more bytes than ``most`` before anybody parses it (``too_large``)."""
    if len(payload) > most:
        raise RefusedMessage("too_large", f"payload has {len(payload)} bytes, at most {most}")


def json_of(payload: bytes, most: int) -> Any:
    """What a payload of at most so many bytes says.

    Raises:
        RefusedMessage: ``too_large``, ``empty``, ``not_json``, ``bad_value``.
    """
    check_size(payload, most)
    try:
        return msgspec.json.decode(payload)
    except NOT_JSON as error:
        raise not_json(payload, error) from error


def zoned(field: str, found: object, *, expected: str, naive: str) -> datetime:
    """A text as an instant with an offset.

    Args:
        expected: ends the sentence for what is no time.
        naive: ends the sentence for a time without an offset: what is wrong and what to do.

    Raises:
        RefusedMessage: ``bad_time``, ``naive_time``.
    """
    try:
        at = msgspec.convert(found, datetime) if isinstance(found, str) else None
    except msgspec.ValidationError:
        at = None
    if at is None:
        raise RefusedMessage("bad_time", f"{field} is {shown(found)}: expected {expected}")
    if at.tzinfo is None:
        raise RefusedMessage("naive_time", f"{field} {shown(found)} has {naive}")
    return at


def not_json(payload: bytes, error: BaseException) -> RefusedMessage:
    """The refusal of bytes that are no JSON, with the usual cause where it can be seen."""
    if not payload.strip():
        return RefusedMessage("empty", "the payload is empty")
    if isinstance(error, RecursionError):
        why = "it is nested too deeply"
    elif "out of range" in str(error):
        return RefusedMessage(
            "bad_value", f"payload {shown(payload[:_LONGEST])} holds a number that is too large"
        )
    elif payload.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        why = "it begins with a byte order mark; send plain UTF-8"
    elif any(word in payload for word in (b"NaN", b"nan", b"Infinity", b"inf")):
        why = "JSON knows neither NaN nor Infinity; send nothing when there is no value"
    elif isinstance(error, UnicodeError):
        why = "it is not UTF-8"
    elif "truncated" in str(error):
        why = "it ends too early, or holds half of a surrogate pair"
    else:
        why = str(error)
    return RefusedMessage("not_json", f"payload {shown(payload[:_LONGEST])} is not JSON: {why}")


def complaint(payload: bytes) -> RefusedMessage:
    """The refusal of one item that the typed decoder did not take."""
    try:
        item = msgspec.json.decode(payload)
    except NOT_JSON as error:
        return not_json(payload, error)
    if not isinstance(item, dict):
        return RefusedMessage(
            "not_an_object",
            f'found {shown(item)}, expected {{"observed_at": ..., "value": ...}} or an array of such',
        )
    return _time(item) or _value(item) or _unit(item) or _seq(item) or _other(item)


def _other(item: dict[Any, Any]) -> RefusedMessage:
    return RefusedMessage("bad_payload", f"found {shown(item)}, which cannot be read")


def _missing(field: str) -> RefusedMessage:
    return RefusedMessage("missing_field", f"{field} is missing: an item needs observed_at and value")


def _time(item: dict[Any, Any]) -> RefusedMessage | None:
    if "observed_at" not in item:
        return _missing("observed_at")
    found = item["observed_at"]
    if _is_number(found):
        return None
    expected = "expected RFC 3339 with an offset (2026-01-02T03:04:05Z) or epoch milliseconds"
    if not isinstance(found, str):
        return RefusedMessage("bad_time", f"observed_at is {shown(found)}: {expected}")
    try:
        at = msgspec.convert(found, datetime)
    except msgspec.ValidationError:
        return RefusedMessage("bad_time", f"observed_at is {shown(found)}: {expected}")
    if at.tzinfo is None:
        return RefusedMessage(
            "naive_time",
            f"observed_at {shown(found)} has no offset: append Z for UTC or the local one (+07:00)",
        )
    return None


def _value(item: dict[Any, Any]) -> RefusedMessage | None:
    if "value" not in item:
        return _missing("value")
    found = item["value"]
    if not _is_number(found):
        return RefusedMessage("bad_value", f"value is {shown(found)}: expected a number, without quotes")
    try:
        msgspec.convert(found, float)
        float(found)
    except (msgspec.ValidationError, OverflowError):
        return RefusedMessage("bad_value", f"value is {shown(found)}: no such number can be measured")
    return None


def _unit(item: dict[Any, Any]) -> RefusedMessage | None:
    found = item.get("unit")
    if found is None or isinstance(found, str):
        return None
    return RefusedMessage("wrong_unit", f"unit is {shown(found)}: expected a word such as cm")


def _seq(item: dict[Any, Any]) -> RefusedMessage | None:
    found = item.get("seq")
    if found is None or (type(found) is int and -_SEQ_LIMIT <= found < _SEQ_LIMIT):
        return None
    return RefusedMessage("bad_seq", f"seq is {shown(found)}: expected a whole number of at most 64 bits")


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)
