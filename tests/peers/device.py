"""A plain MQTT 5 client and what the broker tells it: by its reason codes we see what is refused."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLContext

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from ingest.endpoint import Endpoint

__all__ = ["GONE", "NOT_AUTHORIZED", "WAIT", "Device", "device", "knock"]

NOT_AUTHORIZED = 135  # MQTT 5: of a connection, a publish, a subscription
GONE = 152  # administrative action
WAIT = 10.0


class Device:
    """A client; ``code`` is the reason code of its connection."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.code = -1
        self.ended: queue.Queue[int] = queue.Queue()
        self.got: list[str] = []
        self._codes: queue.Queue[int] = queue.Queue()
        self._up: queue.Queue[int] = queue.Queue()
        self.arrived = threading.Condition()
        client.on_connect = lambda _c, _u, _f, reason, _p: self._up.put(reason.value)
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self.ended.put(reason.value)
        client.on_publish = lambda _c, _u, _m, reason, _p: self._codes.put(reason.value)
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: self._codes.put(reasons[0].value)
        client.on_message = self._keep

    def start(self, host: str, port: int, *, resume: bool) -> None:
        self.client.connect(host, port, clean_start=not resume)
        self.client.loop_start()
        self.code = self._up.get(timeout=WAIT)

    def publish(self, topic: str, payload: bytes = b"1") -> int:
        """Reason code of a QoS 1 publish; 0, or 16 when nobody subscribed, is accepted."""
        self.client.publish(topic, payload, qos=1)
        return self._codes.get(timeout=WAIT)

    def may_write(self, topic: str) -> bool:
        code = self.publish(topic)
        assert code in {0, 16, NOT_AUTHORIZED}
        return code != NOT_AUTHORIZED

    def may_read(self, pattern: str) -> bool:
        """Whether it is let subscribe (and is subscribed then)."""
        self.client.subscribe(pattern, qos=1)
        code = self._codes.get(timeout=WAIT)
        assert code in {0, 1, NOT_AUTHORIZED}
        return code != NOT_AUTHORIZED

    def waits_for(self, topic: str, timeout_s: float = WAIT) -> bool:
        """Whether a message of that topic comes in time."""
        with self.arrived:
            return self.arrived.wait_for(lambda: topic in self.got, timeout_s)

    def _keep(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        with self.arrived:
            self.got.append(message.topic)
            self.arrived.notify_all()


@contextmanager
def device(
    url: str | None,
    host: str = "",
    port: int = 0,
    *,
    client_id: str = "",
    tls: SSLContext | None = None,
    resume: bool = False,
) -> Iterator[Device]:
    """A client that is connected, or was refused; it does not knock a second time.

    Args:
        url: with name and password; None: anonymous, at ``host`` and ``port``.
        tls: overrides what the URL says about certificates.
        resume: take up a session that is there.
    """
    endpoint = Endpoint.of(url) if url else Endpoint(host, port)
    client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(endpoint.user, endpoint.password)
    context = tls or endpoint.tls_context()
    if context is not None:
        client.tls_set_context(context)
    client.reconnect_delay_set(60, 60)
    one = Device(client)
    try:
        one.start(endpoint.host, endpoint.port, resume=resume)
        yield one
    finally:
        client.disconnect()
        client.loop_stop()


def knock(url: str | None, host: str = "", port: int = 0) -> int:
    """Reason code of a connection attempt."""
    with device(url, host, port) as one:
        return one.code
