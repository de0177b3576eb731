"""How long the disk itself takes while a part runs: a small write made durable, many times a second."""

import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Disk"]

_EVERY_S = 0.02
_BYTES = 4096


class Disk:
    """Appends a page to a file of its own and waits for the disk, again and again, from entering to leaving.

    A notice waits for the disk at least once. What it waits there is no matter of the subject, so it stands beside it.

    Attributes:
        waits: each time, ms, sorted once it has been left.
    """

    def __init__(self, folder: Path) -> None:
        self.waits: list[float] = []
        self._file = folder / "disk-probe"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="disk-probe")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.waits.sort()

    def _watch(self) -> None:
        file = os.open(self._file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            while not self._stop.wait(_EVERY_S):
                os.write(file, bytes(_BYTES))
                began = time.perf_counter()
                os.fdatasync(file)
                self.waits.append((time.perf_counter() - began) * 1000)
        finally:
            os.close(file)
