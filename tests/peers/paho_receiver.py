"""A receiver as anybody would write it with paho: the reference that the fast one is compared with."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from ingest.endpoint import Endpoint
from ingest.format import Message
from ingest.receiver import ReceiverStats
from pantau.ports import Clock

_SLICES = 5


class PahoReceiver:
    """Obeys ``ingest.receiver.Receiver``; its queue has no bound."""

    def __init__(
        self, url: str | Endpoint, client_id: str, filters: Sequence[str], clock: Clock, *,
        former: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._endpoint = url if isinstance(url, Endpoint) else Endpoint.of(url)
        self._filters = tuple(filters)
        self._unwanted = [name for name in former if name not in filters]
        self._clock = clock
        self._queue: deque[Message] = deque()
        self._changed = threading.Condition()
        self._acking = threading.RLock()
        self._awaited: int | None = None
        self._era = self._received = 0
        self._subscribed = False
        self._refused: tuple[str, ...] = ()
        self._last: int | None = None
        self._problem = "not yet connected"
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=False, protocol=MQTTv311, manual_ack=True
        )
        client.username_pw_set(self._endpoint.user, self._endpoint.password)
        context = self._endpoint.tls_context()
        if context is not None:
            client.tls_set_context(context)
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    @property
    def subscribed(self) -> bool:
        return self._subscribed

    @property
    def stats(self) -> ReceiverStats:
        return ReceiverStats(
            received=self._received,
            waiting=len(self._queue),
            connections=self._era,
            last_message_at=self._last,
            refused_filters=self._refused,
            problem=self._problem,
        )

    def start(self) -> None:
        self._client.connect_async(self._endpoint.host, self._endpoint.port, 30)
        self._client.loop_start()

    def take(self, timeout_s: float, settle_s: float = 0.02, limit: int = 5_000) -> list[Message]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue, timeout_s)
        deadline = time.monotonic() + settle_s
        seen = 0
        while seen < len(self._queue) < limit and time.monotonic() < deadline:
            seen = len(self._queue)
            time.sleep(settle_s / _SLICES)
        return [self._queue.popleft() for _ in range(min(limit, len(self._queue)))]

    def ack(self, messages: Sequence[Message]) -> None:
        with self._acking:
            for message in messages:
                if message.qos and message.token[0] == self._era and self.connected:
                    self._client.ack(message.token[1], message.qos)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(
        self, client: Client, _userdata: object, _flags: Any, reason: ReasonCode, *_: Any
    ) -> None:
        if reason.is_failure:
            self._problem = f"refused us: {reason}"
            return
        with self._acking:
            self._era += 1
        self._problem = ""
        if self._unwanted:
            client.unsubscribe(self._unwanted)
        self._awaited = client.subscribe([(name, 1) for name in self._filters])[1]

    def _on_connect_fail(self, _client: Client, _userdata: object) -> None:
        self._problem = "no answer"

    def _on_disconnect(
        self, _client: Client, _userdata: object, _flags: Any, reason: ReasonCode, *_: Any
    ) -> None:
        self._subscribed = False
        self._problem = self._problem or f"connection ended: {reason}"

    def _on_subscribe(
        self, _client: Client, _userdata: object, mid: int, reasons: list[ReasonCode], *_: Any
    ) -> None:
        if mid == self._awaited:
            answers = zip(self._filters, reasons, strict=True)
            self._refused = tuple(name for name, reason in answers if reason.is_failure)
            self._subscribed = not self._refused

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._last = now = self._clock.now()
        token = (self._era, message.mid)
        with self._changed:
            self._received += 1
            self._queue.append(
                Message(message.topic, bytes(message.payload), now, bool(message.retain), message.qos, token)
            )
            self._changed.notify_all()
