"""The one door to paho: publishes what others send, and speaks with the broker itself. Receiving: ``ingest.reader``."""

import queue
import socket
import ssl
import threading
import time
from typing import Any, Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from ingest.away import Away
from ingest.endpoint import Endpoint
from ingest.format import Message
from pantau.errors import ConfigError, Unavailable

__all__ = ["PahoDialogue", "PahoPublisher"]

_KEEPALIVE_S = 30
_LONGEST_WAIT_S = 30


class _Connection:
    """A paho client that tries for ever and says so once a minute."""

    def __init__(self, url: str | Endpoint, client_id: str) -> None:
        endpoint = url if isinstance(url, Endpoint) else Endpoint.of(url)
        if not client_id:
            raise ConfigError("MQTT client id is empty: give the publisher a name")
        self.client = Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv311)
        self.client.suppress_exceptions = True  # one in a callback would end paho's thread
        self.client.username_pw_set(endpoint.user, endpoint.password)
        context = endpoint.tls_context()
        if context is not None:
            self.client.tls_set_context(context)
        self.client.reconnect_delay_set(1, _LONGEST_WAIT_S)
        self.away = Away(endpoint)
        self.client.on_connect_fail = lambda _client, _userdata: self.away.lost("no answer")
        self._endpoint = endpoint

    def start(self) -> None:
        self.client.connect_async(self._endpoint.host, self._endpoint.port, _KEEPALIVE_S)
        self.client.loop_start()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def accepted(self, reason: ReasonCode) -> bool:
        """Note the broker's answer to CONNECT; whether it let us in."""
        if reason.is_failure:
            self.away.lost(f"refused us: {reason}")
            return False
        self.away.back()
        return True

    def ended(self, reason: ReasonCode) -> None:
        """Note the end of a connection; one that we ended is no problem."""
        if reason.is_failure:
            self.away.lost(f"connection ended: {reason}")


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
        self._link = _Connection(url, client_id)
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
            raise Unavailable("broker", self._link.away.problem or "not connected")
        sent = self._link.client.publish(topic, payload, qos=1, retain=retain)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unavailable("broker", str(sent.rc))
        sent.wait_for_publish(self._timeout_s)
        if not sent.is_published():
            raise Unavailable("broker", f"no acknowledgement within {self._timeout_s:g} s")

    def send(self, topic: str, payload: bytes) -> None:
        """Send at QoS 0 without waiting; without a connection it is gone, so only for what will be asked again."""
        if self._up.is_set():
            self._link.client.publish(topic, payload, qos=0)

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


class PahoDialogue:
    """One connection for a question and its answers: nothing is retried, nothing outlives it (MQTT 3.1.1).

    For commands that talk to the broker itself. Messages at QoS 1 are acknowledged by ``ack`` alone.

    Args:
        url: ``mqtt://`` or ``mqtts://``; an Endpoint where user and password are given apart.
        client_id: of this dialogue alone.
        timeout_s: how long to wait for each answer of the broker.

    Raises:
        ConfigError: wrong URL, empty client id or certificates that cannot be used.
    """

    def __init__(self, url: str | Endpoint, client_id: str, *, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._endpoint = endpoint = url if isinstance(url, Endpoint) else Endpoint.of(url)
        self._client = client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv311, manual_ack=True
        )
        client.suppress_exceptions = True
        client.username_pw_set(endpoint.user, endpoint.password)
        context = endpoint.tls_context()
        if context is not None:
            client.tls_set_context(context)
        client.on_connect = lambda _c, _u, _f, reason, _p: self._answers.put(("connect", reason))
        client.on_subscribe = lambda _c, _u, _m, reasons, _p: self._answers.put(("subscribe", reasons))
        client.on_disconnect = lambda _c, _u, _f, reason, _p: self._answers.put(("end", reason))
        client.on_message = self._on_message

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            Unavailable: nobody answers there.
            ConfigError: the broker does not let us in, or its certificate is not trusted.
        """
        client, endpoint = self._client, self._endpoint
        where, context = (endpoint.host, endpoint.port), endpoint.tls_context()
        try:
            if context is not None:  # first by ourselves: paho leaves a socket open when a handshake fails
                with socket.create_connection(where, self._timeout_s) as line:
                    context.wrap_socket(line, server_hostname=endpoint.host).close()
            client.connect(*where, keepalive=_KEEPALIVE_S)
        except ssl.SSLError as error:
            raise ConfigError(f"{endpoint}: TLS fails: {error}") from error
        except OSError as error:
            raise Unavailable("broker", f"{endpoint}: {error.strerror or error}") from error
        client.loop_start()
        try:
            reason = self._answer("connect")
        except BaseException:
            self.__exit__()
            raise
        if reason.is_failure:
            self.__exit__()
            raise ConfigError(
                f"{endpoint} refuses user {endpoint.user or '(none)'}: {reason}; "
                "is the password that of this broker, was the credential revoked?"
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def subscribe(self, *filters: str, qos: int = 1) -> tuple[str, ...]:
        """Subscribe; returns the filters that the broker denies."""
        self._client.subscribe([(name, qos) for name in filters])
        reasons = self._answer("subscribe")
        return tuple(name for name, reason in zip(filters, reasons, strict=True) if reason.is_failure)

    def unsubscribe(self, *filters: str) -> None:
        """Take subscriptions back; what is on the way still comes."""
        self._client.unsubscribe(list(filters))

    def send(self, topic: str, payload: bytes) -> None:
        """Hand a message at QoS 1 over for sending; does not wait for the broker."""
        self._client.publish(topic, payload, qos=1)

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when none comes in time."""
        try:
            return self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def ack(self, message: Message) -> None:
        """Let the broker forget a message and send the next."""
        if message.qos and message.token is not None:
            self._client.ack(message.token[1], message.qos)

    def _answer(self, word: str) -> Any:
        """The broker's answer of that word, or what it means that there is none."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            try:
                found, answer = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Unavailable("broker", f"no answer within {self._timeout_s:g} s") from None
            if found == word:
                return answer
            if found == "end":
                hint = "; does it want a client certificate?" if self._endpoint.tls else ""
                raise Unavailable("broker", f"connection ended: {answer}{hint}")

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        self._messages.put(
            Message(
                message.topic, bytes(message.payload), 0, bool(message.retain), message.qos, (0, message.mid)
            )
        )
