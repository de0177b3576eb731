"""The fast receiver with a broker that plays a scene: what a real one does once in a year, or should never do."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from structlog.testing import capture_logs

from ingest.away import Away
from ingest.link import Ended, Link
from ingest.reader import MqttReceiver
from pantau.errors import ConfigError
from tests.peers.receiving import clock, numbers, running, subscribed, taken, until

CONNACK = {False: b"\x20\x02\x00\x00", True: b"\x20\x03\x00\x00\x00"}
SUBSCRIBE, UNSUBSCRIBE, PINGREQ, PUBACK, PUBREC, PUBCOMP, DISCONNECT = 8, 10, 12, 4, 5, 7, 14


class Wire:
    """The broker's end of a connection."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.send = connected.sendall

    def packet(self) -> tuple[int, bytes]:
        """The next packet; type 0 when the connection is over. Lengths below 128 will do."""
        head = self._exactly(2)
        return (head[0] >> 4, self._exactly(head[1])) if head else (0, b"")

    def until(self, kind: int) -> bytes:
        """The body of the next packet of this type; pings are answered on the way."""
        while True:
            found, body = self.packet()
            if found == kind:
                return body
            assert found, f"the connection ended, and no packet of type {kind} came"
            if found == PINGREQ:
                self.send(b"\xd0\x00")

    def welcome(self, *, five: bool = False, drops: bool = True) -> None:
        """Let the receiver in and take its subscriptions."""
        self.packet()
        self.send(CONNACK[five])
        for _ in range(2 if drops else 1):
            body = self.until(SUBSCRIBE)
            self.send(b"\x90\x04" + body[:2] + b"\x00\x01" if five else b"\x90\x03" + body[:2] + b"\x01")

    def stay(self) -> None:
        """Answer pings until the receiver goes."""
        while (kind := self.packet()[0]) not in {0, DISCONNECT}:
            if kind == PINGREQ:
                self.send(b"\xd0\x00")

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = b""
            with suppress(ConnectionError):
                part = self.socket.recv(size - len(data))
            if not part:
                return b""
            data += part
        return data


Scene = Callable[[Wire], None]


@contextmanager
def broker(*scenes: Scene) -> Iterator[str]:
    """A broker that plays one scene a connection; the last one again and again. Yields its URL."""
    failures: list[BaseException] = []

    def serve() -> None:
        number = 0
        while True:
            try:
                connected, _ = server.accept()
            except OSError:
                return
            connected.settimeout(20)
            with connected:
                try:
                    scenes[min(number, len(scenes) - 1)](Wire(connected))
                except OSError:
                    pass  # the receiver is gone
                except BaseException as error:  # noqa: BLE001 - told by the test, not by a thread
                    failures.append(error)
            number += 1

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(25)
    assert failures == []


def good(wire: Wire) -> None:
    """What a broker with nothing to say does."""
    wire.welcome()
    wire.stay()


def receiver(url: str, keepalive_s: int = 30) -> MqttReceiver:
    return MqttReceiver(url, "me", ["a/#"], clock(), keepalive_s=keepalive_s)


def publish(payload: bytes, mid: int, head: int = 0x32) -> bytes:
    return bytes([head, 5 + len(payload)]) + b"\x00\x01a" + mid.to_bytes(2, "big") + payload


def test_a_message_in_single_bytes_arrives() -> None:
    def scene(wire: Wire) -> None:
        wire.welcome()
        for byte in publish(b"hello", 1):
            wire.send(bytes([byte]))
            time.sleep(0.002)
        wire.stay()

    with broker(scene) as url, running(receiver(url)) as it:
        assert taken(it, 1)[0].payload == b"hello"


