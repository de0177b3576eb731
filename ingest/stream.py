"""Bytes of a broker in, messages out, and the other packets apart: the loop that receiving a message costs.

A message costs half a microsecond here, because the usual packet (PUBLISH at QoS 1) is taken apart where it lies,
without a call but the one that makes the ``Message``. All that is unusual goes the long way. Any bytes give packets
or a ProtocolError; bits that a broker should have left at 0 are not complained of, since nothing hangs on them.
"""

import struct
from collections.abc import Iterable

from ingest.format import Message
from ingest.packets import PUBLISH, Packet, ProtocolError, long_size, past_properties

__all__ = ["Stream", "acknowledgements"]

_USUAL = 0x32  # PUBLISH, QoS 1, neither a duplicate nor retained
_ANSWER = {0: 0, 1: 0x4002_0000, 2: 0x5002_0000}
"""First half of the four bytes that answer a QoS: PUBACK, PUBREC. A token is (era, these, packet id)."""
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"
_MOST_TOPICS = 200_000
_LONGEST_TOPIC = 128
"""Bytes of a topic that is remembered: with the number above at most some 90 MB, if somebody wanted to fill it."""


class Stream:
    """Takes the bytes of one connection apart.

    Args:
        era: number of the connection; it stands in the tokens, so that an acknowledgement outlives no connection.
        topics: texts of topics by their bytes; kept from one connection to the next.
        aside: a topic whose QoS 0 messages are not messages but packets.
        five: MQTT 5, else 3.1.1.

    Attributes:
        unpromised: QoS 0 messages so far.
        more: whether ``read`` stopped at its limit; there may be more messages in what was fed.
    """

    def __init__(self, era: int, topics: dict[bytes, str], aside: str, *, five: bool) -> None:
        self.unpromised = 0
        self.more = False
        self._base = era << 32
        self._topics = topics
        self._aside = aside
        self._five = five
        self._data = b""
        self._pos = 0
        self._parts: list[bytes] = []
        self._held = self._need = 0
        self._now = 0
        self._others: list[Packet] = []

    def feed(self, chunk: bytes, now: int) -> None:
        """Append what was received at ``now`` (ms); a long packet is only put together once it is whole."""
        self._parts.append(chunk)
        self._held += len(chunk)
        self._now = now

    def read(self, into: list[Message], limit: int) -> list[Packet]:
        """Append the messages that are whole, until there are ``limit``; returns the other packets.

        Raises:
            ProtocolError: the rest is not MQTT; messages before it are in ``into``.
        """
        if self._held < self._need:
            return []
        if self._parts:
            self._data = b"".join((self._data[self._pos :], *self._parts))
            self._pos = 0
            self._parts.clear()
        try:
            self._take_apart(into, limit)
        except IndexError:
            raise ProtocolError("a packet ends within its header") from None
        others, self._others = self._others, []
        return others

    def _take_apart(self, into: list[Message], limit: int) -> None:
        # Local names, no calls and no slices beyond the two: this loop is what receiving costs.
        data, pos, now, base, five = self._data, self._pos, self._now, self._base | _ANSWER[1], self._five
        append, known = into.append, self._topics.get
        end, room = len(data), limit - len(into)
        need = 0
        while room > 0:
            if pos + 2 > end:
                need = 2
                break
            body = pos + 2
            size = data[pos + 1]
            if size > 127:
                if body < end and data[body] < 128:
                    size += (data[body] << 7) - 128
                    body += 1
                else:
                    size, body = long_size(data, body, size)
            stop = body + size
            if stop > end:
                need = stop - pos
                break
            if data[pos] == _USUAL:
                at = body + 2 + (data[body] << 8 | data[body + 1])
                name = data[body + 2 : at]
                mid = data[at] << 8 | data[at + 1]
                at += 2
                if five:
                    at = at + 1 if data[at] == 0 else past_properties(data, at)
                if at > stop or mid == 0:
                    raise ProtocolError("a PUBLISH without topic or packet id")
                append(Message(known(name) or self._topic(name), data[at:stop], now, False, 1, base + mid))  # noqa: FBT003 - by name it costs a sixth more
                room -= 1
            else:
                message = self._unusual(data[pos], data[body:stop])
                if message is not None:
                    append(message)
                    room -= 1
            pos = stop
        self._pos, self._need, self._held, self.more = pos, need, end - pos, room <= 0 and pos < end

    def _unusual(self, head: int, body: bytes) -> Message | None:
        if head >> 4 != PUBLISH:
            self._others.append(Packet(head >> 4, body))
            return None
        qos = head >> 1 & 3
        at = 2 + (body[0] << 8 | body[1])
        topic, mid = self._topic(body[2:at]), 0
        if qos:
            mid = body[at] << 8 | body[at + 1]
            at += 2
        if self._five:
            at = past_properties(body, at)
        if at > len(body) or qos not in _ANSWER or (qos and not mid):
            raise ProtocolError("a PUBLISH without topic or packet id, or of QoS 3")
        if qos == 0:
            if topic == self._aside:
                self._others.append(Packet(PUBLISH, body[at:]))
                return None
            self.unpromised += 1
        token = self._base | _ANSWER[qos] | mid if qos else 0
        return Message(topic, body[at:], self._now, bool(head & 1), qos, token)

    def _topic(self, name: bytes) -> str:
        if not name:
            raise ProtocolError("a PUBLISH with an empty topic; we offered no aliases")
        try:
            text = name.decode()
        except UnicodeDecodeError:
            text = _NOT_UTF8
        if len(name) <= _LONGEST_TOPIC:
            if len(self._topics) >= _MOST_TOPICS:
                self._topics.clear()
            self._topics[name] = text
        return text


def acknowledgements(messages: Iterable[Message], era: int) -> bytes:
    """PUBACKs (PUBRECs at QoS 2) of those messages that came in this era."""
    base = era << 32
    answers = [message.token - base for message in messages if message.token >= base]
    return struct.pack(f">{len(answers)}I", *answers)
