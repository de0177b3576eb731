"""How long the disk itself takes while a part runs: a small write made durable, many times a second."""

import os
import time
from pathlib import Path

from tools.bench.beside import Beside

__all__ = ["Disk"]

_EVERY_S = 0.02
_BYTES = 4096


class Disk(Beside):
    """Appends a page to a file of its own and waits for the disk, again and again, from entering to leaving.

    A notice waits for the disk at least once. What it waits there is no matter of the subject, so it stands beside it.

    Attributes:
        waits: each time, ms, sorted once it has been left.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._file = folder / "disk-probe"

    def look(self) -> None:
        """Until it is told to stop."""
        file = os.open(self._file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            while not self.stop.wait(_EVERY_S):
                os.write(file, bytes(_BYTES))
                began = time.perf_counter()
                os.fdatasync(file)
                self.waits.append((time.perf_counter() - began) * 1000)
        finally:
            os.close(file)
            self.waits.sort()
