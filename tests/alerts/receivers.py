"""Local receivers that behave as told: a webhook's server, and an SMTP server that takes a letter."""

import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from alerts.channel import Address, Notice


class Request(NamedTuple):
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """An HTTP server on this machine; ``script`` holds the next answers, afterwards it says 200.

    An answer is a status, or a status with headers, or ``hang`` (seconds without an answer), or ``cut`` (off).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.script: list[int | tuple[int, dict[str, str]] | str] = []
        self.requests: list[Request] = []
        self.hang_s = 3.0


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.requests.append(
                Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            )
            answer = receiver.script.pop(0) if receiver.script else 200
            if answer == "hang":
                time.sleep(receiver.hang_s)
                return
            if answer == "cut":
                self.connection.close()
                return
            status, headers = answer if isinstance(answer, tuple) else (int(answer), {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except (ConnectionError, ValueError):
                return

        def finish(self) -> None:
            try:
                super().finish()
            except (ConnectionError, ValueError):
                return

    return Handler


@contextmanager
def http_receiver() -> Iterator[Receiver]:
    """A server for webhooks and for Apprise's ``json://``."""
    receiver = Receiver("")
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver)) as server:
        server.daemon_threads = True
        server.block_on_close = False
        receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


class _Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as taking a letter needs."""

    def handle(self) -> None:
        letters: list[str] = self.server.letters  # type: ignore[attr-defined]
        self.wfile.write(b"220 here\r\n")
        lines: list[str] = []
        in_data = False
        for raw in self.rfile:
            line = raw.decode().rstrip("\r\n")
            if in_data:
                if line != ".":
                    lines.append(line)
                    continue
                letters.append("\n".join(lines))
                in_data = False
                self.wfile.write(b"250 taken\r\n")
            elif line.upper() == "DATA":
                in_data = True
                self.wfile.write(b"354 go on\r\n")
            elif line.upper() == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 fine\r\n")


@contextmanager
def smtp_receiver() -> Iterator[tuple[int, list[str]]]:
    """Port of a mail server on this machine and the letters it has got."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.daemon_threads = True
        letters: list[str] = []
        server.letters = letters  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.server_address[1], letters
        finally:
            server.shutdown()
            thread.join()


def a_notice(**fields: object) -> Notice:
    """A notice like those that ``alerts.notices`` makes."""
    given: dict[str, object] = {
        "id": "notice-1", "role": "posko", "language": "id", "severity": 2, "title": "Siaga 2 (Siaga): Bendung Hulu",
        "text": "Bendung Hulu naik ke Siaga 2 (Siaga).\nKelurahan: Kampung A.", "short": "Siaga 2: Bendung Hulu",
        "alert": {"id": "a1", "hazard": "flood", "severity": 2, "siaga": 2}, "made_at": 1_391_007_000_000,
        "topic": "flood/hulu", **fields,
    }  # fmt: skip
    return Notice(**given)  # type: ignore[arg-type]


def contact(address: str, secret: str = "s3cret") -> Address:
    """A contact with a signing secret."""
    return Address("posko", address, secret)


def wait_until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
