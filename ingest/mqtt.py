"""The one door to MQTT: receives without acknowledging, acknowledges after the commit, publishes what others send.

A persistent session under a fixed client id: what arrives while we are away waits at the broker, and what was delivered
but not acknowledged is delivered again.
"""

import ssl
import threading
import time
from collections.abc import Sequence

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ingest.endpoint import Endpoint
from ingest.format import Message
from ingest.inbox import Inbox
from ingest.metrics import BROKER_DROPPED, CONNECTED, OVERFLOWED, RECONNECTS, WAITING
from ingest.receiver import Receiver, ReceiverStats
from pantau.errors import ConfigError, Unavailable
from pantau.ports import Clock

__all__ = ["PahoPublisher", "PahoReceiver", "Receiver", "ReceiverStats"]

_log = structlog.get_logger("pantau.mqtt")

_DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"
_KEEPALIVE_S = 30
_LONGEST_WAIT_S = 30
_SAY_EVERY_S = 60.0
"""A broker that is away is told once a minute, however often it is tried."""
_NOT_UTF8 = "\N{REPLACEMENT CHARACTER}"


class _Connection:
    """A paho client that tries for ever and says so once a minute."""

    def __init__(self, url: str | Endpoint, client_id: str, *, persistent: bool) -> None:
        endpoint = url if isinstance(url, Endpoint) else Endpoint.of(url)
        if not client_id:
            raise ConfigError("MQTT client id is empty: a session needs a fixed one")
        # MQTT 3.1.1: paho spends 21 us on a message of it, 41 us on one of MQTT 5, and we need nothing that 5 has.
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            clean_session=not persistent,
            protocol=MQTTv311,
            manual_ack=persistent,
        )
        self.client.suppress_exceptions = True  # one in a callback would end paho's thread
        self.client.username_pw_set(endpoint.user, endpoint.password)
        if endpoint.tls:
            self.client.tls_set_context(ssl.create_default_context(cafile=endpoint.ca_file))
        self.client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        self.client.on_connect_fail = lambda _client, _userdata: self.lost("no answer")
        self.problem = "not yet connected"
        self._endpoint = endpoint
        self._said = -_SAY_EVERY_S

    def start(self) -> None:
        self.client.connect_async(self._endpoint.host, self._endpoint.port, _KEEPALIVE_S)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def accepted(self, reason: ReasonCode) -> bool:
        """Note the broker's answer to CONNECT; whether it let us in."""
        if reason.is_failure:
            self.lost(f"refused us: {reason}")
            return False
        self.problem, self._said = "", -_SAY_EVERY_S
        _log.info("connected to the broker", broker=str(self._endpoint))
        return True

    def ended(self, reason: ReasonCode) -> None:
        """Note the end of a connection; one that we ended is no problem."""
        if reason.is_failure:
            self.lost(f"connection ended: {reason}")

    def lost(self, problem: str) -> None:
        self.problem = problem
        if time.monotonic() - self._said >= _SAY_EVERY_S:
            self._said = time.monotonic()
            _log.warning("broker away, trying on", broker=str(self._endpoint), reason=problem)