def test_what_comes_before_the_answer_to_subscribe_is_not_lost() -> None:
    def scene(wire: Wire) -> None:
        wire.packet()
        wire.send(CONNACK[False] + publish(b"early", 1))
        body = wire.until(SUBSCRIBE)
        wire.send(publish(b"later", 2) + b"\x90\x03" + body[:2] + b"\x01")
        wire.stay()

    with broker(scene) as url, running(receiver(url)) as it:
        assert [message.payload for message in taken(it, 2)] == [b"early", b"later"]
        subscribed(it)


def test_a_batch_is_acknowledged_in_one_piece_and_qos_2_is_seen_through() -> None:
    seen: list[tuple[int, bytes]] = []

    def scene(wire: Wire) -> None:
        wire.welcome()
        wire.send(publish(b"1", 7) + publish(b"2", 300, 0x34))
        seen.extend((wire.packet(), wire.packet()))
        wire.send(b"\x62\x02\x01\x2c")
        seen.append(wire.packet())
        wire.stay()

    with broker(scene) as url, running(receiver(url)) as it:
        it.ack(taken(it, 2))
        until(lambda: not it.take(0.01) and len(seen) == 3)
    assert seen == [(PUBACK, b"\x00\x07"), (PUBREC, b"\x01\x2c"), (PUBCOMP, b"\x01\x2c")]


@pytest.mark.parametrize(
    "bad",
    [
        b"\x32\xff\xff\xff\xff\x7f",
        b"\x36\x05\x00\x01a\x00\x01",
        b"\x10\x00",
        b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9,
    ],
    ids=["length", "qos3", "connect", "http"],
)
def test_bytes_that_are_no_mqtt_end_the_connection_and_never_the_receiver(bad: bytes) -> None:
    def scene(wire: Wire) -> None:
        wire.welcome()
        wire.send(publish(b"good", 1) + bad)
        wire.stay()

    def better(wire: Wire) -> None:
        wire.welcome()
        wire.send(publish(b"good again", 1))
        wire.stay()

    with broker(scene, better) as url, running(receiver(url)) as it:
        assert [message.payload for message in taken(it, 2)] == [b"good", b"good again"]
        assert it.stats.connections == 2
        assert it.stats.received == 2


@pytest.mark.parametrize(
    ("version", "answer", "words"),
    [
        ("3.1.1", b"\x20\x02\x00\x05", "refused us: not authorized"),
        ("5", b"\x20\x03\x00\x8a\x00", "refused us: banned"),
        ("5", b"\x20\x02\x00\x01", "refused us: it does not speak"),
        ("3.1.1", b"HTTP/1.1 400 Bad Request\r\n\r\n", "no CONNACK"),
        ("3.1.1", b"\x20\xff\xff\xff\xff", "no CONNACK"),
        ("3.1.1", b"\x20\x00", "too short"),
        ("3.1.1", b"", "closed the connection"),
    ],
)
def test_who_does_not_let_us_in_is_quoted(version: str, answer: bytes, words: str) -> None:
    def scene(wire: Wire) -> None:
        wire.packet()
        wire.send(answer)

    with broker(scene) as url, running(receiver(f"{url}?version={version}")) as it:
        until(lambda: words in it.stats.problem)
        assert not it.connected
        assert it.stats.connections == 0


def test_a_broker_that_never_answers_the_subscription_is_left() -> None:
    def deaf(wire: Wire) -> None:
        wire.packet()
        wire.send(CONNACK[False])
        wire.stay()

    with (
        broker(deaf, good) as url,
        running(receiver(url, keepalive_s=1)) as it,
    ):
        until(lambda: not it.take(0.05) and "SUBSCRIBE" in it.stats.problem)
        subscribed(it)
        assert it.stats.connections == 2


def test_why_mqtt_5_ends_a_connection_is_told() -> None:
    def scene(wire: Wire) -> None:
        wire.welcome(five=True)
        wire.send(b"\xe0\x02\x8e\x00")

    with broker(scene) as url, running(receiver(f"{url}?version=5")) as it:
        until(lambda: not it.take(0.05) and "another client" in it.stats.problem)


