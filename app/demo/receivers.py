"""Who is told in the demo: a webhook receiver and an MQTT subscriber, both on this machine and on the screen."""

import hmac
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from ingest.reader import MqttReceiver
from pantau.ports import Clock

__all__ = ["Inbox", "Received", "mqtt_watcher", "webhook_receiver"]

_KEPT = 200
_LONGEST_BODY = 1 << 20


class Received(NamedTuple):
    """One notice as it arrived."""

    over: str
    title: str
    role: str


class Inbox:
    """What has arrived, newest last; notices that come twice count once (by ``Notice-Id``)."""

    def __init__(self) -> None:
        self.newest: deque[Received] = deque(maxlen=_KEPT)
        self.counts: dict[str, int] = {}
        self._ids: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def add(self, over: str, notice_id: str, notice: dict[str, Any]) -> None:
        """Take a notice."""
        with self._lock:
            if (over, notice_id) in self._ids:
                return
            self._ids.add((over, notice_id))
            self.counts[over] = self.counts.get(over, 0) + 1
            self.newest.append(Received(over, str(notice.get("title", "")), str(notice.get("role", ""))))


@contextmanager
def webhook_receiver(inbox: Inbox, secret: str) -> Iterator[str]:
    """A receiver as a partner would write one: it checks the signature before it believes anything. Yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _LONGEST_BODY))
            notice = json.loads(body)
            if self.path.startswith("/webhook"):
                signed = f"{self.headers.get('Pantau-Timestamp', '')}.".encode() + body
                expected = "v1=" + hmac.new(secret.encode(), signed, "sha256").hexdigest()
                if not hmac.compare_digest(expected, self.headers.get("Pantau-Signature", "")):
                    self.send_response(401)
                    self.end_headers()
                    return
                inbox.add("webhook", self.headers.get("Notice-Id", ""), notice)
            else:  # what Apprise posts as JSON
                inbox.add("apprise", str(notice), notice)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """The screen shows what arrived."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def mqtt_watcher(inbox: Inbox, url: str, topic: str, clock: Clock) -> Iterator[None]:
    """Collect the notices published on ``topic``."""
    receiver = MqttReceiver(url, "pantau-demo-watcher", [topic], clock)
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            messages = receiver.take(0.2)
            for message in messages:
                notice = json.loads(message.payload)
                inbox.add("mqtt", str(notice["notice_id"]), notice)
            receiver.ack(messages)

    receiver.start()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)
        receiver.stop()