class PahoReceiver:
    """Receives from a broker; see ``ingest.receiver.Receiver``.

    Args:
        url: ``mqtt://`` or ``mqtts://``; an Endpoint where user and password are given apart.
        client_id: names the session at the broker; two services with one id throw each other out.
        filters: to subscribe to at QoS 1, on every connection.
        clock: gives received_at.
        former: filters of earlier runs; the session remembers them, so those no longer wanted are unsubscribed.
        inbox: where messages wait for the pipeline.

    Raises:
        ConfigError: wrong URL or empty client id.
    """

    def __init__(
        self, url: str | Endpoint, client_id: str, filters: Sequence[str], clock: Clock, *,
        former: Sequence[str] = (), inbox: Inbox | None = None,
    ) -> None:  # fmt: skip
        self._filters = tuple(filters)
        self._unwanted = [name for name in former if name not in self._filters]
        self._clock = clock
        self._inbox = inbox or Inbox(100_000, 256_000_000)
        # Packet ids count anew with every connection: an acknowledgement must not outlive the one of its message.
        self._era = 0
        self._acking = threading.RLock()
        self._awaited: int | None = None
        self._asking: int | None = None
        self._ask_drops = True
        self._subscribed = False
        self._refused: tuple[str, ...] = ()
        self._received = self._overflowed = 0
        self._last_message_at: int | None = None
        self._broker_dropped: int | None = None
        self._link = _Connection(url, client_id, persistent=True)
        client = self._link.client
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._link.client.is_connected()

    @property
    def subscribed(self) -> bool:
        """Whether the broker has taken every subscription of this connection."""
        return self._subscribed

    @property
    def stats(self) -> ReceiverStats:
        """Counts since start."""
        return ReceiverStats(
            received=self._received,
            waiting=len(self._inbox),
            overflowed=self._inbox.overflowed,
            connections=(self._era + 1) // 2,
            last_message_at=self._last_message_at,
            broker_dropped=self._broker_dropped,
            refused_filters=self._refused,
            problem=self._link.problem,
        )

    def start(self) -> None:
        """Begin to connect; returns at once, also when the broker is away."""
        self._link.start()

    def take(self, timeout_s: float, settle_s: float = 0.02, limit: int = 5_000) -> list[Message]:
        """Wait up to ``timeout_s`` for a message, then gather what follows within ``settle_s``, at most ``limit``."""
        batch = self._inbox.take(timeout_s, settle_s, limit)
        WAITING.set(len(self._inbox))
        if self._inbox.overflowed > self._overflowed:
            OVERFLOWED.inc(self._inbox.overflowed - self._overflowed)
            self._overflowed = self._inbox.overflowed
        return batch

    def ack(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are safe; what came over a former connection is left out, it comes again."""
        ack = self._link.client.ack
        with self._acking:
            era = self._era
            for message in messages:
                if message.qos and message.token is not None and message.token[0] == era:
                    ack(message.token[1], message.qos)

    def stop(self) -> None:
        """Disconnect in order; what is not acknowledged is delivered again next time."""
        self._inbox.close()
        self._link.stop()
        CONNECTED.set(0)

    def _on_connect(
        self, client: Client, _userdata: object, flags: ConnectFlags, reason: ReasonCode, *_: object
    ) -> None:
        if not self._link.accepted(reason):
            return
        with self._acking:
            self._era += 1
        RECONNECTS.inc()
        if not flags.session_present:
            _log.warning("new session at the broker: what was sent before is not here")
        if self._unwanted:
            client.unsubscribe(self._unwanted)
        self._awaited = client.subscribe([(name, 1) for name in self._filters])[1]

    def _on_subscribe(
        self, client: Client, _userdata: object, mid: int, reasons: list[ReasonCode], *_: object
    ) -> None:
        if mid == self._asking:
            self._asking = None
        if mid != self._awaited:
            return
        answers = zip(self._filters, reasons, strict=False)
        self._refused = tuple(name for name, reason in answers if reason.is_failure)
        self._subscribed = not self._refused
        CONNECTED.set(self._subscribed)
        if self._refused:
            _log.error("the broker denies subscriptions, correct its ACL", filters=self._refused)
        if self._ask_drops:  # may be denied: then the broker's drops stay unknown
            self._asking = client.subscribe(_DROPPED_TOPIC, 0)[1]

    def _on_disconnect(
        self, _client: Client, _userdata: object, _flags: DisconnectFlags, reason: ReasonCode, *_: object
    ) -> None:
        with self._acking:
            if self._era % 2 == 0:
                return  # refused before it was a connection
            self._era += 1
        if (
            self._asking is not None
        ):  # some brokers have no $SYS and end the connection of whoever asks for it
            self._asking, self._ask_drops = None, False
        self._subscribed = False
        CONNECTED.set(0)
        self._link.ended(reason)

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = _NOT_UTF8
        if topic == _DROPPED_TOPIC:
            self._note_dropped(message.payload)
            return
        self._received += 1
        self._last_message_at = received_at = self._clock.now()
        token = (self._era, message.mid)
        self._inbox.put(
            Message(topic, bytes(message.payload), received_at, bool(message.retain), message.qos, token)
        )

    def _note_dropped(self, payload: bytes | bytearray) -> None:
        if payload.isdigit():
            self._broker_dropped = int(payload)
            BROKER_DROPPED.set(self._broker_dropped)


class PahoPublisher:
    """Publishes to a broker; see ``pantau.ports.Publisher``.

    Args:
        url: ``mqtt://`` or ``mqtts://``; an Endpoint where user and password are given apart.
        client_id: another one than the receiver's.
        timeout_s: how long to wait for the broker's acknowledgement of one message.

    Raises:
        ConfigError: wrong URL or empty client id.
    """

    def __init__(self, url: str | Endpoint, client_id: str, *, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._up = threading.Event()
        self._link = _Connection(url, client_id, persistent=False)
        self._link.client.on_connect = self._on_connect
        self._link.client.on_disconnect = self._on_disconnect

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._up.is_set()

    def start(self, wait_s: float = 0.0) -> bool:
        """Begin to connect; waits up to ``wait_s`` for the broker and says whether it is there."""
        self._link.start()
        return self._up.wait(wait_s)

    def stop(self) -> None:
        """Disconnect in order."""
        self._link.stop()
        self._up.clear()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send at QoS 1 and return when the broker has it.

        Raises:
            Unavailable: the broker is away or did not answer in time; in that case it may still have the message.
            ValueError: the topic is empty or holds a wildcard.
        """
        if not self._up.is_set():
            raise Unavailable("broker", self._link.problem or "not connected")
        sent = self._link.client.publish(topic, payload, qos=1, retain=retain)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unavailable("broker", str(sent.rc))
        sent.wait_for_publish(self._timeout_s)
        if not sent.is_published():
            raise Unavailable("broker", f"no acknowledgement within {self._timeout_s:g} s")

    def _on_connect(
        self, _client: Client, _userdata: object, _flags: ConnectFlags, reason: ReasonCode, *_: object
    ) -> None:
        if self._link.accepted(reason):
            self._up.set()

    def _on_disconnect(
        self, _client: Client, _userdata: object, _flags: DisconnectFlags, reason: ReasonCode, *_: object
    ) -> None:
        if self._up.is_set():
            self._up.clear()
            self._link.ended(reason)
