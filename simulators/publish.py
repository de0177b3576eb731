"""The simulators' door to MQTT: messages go to the broker at QoS 1 and wait in an outbox until it has them.

Only this file of the simulators imports paho. A broker that goes away costs time: the connection is made again, and
what was not acknowledged is sent again, possibly twice. With a disk outbox it also survives the end of this process.
"""

from threading import Condition, Thread
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from ingest.outbox import MemoryOutbox, Outbox, Waiting
from pantau.errors import Unavailable

__all__ = ["MqttPublisher"]

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_RECONNECT_S = (1, 5)
"""Shortest and longest wait before the next attempt: a demo's broker comes back within seconds."""


class MqttPublisher:
    """Publishes at QoS 1 with a bounded number of messages under way; use it as a context manager.

    Args:
        url: ``mqtt://[user:password@]host[:port]`` or ``mqtts://``.
        outbox: where messages wait; None: in memory, and then ``send`` waits while the limit is reached.
        in_flight: how many messages may be without acknowledgement.
        client_id: empty: the broker gives one; a publisher needs no session.
    """

    def __init__(
        self, url: str, *, outbox: Outbox | None = None, in_flight: int = 500, client_id: str = ""
    ) -> None:
        self.url = url
        self.in_flight = in_flight
        self.acknowledged = 0
        self._outbox = MemoryOutbox() if outbox is None else outbox
        # Never held while paho is called: paho calls back under its own locks.
        self._changed = Condition()
        self._under_way: dict[int, int] = {}
        self._early: set[int] = set()
        self._handed_over = 0
        self._connected = False
        self._closing = False
        self._pump = Thread(target=self._hand_over, name="mqtt-publisher", daemon=True)
        self._trouble = "no answer"
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=client_id)
        # Our own limit is the one that counts.
        self._client.max_inflight_messages_set(in_flight)
        self._client.reconnect_delay_set(*_RECONNECT_S)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_publish = self._on_publish

    def __enter__(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme == "mqtts":
            self._client.tls_set()
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        self._client.connect_async(parts.hostname or "127.0.0.1", parts.port or _PORTS[parts.scheme])
        self._client.loop_start()
        self._pump.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._pump.join()
        self._client.disconnect()
        self._client.loop_stop()
        self._outbox.close()

    def wait_connected(self, timeout_s: float) -> None:
        """Wait for the broker.

        Raises:
            Unavailable: it did not answer in time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._connected, timeout_s):
                raise Unavailable("mqtt", f"{self._place()}: {self._trouble}")

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Take a message for the broker; waits only without a disk outbox, while too many are under way."""
        with self._changed:
            if not self._outbox.durable:
                self._changed.wait_for(lambda: len(self._outbox) < self.in_flight)
            self._outbox.add(topic, payload, retain=retain)
            self._changed.notify_all()

    def flush(self, timeout_s: float) -> None:
        """Wait until the broker has everything.

        Raises:
            Unavailable: it did not take everything in time; a disk outbox keeps the rest.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._outbox) == 0, timeout_s):
                kept = "kept in the outbox" if self._outbox.durable else "not delivered"
                raise Unavailable(
                    "mqtt", f"{self._place()}: {len(self._outbox)} messages {kept}: {self._trouble}"
                )

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, timeout_s: float = 30.0) -> None:
        """Send one message and return when the broker has it.

        Raises:
            Unavailable: the broker did not take it in time.
        """
        self.send(topic, payload, retain=retain)
        self.flush(timeout_s)

    @property
    def waiting(self) -> int:
        """Messages that the broker has not acknowledged."""
        return len(self._outbox)

    def _place(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"

    def _hand_over(self) -> None:
        """The pump's life: give paho what waits, as far as the limit allows."""
        while True:
            with self._changed:
                batch = self._next()
                while not batch and not self._closing:
                    self._changed.wait()
                    batch = self._next()
                if self._closing:
                    return
                self._handed_over = batch[-1].id
            for waiting in batch:
                sent = self._client.publish(waiting.topic, waiting.payload, qos=1, retain=waiting.retain)
                self._record(sent.mid, waiting.id)

    def _next(self) -> list[Waiting]:
        room = self.in_flight - len(self._under_way)
        return self._outbox.after(self._handed_over, room) if self._connected and room > 0 else []

    def _record(self, mid: int, id: int) -> None:
        with self._changed:
            if mid in self._early:  # the acknowledgement was faster than this line
                self._early.remove(mid)
                self._finish(id)
            else:
                self._under_way[mid] = id

    def _finish(self, id: int) -> None:
        self._outbox.remove(id)
        self.acknowledged += 1
        self._changed.notify_all()

    def _on_connect(
        self, _client: Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            self._connected = not reason.is_failure
            if reason.is_failure:
                self._trouble = str(reason)
            self._changed.notify_all()

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            self._connected = False
            self._trouble = str(reason)

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        with self._changed:
            self._trouble = "connection refused or no route"

    def _on_publish(
        self, _client: Client, _data: object, mid: int, _reason: object, _properties: object
    ) -> None:
        with self._changed:
            waiting = self._under_way.pop(mid, None)
            if waiting is None:
                self._early.add(mid)
            else:
                self._finish(waiting)