def test_a_broker_that_ends_the_connection_of_whoever_asks_for_its_counts_is_not_asked_again() -> None:
    asked: list[bytes] = []
    then: list[int] = []

    def shy(wire: Wire) -> None:
        wire.welcome(drops=False)
        asked.append(wire.until(SUBSCRIBE))

    def scene(wire: Wire) -> None:
        wire.welcome(drops=False)
        wire.send(publish(b"x", 1))
        then.append(wire.packet()[0])
        wire.stay()

    with broker(shy, scene) as url, running(receiver(url)) as it:
        it.ack(taken(it, 1))
        until(lambda: then)
        assert then == [PUBACK]
        assert b"$SYS" in asked[0]
        assert it.subscribed


def test_a_broker_that_falls_silent_is_left_and_one_that_answers_is_not() -> None:
    def silent(wire: Wire) -> None:
        wire.welcome()
        while wire.packet()[0]:
            pass

    with (
        broker(silent, good) as url,
        running(receiver(url, keepalive_s=1)) as it,
    ):
        subscribed(it)
        began = time.monotonic()
        until(lambda: not it.take(0.05) and "silent" in it.stats.problem)
        assert 1 <= time.monotonic() - began < 3
        subscribed(it)
        began = time.monotonic()
        while time.monotonic() - began < 3:
            it.take(0.05)
        assert it.connected
        assert it.stats.connections == 2


def test_a_long_commit_does_not_cost_the_connection() -> None:
    pings = []

    def scene(wire: Wire) -> None:
        wire.welcome()
        wire.send(publish(b"x", 1))
        while (kind := wire.packet()[0]) not in {0, DISCONNECT}:
            if kind == PINGREQ:
                pings.append(time.monotonic())
                wire.send(b"\xd0\x00")

    with broker(scene) as url, running(receiver(url, keepalive_s=1)) as it:
        taken(it, 1)
        pings.clear()
        time.sleep(3)  # nobody takes
        assert it.connected
        assert len(pings) >= 3
        assert it.take(0.1) == []
        assert it.stats.connections == 1


def test_the_brokers_own_keep_alive_wins() -> None:
    pings = []

    def scene(wire: Wire) -> None:
        wire.packet()
        wire.send(b"\x20\x06\x00\x00\x03\x13\x00\x01")
        body = wire.until(SUBSCRIBE)
        wire.send(b"\x90\x04" + body[:2] + b"\x00\x01")
        wire.until(PINGREQ)
        pings.append(1)

    with broker(scene) as url, running(receiver(f"{url}?version=5", keepalive_s=60)) as it:
        until(lambda: not it.take(0.05) and pings, timeout_s=5)


def test_the_broker_is_known_to_have_more_when_a_batch_may_have_been_cut() -> None:
    sent = threading.Semaphore(0)
    sizes = [30, 30, 10, 25, 40]

    def scene(wire: Wire) -> None:
        wire.welcome()
        for size in sizes:
            sent.acquire()
            wire.send(b"".join(publish(payload, 1 + n) for n, payload in enumerate(numbers(size))))
        wire.stay()

    with broker(scene) as url, running(receiver(url)) as it:
        subscribed(it)
        waiting = []
        for size in sizes:
            sent.release()
            batch = it.take(5, settle_s=0.5)
            assert len(batch) == size
            waiting.append(it.stats.waiting)
        assert waiting == [30, 30, 0, 0, 40]


def test_a_batch_cut_by_the_limit_says_so_until_the_rest_is_taken() -> None:
    def scene(wire: Wire) -> None:
        wire.welcome()
        wire.send(b"".join(publish(payload, 1 + n) for n, payload in enumerate(numbers(7))))
        wire.stay()

    with broker(scene) as url, running(receiver(url)) as it:
        subscribed(it)
        found = []
        for expected in (3, 3, 1):
            batch = it.take(5, limit=3)
            assert (len(batch), it.stats.waiting) == (expected, expected if expected == 3 else 0)
            found += batch
        assert [message.payload for message in found] == numbers(7)


