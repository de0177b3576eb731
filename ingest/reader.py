"""The fast way in: a broker's connection in, batches of messages out, acknowledged after the commit in one piece.

There is no thread that reads and no queue: whoever takes reads the socket himself, and what he does not take waits in
the kernel and then at the broker. So memory is bounded, the broker feels how far we are, and a message costs little. A
second thread only connects and keeps alive, also while the first one is in a commit for minutes.

A persistent session under a fixed client id: what arrives while we are away waits at the broker, and what was delivered
but not acknowledged is delivered again.
"""

import random
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from ingest import packets
from ingest.away import Away
from ingest.endpoint import Endpoint
from ingest.format import Message
from ingest.link import Ended, Link, open_link
from ingest.metrics import BROKER_DROPPED, CONNECTED, RECONNECTS, WAITING
from ingest.packets import Packet, ProtocolError, Suback
from ingest.reasons import reason_text
from ingest.receiver import ReceiverStats
from ingest.stream import Stream, acknowledgements
from pantau.errors import ConfigError
from pantau.ports import Clock

__all__ = ["MqttReceiver"]

_log = structlog.get_logger("pantau.mqtt")

_DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"
_KEEPALIVE_S = 30
_ANSWER_S = 10.0
"""A broker that does not answer SUBSCRIBE for so long (or a keep-alive) is deaf; connect again."""
_LONGEST_WAIT_S = 30.0
_BATCH_BYTES = 64_000_000
_SLICES = 5
"""A fifth of the settling time without a message is a pause: with 20 ms, 4 ms."""
_WINDOW = 20
"""The smallest number of messages on their way that a broker is set to (mosquitto's default)."""
_PAUSED, _FLOWING, _FULL = range(3)
"""How a batch ended: nothing came for a while; it was time; there was no more room."""
_FILTERS, _DROPS, _FORMER = 1, 2, 3
"""Packet ids of what we ask: once a connection each."""


class _Session:
    """What belongs to one connection and ends with it."""

    def __init__(self, link: Link, era: int, stream: Stream) -> None:
        self.link = link
        self.era = era
        self.stream = stream
        self.answer_s = min(_ANSWER_S, link.keepalive_s)
        self.subscribe_by: float | None = time.monotonic() + self.answer_s
        self.asking = False
        self.largest = 0


