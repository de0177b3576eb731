"""Something that looks on in a thread of its own while a part of the benchmark runs."""

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

__all__ = ["Beside"]


class Beside(ABC):
    """Calls ``look`` from entering to leaving; it returns when ``stop`` is set."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._thread = threading.Thread(target=self.look, name=type(self).__name__, daemon=True)

    @abstractmethod
    def look(self) -> None:
        """What is done meanwhile."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop.set()
        self._thread.join()
