"""A TCP relay between the service and its broker: counts what was delivered and not yet acknowledged.

It also sees in which order that comes again: the one witness of both that does not depend on the code under test.
"""

import asyncio
import contextlib
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterator

CONNECT, PUBLISH, PUBACK = 1, 3, 4
_CHUNK = 1 << 16


class Wire:
    """Relays every connection; looks into those of one client.

    Args:
        broker_port: on 127.0.0.1.
        client: client id of the receiver.

    Attributes:
        delivered, acknowledged: QoS 1 messages and their acknowledgements, redeliveries included.
        redelivered: messages that came again over a new connection.
        disordered: those among them that did not come in the order of their first delivery, before what is new.
    """

    def __init__(self, broker_port: int, client: str) -> None:
        self.delivered = self.acknowledged = self.redelivered = self.disordered = self.connections = 0
        self.port = 0
        self._open: dict[int, bytes] = {}  # packet id -> digest, of this connection, in the order of delivery
        self._expected: deque[bytes] = (
            deque()
        )  # open when the connection before ended, and not delivered again yet
        self._broker_port, self._client = broker_port, client
        self._cut: Callable[[], None] | None = None
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        """What ``PANTAU_MQTT_URL`` takes."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def in_flight(self) -> int:
        """Messages delivered and not acknowledged, over all connections."""
        return len(self._open) + len(self._expected)

    def cut_acknowledgements(self, kill: Callable[[], None]) -> None:
        """Pass on half of the next bundle of acknowledgements, then call ``kill``."""
        self._cut = kill

    def start(self) -> None:
        """Listens on a free port."""
        self._thread.start()
        self._started.wait(10)

    def stop(self) -> None:
        """Ends every connection."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._meet, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _meet(self, inward: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            outward, forth = await asyncio.open_connection("127.0.0.1", self._broker_port)
        except OSError:
            back.close()
            return
        connection = _Connection(self)
        with contextlib.suppress(asyncio.CancelledError):  # stop() ends whoever still relays
            await asyncio.gather(
                _relay(inward, forth, connection.from_service), _relay(outward, back, connection.from_broker)
            )

    def began(self, client: str) -> bool:
        """A CONNECT was seen; whether it is the client that is looked into."""
        if client != self._client:
            return False
        self.connections += 1
        # What was delivered again stands before what was not yet: that is the order of the first delivery.
        self._expected = deque([*self._open.values(), *self._expected])
        self._open.clear()
        return True

    def publish(self, packet: bytes, head: int) -> None:
        """A PUBLISH passed on to the service."""
        if not packet[0] >> 1 & 3:
            return
        length = int.from_bytes(packet[head : head + 2], "big")
        cut = head + 2 + length
        number = int.from_bytes(packet[cut : cut + 2], "big")
        digest = hashlib.blake2b(packet[head:cut] + packet[cut + 2 :], digest_size=16).digest()
        self.delivered += 1
        if self._expected:
            self.redelivered += 1
            if digest == self._expected[0]:
                self._expected.popleft()
            else:
                self.disordered += 1
                with contextlib.suppress(ValueError):
                    self._expected.remove(digest)
        self._open[number] = digest

    def puback(self, packet: bytes, head: int) -> None:
        """A PUBACK passed on to the broker."""
        self.acknowledged += 1
        self._open.pop(int.from_bytes(packet[head : head + 2], "big"), None)

    def cut(self, packets: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
        """The packets that may pass before a cut that was asked for."""
        acks = [index for index, (packet, _) in enumerate(packets) if packet[0] >> 4 == PUBACK]
        if self._cut is None or len(acks) < 2:
            return packets
        kill, self._cut = self._cut, None
        kill()
        return packets[: acks[len(acks) // 2]]


class _Connection:
    """Looks into one connection."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._ours = self._dead = False
        self._up, self._down = bytearray(), bytearray()

    def from_service(self, chunk: bytes) -> bytes:
        """What passes to the broker."""
        self._up += chunk
        packets = list(_packets(self._up))
        if packets and packets[0][0][0] >> 4 == CONNECT:
            self._ours = self._wire.began(_client_id(*packets[0]))
        if not self._ours:
            return b"".join(packet for packet, _ in packets)
        if self._dead:
            return b""
        passing = self._wire.cut(packets)
        self._dead = len(passing) < len(packets)
        for packet, head in passing:
            if packet[0] >> 4 == PUBACK:
                self._wire.puback(packet, head)
        return b"".join(packet for packet, _ in passing)

    def from_broker(self, chunk: bytes) -> bytes:
        """What passes to the service: everything; only whole packets are counted."""
        if self._ours:
            self._down += chunk
            for packet, head in _packets(self._down):
                if packet[0] >> 4 == PUBLISH:
                    self._wire.publish(packet, head)
        return chunk


async def _relay(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, look: Callable[[bytes], bytes]
) -> None:
    with contextlib.suppress(OSError, asyncio.CancelledError):
        while chunk := await source.read(_CHUNK):
            target.write(look(chunk))
            await target.drain()
    with contextlib.suppress(OSError):
        target.close()


def _packets(buffer: bytearray) -> Iterator[tuple[bytes, int]]:
    """Takes whole packets from the front of a buffer: (packet, where its variable header begins)."""
    at = 0
    while at + 2 <= len(buffer):
        length = shift = 0
        head = at + 1
        while True:
            if head >= len(buffer):
                del buffer[:at]
                return
            byte = buffer[head]
            head += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if head + length > len(buffer):
            break
        yield bytes(buffer[at : head + length]), head - at
        at = head + length
    del buffer[:at]


def _client_id(packet: bytes, head: int) -> str:
    """Client id of a CONNECT, MQTT 3.1.1 or 5."""
    at = head + 2 + int.from_bytes(packet[head : head + 2], "big")
    level = packet[at]
    at += 4
    if level == 5:  # skip the properties
        length = shift = 0
        while True:
            byte = packet[at]
            at += 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        at += length
    size = int.from_bytes(packet[at : at + 2], "big")
    return packet[at + 2 : at + 2 + size].decode()
