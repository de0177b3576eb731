"""MQTT's packets, 3.1.1 and 5, but for PUBLISH: those that we send as bytes, and what stands in those that we get."""

from collections.abc import Sequence
from typing import NamedTuple

from ingest.reasons import reason_text

__all__ = [
    "CONNACK",
    "DISCONNECT",
    "GOODBYE",
    "PINGREQ",
    "PINGRESP",
    "PUBLISH",
    "PUBREL",
    "SUBACK",
    "UNSUBACK",
    "Connack",
    "Packet",
    "ProtocolError",
    "Suback",
    "connect",
    "long_size",
    "past_properties",
    "pubcomp",
    "subscribe",
    "unsubscribe",
]

CONNACK, PUBLISH, PUBREL, SUBACK, UNSUBACK, PINGRESP, DISCONNECT = 2, 3, 6, 9, 11, 13, 14
"""Types of the packets that a broker may send to who only receives."""

PINGREQ = b"\xc0\x00"
GOODBYE = b"\xe0\x00"
"""DISCONNECT: an orderly end; the session stays."""

_NEVER_EXPIRES = b"\x11\xff\xff\xff\xff"
_RECEIVE_MAXIMUM = b"\x21\xff\xff"


class ProtocolError(Exception):
    """What came is not MQTT, or not what a broker may send; the connection cannot go on."""


class Packet(NamedTuple):
    """A packet that is no message: its type, and what follows the length."""

    type: int
    body: bytes


class Connack(NamedTuple):
    """The broker's answer to CONNECT.

    Attributes:
        refusal: why we are not let in; empty when we are.
        keepalive_s: what the broker wants instead of what we asked for; None: as asked.
    """

    session_present: bool
    refusal: str
    keepalive_s: int | None

    @classmethod
    def of(cls, body: bytes, *, five: bool) -> "Connack":
        """Raises: ProtocolError."""
        if len(body) < 2:
            raise ProtocolError("CONNACK is too short")
        refusal = reason_text(body[1], five=five) if body[1] else ""
        keepalive = _properties(body[2:]).get(0x13) if five else None
        return cls(
            bool(body[0] & 1), refusal, None if keepalive is None else int.from_bytes(keepalive, "big")
        )


class Suback(NamedTuple):
    """The broker's answer to SUBSCRIBE: for each filter whether it was denied."""

    mid: int
    denied: tuple[bool, ...]

    @classmethod
    def of(cls, body: bytes, *, five: bool) -> "Suback":
        """Raises: ProtocolError."""
        start = past_properties(body, 2) if five else 2
        if len(body) < start:
            raise ProtocolError("SUBACK is too short")
        return cls(int.from_bytes(body[:2], "big"), tuple(code >= 0x80 for code in body[start:]))


def connect(client_id: str, user: str | None, password: str | None, keepalive_s: int, *, five: bool) -> bytes:
    """CONNECT that takes up the session of this client id, or begins one that does not expire."""
    flags = (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    head = _text("MQTT") + bytes([5 if five else 4, flags]) + keepalive_s.to_bytes(2, "big")
    texts = (client_id, *(text for text in (user, password) if text is not None))
    properties = _NEVER_EXPIRES + _RECEIVE_MAXIMUM
    return _packet(
        0x10, head + (_size(len(properties)) + properties if five else b"") + b"".join(map(_text, texts))
    )


def subscribe(mid: int, filters: Sequence[str], qos: int, *, five: bool) -> bytes:
    """SUBSCRIBE to all of these."""
    asked = b"".join(_text(name) + bytes([qos]) for name in filters)
    return _packet(0x82, mid.to_bytes(2, "big") + (b"\0" if five else b"") + asked)


def unsubscribe(mid: int, filters: Sequence[str], *, five: bool) -> bytes:
    """UNSUBSCRIBE from all of these."""
    return _packet(0xA2, mid.to_bytes(2, "big") + (b"\0" if five else b"") + b"".join(map(_text, filters)))


def pubcomp(pubrel: bytes) -> bytes:
    """The end of a QoS 2 delivery. Raises: ProtocolError."""
    if len(pubrel) < 2:
        raise ProtocolError("PUBREL is too short")
    return b"\x70\x02" + pubrel[:2]


def _packet(head: int, body: bytes) -> bytes:
    return bytes([head]) + _size(len(body)) + body


def _size(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded


def long_size(data: bytes, at: int, size: int) -> tuple[int, int]:
    """A length of two to four bytes whose first is read: the length, and where it ends; beyond ``data`` if it does."""
    size &= 127
    for shift in (7, 14, 21):
        if at == len(data):
            return 1, at
        byte = data[at]
        at += 1
        size |= (byte & 127) << shift
        if byte < 128:
            return size, at
    raise ProtocolError("a length of more than four bytes")


def past_properties(data: bytes, at: int) -> int:
    """Where the properties that begin here end; beyond ``data`` if they do. Raises: ProtocolError."""
    size, at = _sized(data, at)
    return at + size


def _sized(data: bytes, at: int) -> tuple[int, int]:
    if at >= len(data):
        raise ProtocolError("a packet ends before its properties")
    size = data[at]
    return (size, at + 1) if size < 128 else long_size(data, at + 1, size)


_WIDTHS = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
_TEXTS = (0x03, 0x08, 0x09, 0x12, 0x15, 0x16, 0x1A, 0x1C, 0x1F)
_PAIR = 0x26


def _properties(data: bytes) -> dict[int, bytes]:
    """The properties of a CONNACK by number, the last of each; their values as they stand."""
    found: dict[int, bytes] = {}
    if not data:
        return found
    size, at = _sized(data, 0)
    stop = at + size
    if stop > len(data):
        raise ProtocolError("properties longer than their packet")
    while at < stop:
        number, at = data[at], at + 1
        for _ in range(2 if number == _PAIR else 1):
            if number in _WIDTHS:
                width = _WIDTHS[number]
            elif number in _TEXTS or number == _PAIR:
                width, at = int.from_bytes(data[at : at + 2], "big"), at + 2
            else:
                raise ProtocolError(f"a property with the unknown number {number}")
            found[number] = data[at : at + width]
            at += width
    if at != stop:
        raise ProtocolError("a property longer than all of them together")
    return found
