"""A sweep: what changed and may be written a little later, piece by piece; knows up to where everything is written.

Latest values and snapshots are made again from the journal after a crash, so they need not be written with every
batch. Written piece by piece, a large city never makes a batch wait; and however much changes, sweeping takes no more
than a small share of the time.
"""

import time
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

__all__ = ["Sweep"]

T = TypeVar("T")

_SHARE = 0.1
"""Of the fast lane's time, at most, while it has something to judge."""
_PIECE_S = 0.005
"""A piece is made as large as fits into this."""
_FEWEST = 100


class Sweep(Generic[T]):
    """Things to be written, by key.

    Args:
        every_s: how often a sweep begins; 0 writes everything with every batch, infinity never anything.
        fewest: keys in a piece, however long they take.

    Attributes:
        fresh: what changed since the present sweep began; the newest of each key.
    """

    def __init__(
        self, every_s: float, monotonic: Callable[[], float] = time.monotonic, fewest: int = _FEWEST
    ) -> None:
        self.fresh: dict[str, T] = {}
        self._swept: dict[str, T] = {}
        self.every_s = every_s
        self._monotonic = monotonic
        self._upto = 0
        self._begun_at = self._next_at = -inf
        self._fewest = self._piece = fewest
        self._taken: tuple[float, int] = (0.0, 0)

    def clear(self) -> None:
        """Forget everything; it will be read back."""
        self.fresh.clear()
        self._swept.clear()

    def get(self, key: str) -> T | None:
        """The newest of a key that is not written yet."""
        return self.fresh.get(key) or self._swept.get(key)

    def pop(self, key: str) -> T | None:
        """Take one out of turn, because it is written now."""
        swept = self._swept.pop(key, None)
        return self.fresh.pop(key, None) or swept

    @property
    def idle(self) -> bool:
        """Whether everything is written."""
        return not (self.fresh or self._swept)

    @property
    def under_way(self) -> bool:
        """Whether a sweep has begun that is not at its end."""
        return bool(self._swept)

    def due(self, *, at_leisure: bool = False) -> bool:
        """Whether a piece should be written now; at leisure nobody waits, and a sweep under way goes on at once."""
        if self.idle or self.every_s == inf:
            return False
        if self._swept and at_leisure:
            return True
        now = self._monotonic()
        return now >= self._next_at and (bool(self._swept) or now - self._begun_at >= self.every_s)

    def take(self, pos: int, *, at_leisure: bool = False) -> dict[str, T]:
        """The next piece, when one is due.

        Args:
            pos: journal position of the present batch, whose changes are noted already.
            at_leisure: the batch brings nothing to judge.
        """
        if not self.due(at_leisure=at_leisure):
            return {}
        started = self._monotonic()
        if not self._swept:
            self._swept, self.fresh = self.fresh, self._swept
            self._upto, self._begun_at = pos, started
        swept, fresh = self._swept, self.fresh
        piece: dict[str, T] = {}
        while swept and (len(piece) < self._piece or self.every_s == 0):
            key, found = swept.popitem()
            piece[key] = fresh.pop(key, found)  # it may have changed again: the newest is written
        self._taken = (started, len(piece))
        return piece

    def written(self) -> int | None:
        """Call when the piece is in the transaction: the position up to which all is written, None in mid-sweep."""
        started, count = self._taken
        spent = self._monotonic() - started
        self._next_at = started + spent / _SHARE if self.every_s else started
        if spent > 0 and count:
            self._piece = max(self._fewest, round(count * _PIECE_S / spent))
        return None if self._swept else self._upto
