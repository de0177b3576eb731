"""Connections to webhook receivers: kept while that is useful, given up when it is not, believed only when signed."""

import base64
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_server, socket
from threading import Event, Thread

import pytest

from alerts.channel import Outcome, Sent
from alerts.channels import webhook
from tests.alerts.receivers import a_notice, contact
from tests.peers import free_port
from tools.make_certs import Authority

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Server:
    """A server that counts connections and keeps what was asked on each."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/hook"
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = Event()


def read_request(connection: socket) -> bytes:
    """One request with its body; empty at the end of the connection."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(
        int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


@contextmanager
def listening(talk: Callable[[Server, socket, int], None]) -> Iterator[Server]:
    """A server that lets ``talk`` answer the n-th request; ``talk`` closes the connection if it is to end."""
    with create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1])

        def serve(connection: socket) -> None:
            with suppress(OSError, ValueError), connection:
                while request := read_request(connection):
                    server.requests.append(request)
                    talk(server, connection, len(server.requests))
            server.closed.set()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    server.connections += 1
                    Thread(target=serve, args=(connection,), daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield server


def answers(server: Server, connection: socket, number: int) -> None:
    """A polite receiver."""
    del server, number
    connection.sendall(OK)


def post(server: Server, timeout_s: float = 2.0, url: str = "") -> Outcome:
    return webhook.CHANNEL.send(a_notice(), contact(url or server.url), None, timeout_s)


def test_one_connection_takes_many_notices() -> None:
    with listening(answers) as server:
        assert [post(server).sent for _ in range(5)] == [Sent.DELIVERED] * 5
        assert (server.connections, len(server.requests)) == (1, 5)


@pytest.mark.parametrize("body", [b"thank you", b"x" * 4_095])
def test_a_receiver_that_says_more_than_its_status_is_not_listened_to(body: bytes) -> None:
    def chats(server: Server, connection: socket, number: int) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    with listening(chats) as server:
        assert [post(server).sent for _ in range(3)] == [Sent.DELIVERED] * 3
        assert server.connections == 3


def test_a_connection_that_the_receiver_closed_while_it_was_idle_costs_no_notice() -> None:
    def hangs_up(server: Server, connection: socket, number: int) -> None:
        connection.sendall(OK)
        connection.close()

    with listening(hangs_up) as server:
        for number in range(1, 4):
            assert post(server).sent is Sent.DELIVERED
            assert server.closed.wait(2)
            server.closed.clear()
            time.sleep(0.05)
            assert (server.connections, len(server.requests)) == (number, number)


def test_a_receiver_that_hangs_up_at_the_request_may_have_it_and_is_not_asked_twice() -> None:
    def drops(server: Server, connection: socket, number: int) -> None:
        if number == 2:
            connection.close()
        else:
            connection.sendall(OK)

    with listening(drops) as server:
        assert [post(server).sent for _ in range(3)] == [Sent.DELIVERED, Sent.UNKNOWN, Sent.DELIVERED]
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    "head", [b"Transfer-Encoding: chunked", b"Content-Length: 99999999999", b"Connection: close"]
)
def test_an_answer_without_end_is_not_listened_to(head: bytes) -> None:
    piece = b"1000\r\n" + b"y" * 4_096 + b"\r\n"

    def babbles(server: Server, connection: socket, number: int) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        while True:
            connection.sendall(piece)

    with listening(babbles) as server:
        began = time.monotonic()
        assert [post(server).sent for _ in range(2)] == [Sent.DELIVERED] * 2
        assert time.monotonic() - began < 2
        assert server.closed.wait(5)
        assert server.connections == 2  # such a connection is not used again


def test_an_answer_that_comes_drop_by_drop_does_not_hold_up_those_who_wait() -> None:
    """The status is known at once; each drop comes well within the time that one may take."""

    def drips(server: Server, connection: socket, number: int) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b"z")
            time.sleep(0.1)

    with listening(drips) as server:
        began = time.monotonic()
        assert post(server, timeout_s=1.0).sent is Sent.DELIVERED
        assert time.monotonic() - began < 3


def test_an_answer_whose_body_never_comes_is_the_answer() -> None:
    def falls_silent(server: Server, connection: socket, number: int) -> None:
        connection.sendall(b"HTTP/1.1 503 no\r\nContent-Length: 10\r\nRetry-After: 9\r\n\r\n")
        time.sleep(3)

    with listening(falls_silent) as server:
        assert post(server, timeout_s=0.3) == Outcome(Sent.RETRY, "HTTP 503", 9.0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_where_a_redirect_leads_nobody_goes(status: int) -> None:
    with listening(answers) as elsewhere:

        def sends_away(server: Server, connection: socket, number: int) -> None:
            connection.sendall(
                b"HTTP/1.1 %d go\r\nContent-Length: 0\r\nLocation: %b\r\n\r\n"
                % (status, elsewhere.url.encode())
            )

        with listening(sends_away) as server:
            assert post(server).sent is Sent.NEVER
            assert len(server.requests) == 1
        assert elsewhere.connections == 0


def test_nonsense_instead_of_http_may_have_been_a_receiver() -> None:
    def mumbles(server: Server, connection: socket, number: int) -> None:
        connection.sendall(b"\x15\x03\x01 what?\r\n\r\n")
        connection.close()

    with listening(mumbles) as server:
        assert post(server).sent is Sent.UNKNOWN


def test_a_body_that_cannot_be_unpacked_changes_nothing_about_the_answer() -> None:
    def garbles(server: Server, connection: socket, number: int) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")

    with listening(garbles) as server:
        assert [post(server).sent for _ in range(2)] == [Sent.DELIVERED] * 2


def test_name_and_password_in_the_address_are_sent() -> None:
    with listening(answers) as server:
        url = server.url.replace("http://", "http://desk:s%40fe@")
        assert post(server, url=url).sent is Sent.DELIVERED
        [request] = server.requests
    assert b"authorization: basic " + base64.b64encode(b"desk:s@fe").lower() in request.lower()


def test_nobody_there_is_tried_again() -> None:
    outcome = webhook.CHANNEL.send(a_notice(), contact(f"http://127.0.0.1:{free_port()}/hook"), None, 2.0)
    assert outcome.sent is Sent.RETRY


def test_a_proxy_that_the_environment_names_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    webhook._pool.cache_clear()
    with listening(answers) as proxy, listening(answers) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert post(server).sent is Sent.DELIVERED
        assert (server.connections, proxy.connections) == (1, 0)


# --- TLS ------------------------------------------------------------------------------------------------------------


@contextmanager
def over_tls(home: Path, *, plain: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A receiver whose certificate was signed by an authority that nobody knows, or that speaks no TLS at all."""
    Authority.new("nobody").server(["127.0.0.1", "localhost"]).write(home, "server")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "server.crt", home / "server.key")
    got: list[bytes] = []
    with create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with suppress(OSError), connection:
                        if plain:
                            connection.sendall(b"220 mail here\r\n")
                            continue
                        with context.wrap_socket(connection, server_side=True) as secure:
                            got.append(secure.recv(65_536))

        Thread(target=accept, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/hook", got


@pytest.mark.parametrize("plain", [False, True])
def test_a_receiver_that_cannot_prove_who_it_is_gets_nothing_until_it_can(
    tmp_path: Path, plain: bool
) -> None:
    with over_tls(tmp_path, plain=plain) as (url, got):
        for _ in range(2):
            outcome = webhook.CHANNEL.send(a_notice(), contact(url), None, 2.0)
            assert outcome == Outcome(Sent.RETRY, "SSLError")
        assert b"".join(got) == b""