def test_a_pause_ends_a_batch_and_what_follows_closely_is_in_it() -> None:
    sent = threading.Semaphore(0)

    def scene(wire: Wire) -> None:
        wire.welcome()
        sent.acquire()
        wire.send(publish(b"alone", 1))
        sent.acquire()
        for n, payload in enumerate(numbers(20)):
            wire.send(publish(payload, 2 + n))
            time.sleep(0.01)
        wire.stay()

    with broker(scene) as url, running(receiver(url)) as it:
        subscribed(it)
        sent.release()
        began = time.monotonic()
        assert len(it.take(5, settle_s=4)) == 1  # slices of 0.8 s
        assert time.monotonic() - began < 3
        sent.release()
        assert len(it.take(5, settle_s=2)) == 20


def test_stopping_wakes_who_waits_and_says_goodbye() -> None:
    last: list[int] = []
    over = threading.Event()

    def scene(wire: Wire) -> None:
        wire.welcome()
        last.append(wire.packet()[0])
        over.wait(20)  # it does not hang up, as it should

    with broker(scene) as url:
        it = receiver(url)
        it.start()
        subscribed(it)
        waiting = threading.Thread(target=lambda: it.take(30))
        waiting.start()
        time.sleep(0.1)
        began = time.monotonic()
        it.stop()
        waiting.join(10)
        assert not waiting.is_alive()
        assert time.monotonic() - began < 5
        assert it.take(0.01) == []
        assert not it.connected
        over.set()
    assert last == [DISCONNECT]


def test_a_link_waits_for_nobody_and_keeps_the_order() -> None:
    here, there = socket.socketpair()
    with there:
        link = Link(here, 30, session_present=True)
        sent = b"".join(n.to_bytes(4, "big") for n in range(500_000))
        began = time.monotonic()
        for at in range(0, len(sent), 100_000):
            link.send(sent[at : at + 100_000])  # nobody reads
        assert time.monotonic() - began < 5
        there.sendall(b"ping")
        link.wait(1)
        assert link.receive() == b"ping"
        assert link.receive() == b""
        there.setblocking(False)
        found = bytearray()
        while len(found) < len(sent):
            link.wait(0)
            with suppress(BlockingIOError):
                found += there.recv(1 << 20)
        assert bytes(found) == sent
        link.close()
        with pytest.raises(OSError, match="descriptor"):
            link.send(b"x")


def test_a_link_knows_when_the_other_end_has_gone() -> None:
    here, there = socket.socketpair()
    link = Link(here, 30, session_present=True)
    there.close()
    link.wait(1)
    with pytest.raises(Ended, match="closed"):
        link.receive()
    link.close()


def test_an_empty_client_id_and_files_that_are_not_there_are_mistakes() -> None:
    with pytest.raises(ConfigError, match="client id"):
        MqttReceiver("mqtt://b", "", ["a"], clock())
    with pytest.raises(ConfigError, match="nowhere"):
        MqttReceiver("mqtts://b?ca_file=/nowhere.pem", "me", ["a"], clock())


def test_a_host_that_cannot_exist_is_a_problem_and_not_an_end() -> None:
    with running(receiver("mqtt://a..b")) as it:
        until(lambda: it.stats.problem.startswith("no answer"))


def test_a_broker_that_is_away_is_told_once_a_minute_until_it_is_back() -> None:
    with capture_logs() as logs:
        away = Away("mqtt://b:1883")
        for _ in range(3):
            away.lost("no answer")
        assert away.problem == "no answer"
        away.back()
        assert away.problem == ""
        away.lost("gone")
    assert [(line["event"], line.get("reason")) for line in logs] == [
        ("broker away, trying on", "no answer"),
        ("connected to the broker", None),
        ("broker away, trying on", "gone"),
    ]
