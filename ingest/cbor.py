"""CBOR in (RFC 8949), plain values out: the part of it that SenML uses, read strictly.

Written out rather than left to a library because of the field: a map's key may be any value there, and two megabytes
of small arrays as keys, made to share one hash, keep a decoder busy for minutes. Here a key is a whole number of 64
bits or text, each at most once; depth, items and digits are bounded; what follows the value is refused. Tests compare
with ``cbor2``.
"""

import math
import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from pantau.errors import RefusedMessage

__all__ = ["decode"]

_DEEPEST = 8
_MOST_ITEMS = 400_000
"""Items of all kinds in one payload: 10,000 records of 15 fields fit with room."""
_LONGEST_NUMBER = 32
"""Bytes of a big integer; no instrument has that many digits."""
_MOST_EXPONENT = 400
"""Beyond it no decimal fraction fits into a double."""
_KEYS = 1 << 64
"""Greater whole numbers could be made to share one hash by the thousand."""
_BREAK = object()
_FLOATS = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_POSITIVE_BIG, _NEGATIVE_BIG, _DECIMAL, _BIG_FLOAT, _SELF_DESCRIBED = 2, 3, 4, 5, 55799


def decode(payload: bytes) -> Any:
    """The one value of a payload: int, float, Decimal, str, bytes, bool, None, list, dict with int and str keys.

    Raises:
        RefusedMessage: ``not_cbor``.
    """
    stream = _Stream(payload)
    value = stream.item(0)
    if value is _BREAK:
        raise _refused("it begins with a break")
    if stream.at != len(payload):
        raise _refused(f"{len(payload) - stream.at} bytes follow its end")
    return value


def _refused(why: str) -> RefusedMessage:
    return RefusedMessage("not_cbor", f"the payload is not CBOR as SenML uses it: {why}")


class _Stream:
    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._items = 0
        self.at = 0

    def item(self, depth: int) -> Any:
        self._items += 1
        if self._items > _MOST_ITEMS:
            raise _refused(f"it has more than {_MOST_ITEMS} items")
        first = self._take(1)[0]
        major, info = first >> 5, first & 31
        if major == 7:
            return self._simple(info)
        size = self._argument(info)
        if major < 2:
            if size is None:
                raise _refused("a number cannot be of indefinite length")
            return -1 - size if major else size
        if major < 4:
            return self._string(major, size)
        if depth == _DEEPEST:
            raise _refused(f"it is nested more than {_DEEPEST} deep")
        if major == 6:
            return self._tagged(size, depth + 1)
        return self._array(size, depth + 1) if major == 4 else self._map(size, depth + 1)

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._payload):
            raise _refused("it ends too early")
        taken = self._payload[self.at : end]
        self.at = end
        return taken

    def _argument(self, info: int) -> int | None:
        """The number in an item's head; None: of indefinite length."""
        if info < 24:
            return info
        if info < 28:
            return int.from_bytes(self._take(1 << (info - 24)), "big")
        if info == 31:
            return None
        raise _refused(f"additional information {info} is reserved")

    def _simple(self, info: int) -> Any:
        if info in _FLOATS:
            size, form = _FLOATS[info]
            return struct.unpack(form, self._take(size))[0]
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info == 31:
            return _BREAK
        raise _refused(f"simple value {info} means nothing here")

    def _string(self, major: int, size: int | None) -> str | bytes:
        if size is None:
            pieces = list(self._pieces(major))
            # Each piece is a text of its own (RFC 8949, 3.2.3), so none can end within a character.
            return "".join(map(_text, pieces)) if major == 3 else b"".join(pieces)
        raw = self._take(size)
        return _text(raw) if major == 3 else raw

    def _pieces(self, major: int) -> Iterator[bytes]:
        while (head := self._take(1)[0]) != 0xFF:
            size = self._argument(head & 31)
            self._items += 1
            if head >> 5 != major or size is None or self._items > _MOST_ITEMS:
                raise _refused("a string in pieces holds something else than such pieces")
            yield self._take(size)

    def _array(self, size: int | None, depth: int) -> list[Any]:
        found: list[Any] = []
        while size is None or len(found) < size:
            value = self.item(depth)
            if value is _BREAK:
                if size is None:
                    break
                raise _refused("an array of known length is broken off")
            found.append(value)
        return found

    def _map(self, size: int | None, depth: int) -> dict[int | str, Any]:
        found: dict[int | str, Any] = {}
        while size is None or len(found) < size:
            key = self.item(depth)
            if key is _BREAK and size is None:
                break
            if type(key) is not str and not (type(key) is int and -_KEYS <= key < _KEYS):
                raise _refused("a label is neither a whole number nor text")
            if key in found:
                raise _refused(f"label {key!a:.40} stands twice in one record")
            value = self.item(depth)
            if value is _BREAK:
                raise _refused("a label has no value")
            found[key] = value
        return found

    def _tagged(self, tag: int | None, depth: int) -> Any:
        value = self.item(depth)
        if tag == _SELF_DESCRIBED and value is not _BREAK:
            return value
        if (
            tag in {_POSITIVE_BIG, _NEGATIVE_BIG}
            and isinstance(value, bytes)
            and len(value) <= _LONGEST_NUMBER
        ):
            number = int.from_bytes(value, "big")
            return number if tag == _POSITIVE_BIG else -1 - number
        if tag in {_DECIMAL, _BIG_FLOAT}:
            return _fraction(tag, value)
        raise _refused(f"tag {tag} is none of SenML's")


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise _refused("a text is not UTF-8") from None


def _fraction(tag: int, parts: Any) -> Decimal | float:
    """Of a decimal fraction (tag 4) or a big float (tag 5): exponent and mantissa, in this order."""
    if not isinstance(parts, list) or len(parts) != 2 or any(type(part) is not int for part in parts):
        raise _refused(f"tag {tag} holds something else than exponent and mantissa")
    exponent, mantissa = parts
    if tag == _DECIMAL and abs(exponent) <= _MOST_EXPONENT:
        return Decimal(mantissa).scaleb(exponent)
    if tag == _BIG_FLOAT and abs(exponent) <= 4 * _MOST_EXPONENT:
        try:
            return math.ldexp(mantissa, exponent)
        except OverflowError:
            pass
    raise _refused(f"tag {tag} holds a number that no double can")
