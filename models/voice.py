"""A voice: what a detector last said of one sensor, and whether saying it again is owed.

A score is an input to the alert machine, which is journaled, so repeating an unchanged one costs for nothing. One case
needs the repetition: a ladder with a hold is left only when a later score shows that the fall has lasted. So a voice
walks the same ladder, and speaks until it stands on the ground again.
"""

import msgspec

from pantau.ladder import Ladder, Rung

__all__ = ["Voice"]


class Voice(msgspec.Struct, array_like=True, gc=False):
    """Memory of what was said; plain data, kept with the detector's state.

    Attributes:
        said: last score told, None before the first.
        at: event time of the last score, told or not, ms.
        rung: where the score stands on the detector's ladder.
    """

    said: float | None = None
    at: int = 0
    rung: Rung = msgspec.field(default_factory=Rung)

    @property
    def quiet(self) -> bool:
        """Whether nothing is owed: the ladder's lowest severity is not in force."""
        return self.rung.severity == 0 and self.rung.tentative == 0

    def speaks(self, ladder: Ladder, score: float, at: int, *, gap_ms: int, pending: bool = False) -> bool:
        """Take the next score; returns whether it is to be told.

        Args:
            ladder: the detector's.
            score: 0..1, already rounded as it is told.
            at: event time, ms.
            gap_ms: after a longer silence a hold starts anew; at most the listener's own limit, so that the
                voice does not stop first.
            pending: the score is about a jump that the next reading has to confirm.
        """
        owed = not self.quiet
        if at - self.at > gap_ms:
            self.rung.break_hold()
        self.rung.climb(ladder, score, at, pending=pending)
        owed = owed or score != self.said
        self.at = at
        if owed:
            self.said = score
        return owed
