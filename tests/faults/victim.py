"""The service under attack: started with a fault point to die at, and a receiver of its webhooks that keeps count."""

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

from alerts.store import contacts, tokens
from app.database import migrate, open_engine, unit_of_work
from pantau.faultpoint import Point
from tests.peers import Pantau
from tests.peers.process import _alive, _guard


class Victim(Pantau):
    """``pantau run`` that can be told where to die; unlike other peers nobody waits until it is ready."""

    doom: tuple[Point, int] | None = None

    def command(self) -> Sequence[str]:
        """``tests.faults.child`` when it has to die, else the program as it is installed."""
        plain = list(super().command())
        if self.doom is None:
            return plain
        point, hit = self.doom
        child = ["-m", "tests.faults.child", "--kill-at", point.value, "--hit", str(hit), "--", "run"]
        return [*plain[:-2], sys.executable, *child]

    def launch(self, doom: tuple[Point, int] | None = None) -> None:
        """Starts the process and returns at once."""
        assert self._process is None, "started already"
        self.doom = doom
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_guard(None), *self.command()],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        _alive.add(self)

    def died(self, within_s: float) -> bool:
        """Whether it was killed in time; an end of its own accord is an error of the service."""
        assert self._process is not None, "not started"
        try:
            code = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        self._process = None
        _alive.discard(self)
        assert code == -9, f"the service ended by itself with {code}:\n{self.output()[-3000:]}"
        return True

    def enrol(self, webhook: str) -> None:
        """An operator's token, and a contact behind each role but the mayor's."""
        engine = open_engine(f"sqlite:///{self.database}")
        migrate(engine)
        with unit_of_work(engine) as connection:
            for role in ("duty_officer", "disaster_agency", "crowd_control"):
                contacts.add(connection, role, "webhook", webhook, 0, name=role, secret="s")
            contacts.add(
                connection, "disaster_agency", "mqtt", "pantau/v1/faults/notices/agency", 0, name="agency"
            )
            token = tokens.add(connection, "sari", "operator", 0)
        engine.dispose()
        self.http.headers["Authorization"] = f"Bearer {token}"

    def subscribed(self, within_s: float = 60.0) -> None:
        """Waits until it is subscribed."""
        deadline = time.monotonic() + within_s
        while not self.ready():
            assert self._process is not None
            assert self._process.poll() is None, f"it ended:\n{self.output()[-3000:]}"
            assert time.monotonic() < deadline, f"not ready in time:\n{self.output()[-3000:]}"
            time.sleep(0.1)


class Receiver:
    """A partner's server: keeps each ``Notice-Id`` once and counts repetitions."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.about_peers: set[str] = set()
        self._lock = Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.seen[self.headers["Notice-Id"]] += 1
                    if body["hazard"] == "system":
                        outer.about_peers.add(self.headers["Notice-Id"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def start(self) -> None:
        """Begins to answer."""
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Ends."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver that runs."""
    one = Receiver()
    one.start()
    try:
        yield one
    finally:
        one.stop()


def data_folder(home: Path) -> Path:
    """Where the database lies."""
    found = home / "data"
    found.mkdir(exist_ok=True)
    return found
