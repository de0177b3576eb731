"""A load generator: QoS 1 PUBLISH packets, encoded by ourselves, over one plain socket.

paho spends 40 us on a message, more than what it is meant to measure. This speaks just enough MQTT 3.1.1 to publish and
to count acknowledgements: one connection, no session, no keep-alive, no TLS.
"""

import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from pantau.errors import ConfigError, Unavailable

__all__ = ["LoadClient", "Timed", "encode_publish", "numbered"]

_TIMEOUT_S = 30.0
_IDS = 65_535
_BURST = 256
"""Packets handed to the system at once."""
_PUBACK_BYTES = 4
_LONGEST_NAP_S = 0.002
"""A simulated clock may run many times faster than ours: it is asked again after this long."""


class Timed(msgspec.Struct, gc=False):
    """A packet and when it is due, ms on the caller's clock; ``mark`` names it when its sending is to be noted."""

    due: int
    packet: bytes
    mark: str = ""


def encode_publish(topic: bytes, payload: bytes, number: int) -> bytes:
    """A QoS 1 PUBLISH packet; ``number`` counts messages from 0 and gives the packet identifier."""
    body = len(topic).to_bytes(2) + topic + (number % _IDS + 1).to_bytes(2) + payload
    return b"\x32" + _length(len(body)) + body


def numbered(messages: Iterable[tuple[int, bytes, bytes]]) -> Iterator[Timed]:
    """Packets of (due, topic, payload), numbered from 0."""
    for number, (due, topic, payload) in enumerate(messages):
        yield Timed(due, encode_publish(topic, payload, number))


class LoadClient:
    """One connection to the broker; use it as a context manager.

    Args:
        url: ``mqtt://[user:password@]host[:port]``.
        window: how many messages may be without acknowledgement.

    Attributes:
        sent, acknowledged: messages so far.
        sent_at: when a marked packet went to the system, by its mark; real time, ns since 1970 UTC.

    Raises:
        ConfigError: the URL asks for TLS.
        Unavailable: the broker does not answer or refuses the connection.
    """

    def __init__(self, url: str, *, window: int = 4000, client_id: str = "pantau-load") -> None:
        self._parts = urlsplit(url)
        if self._parts.scheme != "mqtt":
            raise ConfigError(f"{url}: the load generator speaks plain mqtt:// only")
        self.window = window
        self.client_id = client_id
        self.sent = 0
        self.acknowledged = 0
        self.sent_at: dict[str, int] = {}
        self._received = 0

    def __enter__(self) -> Self:
        host, port = self._parts.hostname or "127.0.0.1", self._parts.port or 1883
        try:
            self._socket = socket.create_connection((host, port), timeout=_TIMEOUT_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(_connect(self.client_id, self._parts))
            answer = self._socket.recv(4)
        except OSError as error:
            raise Unavailable("mqtt", f"{host}:{port}: {error}") from None
        if answer != b"\x20\x02\x00\x00":
            self._socket.close()
            raise Unavailable("mqtt", f"{host}:{port} refused the connection: {answer.hex(' ')}")
        self._socket.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def run(self, packets: Iterable[Timed], now: Callable[[], int] | None = None) -> None:
        """Send everything and wait until the broker has acknowledged it.

        Args:
            packets: numbered without a gap from the connection's first message on.
            now: the clock (ms) that their ``due`` is measured by; None: as fast as the broker takes them.

        Raises:
            Unavailable: the connection broke, or no acknowledgement came for 30 s.
        """
        stream = iter(packets)
        held = next(stream, None)
        while held is not None or self.acknowledged < self.sent:
            burst: list[bytes] = []
            marks: list[str] = []
            room = min(_BURST, self.window - (self.sent - self.acknowledged))
            # The clock is read once a burst; what comes due meanwhile goes with the next one.
            until = now() if now is not None else None
            while held is not None and len(burst) < room and (until is None or held.due <= until):
                burst.append(held.packet)
                if held.mark:
                    marks.append(held.mark)
                held = next(stream, None)
            if burst:
                self._note(marks)
                self._send(b"".join(burst))
                self.sent += len(burst)
                self._receive(0.0)
            elif held is not None and room > 0:
                # Not woken by acknowledgements: at 5,000 messages a second they would be most of the work.
                time.sleep(min((held.due - until) / 1000 if until is not None else 0.0, _LONGEST_NAP_S))
            else:
                self._receive_or_fail()

    def _note(self, marks: list[str]) -> None:
        if marks:
            at = time.time_ns()
            self.sent_at.update((mark, at) for mark in marks)

    def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                # The broker reads no further until we take its acknowledgements.
                select.select([self._socket], [self._socket], [], _TIMEOUT_S)
                self._receive(0.0)
            except OSError as error:
                raise Unavailable("mqtt", f"connection broke: {error}") from None

    def _receive(self, timeout_s: float) -> bool:
        """Count what acknowledgements are there; whether any came."""
        if not select.select([self._socket], [], [], timeout_s)[0]:
            return False
        try:
            data = self._socket.recv(65_536)
        except OSError as error:
            raise Unavailable("mqtt", f"connection broke: {error}") from None
        if not data:
            raise Unavailable("mqtt", "the broker closed the connection")
        # Without keep-alive and subscriptions nothing but PUBACK, four bytes each, can come.
        self._received += len(data)
        self.acknowledged = self._received // _PUBACK_BYTES
        return True

    def _receive_or_fail(self) -> None:
        if not self._receive(_TIMEOUT_S):
            raise Unavailable("mqtt", f"no acknowledgement for {_TIMEOUT_S:.0f} s")


def _length(number: int) -> bytes:
    found = bytearray()
    while True:
        number, digit = divmod(number, 128)
        found.append(digit | (0x80 if number else 0))
        if not number:
            return bytes(found)


def _connect(client_id: str, parts: SplitResult) -> bytes:
    fields, flags = [client_id], 0x02  # clean session
    if parts.username:
        fields.append(unquote(parts.username))
        flags |= 0x80
        if parts.password:
            fields.append(unquote(parts.password))
            flags |= 0x40
    texts = b"".join(_text(field) for field in fields)
    body = _text("MQTT") + bytes((4, flags)) + (0).to_bytes(2) + texts
    return b"\x10" + _length(len(body)) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(2) + raw
