"""A bounded queue between the thread that hears the broker and the thread that judges: batches out, memory bounded."""

import threading
import time
from collections import deque

from ingest.format import Message

__all__ = ["Inbox"]

_BATCH_BYTES = 64_000_000
_SLICES = 4


class Inbox:
    """Messages on their way to the pipeline.

    When it is full, a QoS 1 message makes its bringer wait: the socket is not read, the broker keeps what it has. A
    QoS 0 message would hold up the others for something nobody promised, so it is dropped and counted.

    Args:
        limit: messages at most.
        limit_bytes: and their payloads together; a single larger one still passes.
    """

    def __init__(self, limit: int, limit_bytes: int) -> None:
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._queue: deque[Message] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._closed = False
        self.overflowed = 0

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, message: Message) -> None:
        """Append; waits for room as the class says."""
        with self._changed:
            if self._is_full(message):
                if message.qos == 0:
                    self.overflowed += 1
                    return
                self._changed.wait_for(lambda: self._closed or not self._is_full(message))
            self._queue.append(message)
            self._bytes += len(message.payload)
            if len(self._queue) == 1:
                self._changed.notify_all()

    def take(self, timeout_s: float, settle_s: float, limit: int) -> list[Message]:
        """Wait up to ``timeout_s`` for a first message, then gather what follows within ``settle_s``.

        It is handed over earlier when ``limit`` is reached or the stream pauses: with few messages in flight the broker
        sends no more before it has acknowledgements, and waiting on would only be delay.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed, timeout_s)
        if not self._queue:
            return []
        deadline = time.monotonic() + settle_s
        seen = 0
        while seen < len(self._queue) < limit and time.monotonic() < deadline:
            seen = len(self._queue)
            time.sleep(settle_s / _SLICES)
        with self._changed:
            batch = self._pop(limit)
            self._changed.notify_all()
        return batch

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_full(self, message: Message) -> bool:
        size = len(message.payload)
        return bool(self._queue) and (
            len(self._queue) >= self._limit or self._bytes + size > self._limit_bytes
        )

    def _pop(self, limit: int) -> list[Message]:
        batch: list[Message] = []
        size = 0
        while self._queue and len(batch) < limit and size < _BATCH_BYTES:
            message = self._queue.popleft()
            size += len(message.payload)
            batch.append(message)
        self._bytes -= size
        return batch
