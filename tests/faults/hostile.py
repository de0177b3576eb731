"""A real HTTP relay before a real InfluxDB: answers in its place, hangs, vanishes, or lets it die mid-write."""

import http.client
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.peers import free_port

_PASSED = ("authorization", "content-type", "content-encoding", "accept", "accept-encoding")


class Hostile:
    """The relay.

    Args:
        target_port: InfluxDB's, on 127.0.0.1.

    Attributes:
        status: answered to every write instead of asking InfluxDB; None: asked.
        retry_after: the header that comes with it, seconds.
        hang_s: seconds for which every request waits before it is cut off.
        poison: (marker, status): a write that holds the marker is answered so, as InfluxDB answers to one bad point.
        mid_write: called once, when InfluxDB has a write and before it has answered.
        answers: how often each was given; ``hang`` and ``cut`` among them.
    """

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self.status: int | None = None
        self.retry_after: int | None = None
        self.hang_s = 0.0
        self.poison: tuple[bytes, int] | None = None
        self.mid_write: Callable[[], None] | None = None
        self.answers: Counter[str] = Counter()
        self._target = target_port
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """What ``PANTAU_INFLUX_URL`` takes."""
        return f"http://127.0.0.1:{self.port}"

    def come(self) -> None:
        """Listens, on the same port each time."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._serve(self)

            def do_POST(self) -> None:
                outer._serve(self)

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self._server = Server(("127.0.0.1", self.port), Handler)
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def vanish(self) -> None:
        """Nobody listens any more: connections are refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        write = request.path.startswith("/api/v2/write")
        if self._server is None:  # a connection from before it vanished
            request.close_connection = True
            return
        if self.hang_s:
            self.answers["hang"] += 1
            time.sleep(self.hang_s)
            request.close_connection = True
            return
        if write and self.poison is not None and self.poison[0] in body:
            self._refuse(request, self.poison[1])
        elif write and self.status is not None:
            self._refuse(request, self.status)
        else:
            self._relay(request, body, write=write)

    def _refuse(self, request: BaseHTTPRequestHandler, status: int) -> None:
        self.answers[str(status)] += 1
        body = b'{"code":"injected","message":"injected by the fault campaign"}'
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        if self.retry_after is not None:
            request.send_header("Retry-After", str(self.retry_after))
        request.end_headers()
        request.wfile.write(body)

    def _relay(self, request: BaseHTTPRequestHandler, body: bytes, *, write: bool) -> None:
        link = http.client.HTTPConnection("127.0.0.1", self._target, timeout=60)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() in _PASSED}
            link.request(request.command, request.path, body, headers)
            if write and self.mid_write is not None:
                kill, self.mid_write = self.mid_write, None
                kill()
                self.answers["killed mid-write"] += 1
            answer = link.getresponse()
            given = answer.read()
        except (OSError, http.client.HTTPException):
            self.answers["cut"] += 1
            request.close_connection = True
            return
        finally:
            link.close()
        self.answers["passed on"] += 1
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length", "date", "server"}:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(given)))
        request.end_headers()
        request.wfile.write(given)