class MqttReceiver:
    """Receives from a broker; see ``ingest.receiver.Receiver``. One thread takes and acknowledges.

    Args:
        url: ``mqtt://`` or ``mqtts://``; an Endpoint where user and password are given apart.
        client_id: names the session at the broker; two services with one id throw each other out.
        filters: to subscribe to at QoS 1, on every connection.
        clock: gives received_at.
        former: filters of earlier runs; the session remembers them, so those no longer wanted are unsubscribed.
        keepalive_s: the broker and we give a connection up that is silent for one and a half times as long.

    Raises:
        ConfigError: wrong URL, files of TLS that cannot be read, or empty client id.
    """

    def __init__(
        self, url: str | Endpoint, client_id: str, filters: Sequence[str], clock: Clock, *,
        former: Sequence[str] = (), keepalive_s: int = _KEEPALIVE_S,
    ) -> None:  # fmt: skip
        if not client_id:
            raise ConfigError("MQTT client id is empty: a session needs a fixed one")
        self._endpoint = url if isinstance(url, Endpoint) else Endpoint.of(url)
        self._endpoint.tls_context()  # a file that is not there is told now, not once a minute
        self._five = self._endpoint.version == "5"
        self._client_id = client_id
        self._filters = tuple(filters)
        self._unwanted = [name for name in former if name not in self._filters]
        self._clock = clock
        self._keepalive_s = keepalive_s
        self._away = Away(self._endpoint)
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._session: _Session | None = None
        self._topics: dict[bytes, str] = {}
        self._era = self._tries = self._received = self._waiting = 0
        self._ask_drops = True
        self._subscribed = False
        self._refused: tuple[str, ...] = ()
        self._last_message_at: int | None = None
        self._broker_dropped: int | None = None
        self._keeper = threading.Thread(target=self._keep, name="mqtt-keepalive", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        return self._session is not None

    @property
    def subscribed(self) -> bool:
        """Whether the broker has taken every subscription of this connection."""
        return self._subscribed

    @property
    def stats(self) -> ReceiverStats:
        """Counts since start."""
        return ReceiverStats(
            received=self._received,
            waiting=self._waiting,
            connections=self._era,
            last_message_at=self._last_message_at,
            broker_dropped=self._broker_dropped,
            refused_filters=self._refused,
            problem=self._away.problem,
        )

    def start(self) -> None:
        """Begin to connect; returns at once, also when the broker is away."""
        self._keeper.start()

    def take(self, timeout_s: float, settle_s: float = 0.02, limit: int = 5_000) -> list[Message]:
        """Wait up to ``timeout_s`` for a message, then gather what follows within ``settle_s``, at most ``limit``."""
        deadline = time.monotonic() + timeout_s
        session = self._session
        if session is None:
            with self._changed:
                self._changed.wait_for(lambda: self._session or self._stopping.is_set(), timeout_s)
                session = self._session
            if session is None:
                return []
        batch: list[Message] = []
        unpromised = session.stream.unpromised
        end = _FULL
        try:
            end = self._gather(session, batch, limit, deadline, settle_s)
        except (OSError, ProtocolError) as error:
            self._lose(session, str(error))
        self._note(session, batch, len(batch) - session.stream.unpromised + unpromised, end)
        return batch

    def ack(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are safe; what came over a former connection is left out, it comes again."""
        session = self._session
        if session is None:
            return
        answers = acknowledgements(messages, session.era)
        if answers:
            try:
                session.link.send(answers)
            except OSError as error:
                self._lose(session, str(error))

    def stop(self) -> None:
        """Disconnect in order; what is not acknowledged is delivered again next time."""
        with self._changed:
            self._stopping.set()
            session, self._session = self._session, None
            self._subscribed = False
            self._changed.notify_all()
        CONNECTED.set(0)
        self._wake.set()
        if session is not None:
            session.link.close(packets.GOODBYE)
        if self._keeper.is_alive():
            self._keeper.join(2 * _ANSWER_S)

    # --- the thread that takes ----------------------------------------------------------------------------------------

    def _gather(
        self, session: _Session, batch: list[Message], limit: int, deadline: float, settle_s: float
    ) -> int:
        """Fill the batch; why it ended."""
        self._handle(session, session.stream.read(batch, limit))
        while not batch:
            self._drain(session, batch, limit)
            left = deadline - time.monotonic()
            if batch or left <= 0 or self._session is not session:
                break
            session.link.wait(left)
        until = time.monotonic() + settle_s
        total = 0
        while batch and len(batch) < limit:
            time.sleep(settle_s / _SLICES)
            size = self._drain(session, batch, limit)
            total += size
            if not size:
                return _PAUSED
            if total >= _BATCH_BYTES:
                return _FULL
            if time.monotonic() >= until:
                return _FLOWING
        return _FULL if batch else _PAUSED

    def _drain(self, session: _Session, batch: list[Message], limit: int) -> int:
        """Read until nothing is there, or enough; the number of bytes."""
        link, stream = session.link, session.stream
        size = 0
        while len(batch) < limit and size < _BATCH_BYTES:
            data = link.receive()
            if not data:
                break
            size += len(data)
            stream.feed(data, self._clock.now())
            self._handle(session, stream.read(batch, limit))
            if not link.may_have_more(data):
                break
        return size

    def _note(self, session: _Session, batch: list[Message], promised: int, end: int) -> None:
        """Count a batch of which so many are QoS 1, and judge whether the broker has more (``ReceiverStats``)."""
        least = max(_WINDOW, session.largest if end == _PAUSED else session.largest // 2)
        session.largest = max(session.largest, promised)
        waiting = len(batch) if end == _FULL or promised >= least else 0
        if waiting != self._waiting:
            self._waiting = waiting
            WAITING.set(waiting)
        if batch:
            self._received += len(batch)
            self._last_message_at = batch[-1].received_at

    def _handle(self, session: _Session, others: list[Packet]) -> None:
        for packet in others:
            if packet.type == packets.PUBLISH:
                self._note_dropped(packet.body)
            elif packet.type == packets.SUBACK:
                self._note_suback(session, Suback.of(packet.body, five=self._five))
            elif packet.type == packets.PUBREL:
                session.link.send(packets.pubcomp(packet.body))
            elif packet.type == packets.DISCONNECT and self._five:
                code = packet.body[0] if packet.body else 0
                raise Ended(f"the broker ended the connection: {reason_text(code, five=True)}")
            elif packet.type not in {packets.PINGRESP, packets.UNSUBACK}:
                raise ProtocolError(f"a packet of type {packet.type}, which a broker does not send")

    def _note_suback(self, session: _Session, answer: Suback) -> None:
        if answer.mid == _DROPS:
            session.asking = False
        if answer.mid != _FILTERS or session.subscribe_by is None:
            return
        if len(answer.denied) != len(self._filters):
            raise ProtocolError(f"a SUBACK for {len(answer.denied)} of {len(self._filters)} filters")
        session.subscribe_by = None
        self._tries = 1
        answers = zip(self._filters, answer.denied, strict=True)
        self._refused = tuple(name for name, denied in answers if denied)
        with self._changed:
            self._subscribed = not self._refused and self._session is session
            CONNECTED.set(self._subscribed)
        if self._refused:
            _log.error("the broker denies subscriptions, correct its ACL", filters=self._refused)
        if self._ask_drops:  # may be denied: then the broker's drops stay unknown
            session.asking = True
            session.link.send(packets.subscribe(_DROPS, [_DROPPED_TOPIC], 0, five=self._five))

    def _note_dropped(self, payload: bytes) -> None:
        if payload.isdigit():
            self._broker_dropped = int(payload)
            BROKER_DROPPED.set(self._broker_dropped)

    # --- both threads -------------------------------------------------------------------------------------------------

    def _lose(self, session: _Session, reason: str) -> None:
        """Give a connection up; the keeper makes the next one."""
        with self._changed:
            if self._session is not session:
                return
            self._session = None
            self._subscribed = False
            CONNECTED.set(0)
        if session.asking:  # some brokers have no $SYS and end the connection of whoever asks for it
            self._ask_drops = False
        session.link.close()
        self._away.lost(f"connection ended: {reason}")
        self._wake.set()

    # --- the thread that keeps ----------------------------------------------------------------------------------------

    def _keep(self) -> None:
        with suppress(OSError):  # for `top -H`; Linux only
            Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("mqtt-keepalive", "ascii")
        jitter = random.SystemRandom()
        while not self._stopping.is_set():
            session = self._session
            if session is not None:
                self._look_after(session)
                self._wake.wait(session.link.keepalive_s / 8)
                self._wake.clear()
                continue
            if self._tries:
                longest = min(_LONGEST_WAIT_S, 2.0 ** min(self._tries - 1, 10))
                self._stopping.wait(longest * jitter.uniform(0.75, 1.25))
            self._tries += 1
            if not self._stopping.is_set():
                try:
                    self._connect()
                except (OSError, ProtocolError, ConfigError) as error:
                    self._away.lost(str(error))
                except Exception as error:  # noqa: BLE001 - whatever it is, without this thread we would stay deaf
                    self._away.lost(f"a bug of ours: {type(error).__name__}: {error}")

    def _look_after(self, session: _Session) -> None:
        try:
            session.link.keep_alive()
            late = session.subscribe_by is not None and time.monotonic() > session.subscribe_by
            if late and not session.link.unread():
                raise Ended(f"no answer to SUBSCRIBE within {session.answer_s:g} s")
        except OSError as error:
            self._lose(session, str(error))

    def _connect(self) -> None:
        """Connect and subscribe; raises what ``open_link`` raises."""
        link = open_link(self._endpoint, self._client_id, self._keepalive_s)
        self._era += 1
        RECONNECTS.inc()
        self._away.back()
        if not link.session_present:
            _log.warning("new session at the broker: what was sent before is not here")
        asked = packets.subscribe(_FILTERS, self._filters, 1, five=self._five)
        if self._unwanted:
            asked = packets.unsubscribe(_FORMER, self._unwanted, five=self._five) + asked
        stream = Stream(self._era, self._topics, _DROPPED_TOPIC, five=self._five)
        session = _Session(link, self._era, stream)
        try:
            link.send(asked)
        except OSError:
            link.close()
            raise
        with self._changed:
            if not self._stopping.is_set():
                self._session = session
                self._changed.notify_all()
                return
        link.close(packets.GOODBYE)
