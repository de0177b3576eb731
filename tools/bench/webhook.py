"""An operator's webhook receiver that notes when each notice came."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Arrivals", "receiver"]

Arrivals = list[tuple[int, dict[str, Any]]]
"""(real epoch ms, the notice) in the order of arrival."""


@contextmanager
def receiver() -> Iterator[tuple[str, Arrivals]]:
    """A receiver on a free port: its URL and what has arrived."""
    arrivals: Arrivals = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = time.time_ns() // 1_000_000
            arrivals.append((at, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", arrivals
    finally:
        server.shutdown()
        server.server_close()
