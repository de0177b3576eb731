"""An operator's webhook receiver in a process of its own that notes when each notice came.

python -m tools.bench.webhook FILE prints its port and writes a line for each POST: epoch ns, a tab, the body.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.peers.process import ROOT

__all__ = ["Arrivals", "receiver"]


class Arrivals(NamedTuple):
    """What a receiver writes down; ``url`` is where it listens."""

    url: str
    file: Path

    def read(self) -> list[tuple[int, dict[str, Any]]]:
        """(epoch ns, notice) in the order of arrival."""
        found = []
        for line in self.file.read_text(encoding="utf-8").splitlines():
            at, _, body = line.partition("\t")
            found.append((int(at), json.loads(body)))
        return found


@contextmanager
def receiver(folder: Path) -> Iterator[Arrivals]:
    """A receiver on a free port; it shares no interpreter with the load."""
    file = folder / f"notices-{time.monotonic_ns()}"
    file.touch()
    command = [sys.executable, "-m", "tools.bench.webhook", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline()) if process.stdout else 0
            yield Arrivals(f"http://127.0.0.1:{port}/", file)
        finally:
            process.terminate()


def main(path: str) -> None:
    """Serve until ended."""
    lock = threading.Lock()

    with Path(path).open("a", encoding="utf-8") as out:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # who keeps its connection may
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at = time.time_ns()
                self.send_response(204)
                self.end_headers()
                with lock:
                    out.write(f"{at}\t{json.dumps(json.loads(body))}\n")
                    out.flush()

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
