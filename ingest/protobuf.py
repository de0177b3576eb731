"""Protobuf's wire format: bytes in, numbered fields out, and the few fields that we write ourselves.

A reader of our own keeps a large dependency out: what a device sends is walked once, each length is checked before it
is used, nothing is nested unless the caller asks for it, and bytes that are no protobuf are refused, never an error.

Source:
    protobuf.dev, Encoding: a field is a varint ``number << 3 | wire type`` and a value by wire type (0 varint, 1 eight
    bytes, 2 length and bytes, 5 four bytes; 3 and 4, groups, are of the last century and are refused).
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from pantau.errors import RefusedMessage

__all__ = [
    "BYTES",
    "FIXED32",
    "FIXED64",
    "VARINT",
    "Field",
    "bytes_field",
    "fields",
    "single",
    "varint_field",
]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""
_LONGEST_VARINT = 10
_MASK64 = (1 << 64) - 1
_WIDTHS = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """One field as it stands on the wire.

    Attributes:
        number: 1 to 2^29 - 1.
        wire: ``VARINT``, ``FIXED64``, ``BYTES`` or ``FIXED32``; a caller that expects another skips the field.
        whole: of a varint its 64 bits, unsigned; else 0.
        data: of the others their bytes; of a varint none.
    """

    number: int
    wire: int
    whole: int
    data: bytes


def fields(data: bytes, most: int) -> Iterator[Field]:
    """The fields of one message in the order in which they stand.

    Args:
        most: fields that such a message can reasonably have.

    Raises:
        RefusedMessage: ``not_protobuf``: cut off, or no protobuf at all; ``too_many``: more than ``most`` fields. What
            came before was handed out already.
    """
    at, end, found = 0, len(data), 0
    while at < end:
        found += 1
        if found > most:
            raise RefusedMessage(
                "too_many", f"payload has more than {most} fields in one message: send several messages"
            )
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise _broken(at, f"field number {number}, expected 1 to 2^29 - 1")
        if wire == VARINT:
            whole, at = _varint(data, at)
            yield Field(number, wire, whole, b"")
            continue
        if wire == BYTES:
            length, at = _varint(data, at)
        else:
            length = _WIDTHS.get(wire, -1)
        if length < 0:
            raise _broken(at, f"wire type {wire} of field {number}, expected 0, 1, 2 or 5")
        if length > end - at:
            raise _broken(at, f"field {number} wants {length} bytes, {end - at} are left")
        yield Field(number, wire, 0, data[at : at + length])
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A varint's 64 bits and where the next byte stands; further bits are dropped, as every protobuf reader does."""
    value = 0
    for index in range(_LONGEST_VARINT):
        if at + index >= len(data):
            raise _broken(at, "it ends within a number")
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value & _MASK64, at + index + 1
    raise _broken(at, f"a number of more than {_LONGEST_VARINT} bytes")


def single(data: bytes) -> float:
    """The float of four bytes as the shortest decimal number that means it: 2.01, not 2.0099999904632568.

    The device meant the former, and a limit may lie exactly there.
    """
    (value,) = struct.unpack("<f", data)
    for digits in range(6, 9):
        short = float(f"{value:.{digits}g}")
        try:
            if struct.pack("<f", short) == data:
                return short
        except OverflowError:  # rounded up past the largest float
            continue
    return float(value)


def varint_field(number: int, value: int) -> bytes:
    """A field with a number, 0 to 2^64 - 1."""
    return _encoded(number << 3 | VARINT) + _encoded(value)


def bytes_field(number: int, data: bytes) -> bytes:
    """A field with bytes: a text, or a message within the message."""
    return _encoded(number << 3 | BYTES) + _encoded(len(data)) + data


def _encoded(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _broken(at: int, why: str) -> RefusedMessage:
    return RefusedMessage("not_protobuf", f"payload is not protobuf, at byte {at}: {why}")
