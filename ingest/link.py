"""One connection to a broker: bytes go out when there is room, come in when there are some, nothing waits for long.

Two threads use it. The one that receives also waits and reads; the other one keeps the connection alive meanwhile. What
cannot be sent at once is kept and sent later, so nobody waits for a broker that itself waits until we have read.
"""

import select
import socket
import ssl
import threading
import time
from contextlib import suppress

from ingest import packets
from ingest.endpoint import Endpoint
from ingest.packets import Connack, ProtocolError

__all__ = ["Ended", "Link", "open_link"]

_ANSWER_S = 10.0
"""How long a broker may take to answer at any step of connecting."""
_CHUNK = 1 << 18
_LONGEST_CONNACK = 1 << 17
_GOODBYE_S = 1.0
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Ended(ConnectionError):
    """The connection is over; the text says why."""


class Link:
    """A connection that the broker has accepted.

    Args:
        connected: its socket.
        keepalive_s: the broker may end the connection when it hears nothing for one and a half times as long, and so
            do we.

    Attributes:
        session_present: whether the broker knew our session.
    """

    def __init__(self, connected: socket.socket, keepalive_s: float, *, session_present: bool) -> None:
        connected.settimeout(0)
        self.session_present = session_present
        self.keepalive_s = keepalive_s
        self._socket = connected
        self._encrypted = isinstance(connected, ssl.SSLSocket)
        self._lock = threading.Lock()
        self._unsent = bytearray()
        self._heard_at = self._sent_at = self._pinged_at = time.monotonic()
        self._asked_at: float | None = None

    def send(self, data: bytes) -> None:
        """Send what there is room for, keep the rest for later; the order stays.

        Raises:
            OSError: the connection is over.
        """
        with self._lock:
            self._unsent += data
        self.flush()

    def flush(self) -> None:
        """Send what was kept, as far as there is room; raises as ``send``."""
        with self._lock:
            while self._unsent:
                try:
                    sent = self._socket.send(self._unsent)
                except _NOT_NOW:
                    return
                del self._unsent[:sent]
                self._sent_at = time.monotonic()

    def receive(self) -> bytes:
        """What has arrived, up to 256 KiB; nothing when nothing has.

        Raises:
            OSError: the connection is over.
        """
        try:
            with self._lock:
                data = self._socket.recv(_CHUNK)
        except _NOT_NOW:
            return b""
        if not data:
            raise Ended("the broker closed the connection")
        self._heard_at = time.monotonic()
        self._asked_at = None
        return data

    def may_have_more(self, data: bytes) -> bool:
        """Whether another look is worth it after this chunk; TLS hands over one record at a time."""
        return len(data) == _CHUNK or self._encrypted

    def wait(self, timeout_s: float) -> None:
        """Return when something has arrived, or after ``timeout_s``; what was kept is sent as soon as there is room."""
        if self._unsent:
            self.flush()
        self._polled(select.POLLIN | (select.POLLOUT if self._unsent else 0), timeout_s)

    def keep_alive(self) -> None:
        """Ping when it is time; called at least every quarter of ``keepalive_s``.

        A connection is given up when a ping stays without answer and nothing lies here unread: what waits for a
        receiver that is busy elsewhere was sent by a living broker.

        Raises:
            OSError: the connection is over.
        """
        now = time.monotonic()
        half = self.keepalive_s / 2
        if self._asked_at is not None and now - self._asked_at >= 2 * half and not self.unread():
            raise Ended(f"the broker has been silent for {now - self._heard_at:.0f} s, though asked")
        if now - self._pinged_at >= half and now - min(self._sent_at, self._heard_at) >= half:
            self._pinged_at = now
            if self._asked_at is None:
                self._asked_at = now
            self.send(packets.PINGREQ)
        else:
            self.flush()

    def close(self, goodbye: bytes = b"") -> None:
        """End the connection; with a goodbye in order: all that was kept is sent first, if the broker takes it."""
        with suppress(OSError):
            if goodbye:
                self._leave(goodbye)
        with self._lock:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # wakes whoever waits for it
            self._socket.close()

    def _leave(self, goodbye: bytes) -> None:
        deadline = time.monotonic() + _GOODBYE_S
        self.send(goodbye)
        # Closing with bytes unread would let the network throw away what we sent last.
        while time.monotonic() < deadline:
            self.wait(deadline - time.monotonic())
            self.receive()

    def unread(self) -> bool:
        """Whether something lies here that nobody has received yet."""
        pending = self._socket.pending() if isinstance(self._socket, ssl.SSLSocket) else 0
        return bool(pending or self._polled(select.POLLIN, 0))

    def _polled(self, events: int, timeout_s: float) -> list[tuple[int, int]]:
        poll = select.poll()  # not `select`: that knows no file number above 1,023; and one for each thread
        with suppress(ValueError):  # closed meanwhile: the next to send or receive says so
            poll.register(self._socket, events)
            return poll.poll(max(0.0, timeout_s) * 1000)
        return []


def open_link(endpoint: Endpoint, client_id: str, keepalive_s: int) -> Link:
    """Connect, show ourselves and be let in; waits at most some ten seconds at each step.

    Raises:
        OSError: no answer, or the broker refused us; the text says which.
        ProtocolError: the answer was not MQTT.
        ConfigError: a file of the TLS settings cannot be read.
    """
    context = endpoint.tls_context()
    five = endpoint.version == "5"
    try:
        connected = socket.create_connection((endpoint.host, endpoint.port), _ANSWER_S)
    except (OSError, UnicodeError) as error:  # a host name that cannot be one is a UnicodeError
        raise Ended(f"no answer: {error}") from None
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            connected = _secured(connected, context, endpoint.host)
        hello = packets.connect(client_id, endpoint.user, endpoint.password, keepalive_s, five=five)
        answer = _greeted(connected, hello, five=five)
        asked = keepalive_s if answer.keepalive_s is None else answer.keepalive_s or keepalive_s
        return Link(connected, asked, session_present=answer.session_present)
    except BaseException:
        connected.close()
        raise


def _secured(connected: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(connected, server_hostname=host)
    except OSError as error:
        raise Ended(f"no answer: TLS: {error}") from None


def _greeted(connected: socket.socket, hello: bytes, *, five: bool) -> Connack:
    """The first packet and not a byte more: what follows belongs to the link."""
    connected.sendall(hello)
    head = _exactly(connected, 2)
    size, shift = head[1] & 127, 0
    more = head[1] >= 128
    while more and shift < 21:
        shift += 7
        (byte,) = _exactly(connected, 1)
        size |= (byte & 127) << shift
        more = byte >= 128
    if head[0] >> 4 != packets.CONNACK or more or size > _LONGEST_CONNACK:
        raise ProtocolError("the answer to CONNECT is no CONNACK: is this an MQTT broker's port?")
    answer = Connack.of(_exactly(connected, size), five=five)
    if answer.refusal:
        raise Ended(f"refused us: {answer.refusal}")
    return answer


def _exactly(connected: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        try:
            part = connected.recv(size - len(data))
        except TimeoutError:
            raise Ended(f"no answer to CONNECT within {_ANSWER_S:g} s") from None
        if not part:
            raise Ended("the broker closed the connection instead of answering CONNECT")
        data += part
    return data
