"""What status needs from the rest of the house: a board to read from, a door for commands, a word about health.

``app.board`` implements ``Board`` with the database; tests have one in memory. Calls block: the API makes them in
worker threads.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from pantau.outlook import Outlook
from pantau.reading import Reading
from pantau.record import AlertRecord, LatestRecord, ScoreRecord, TransitionRecord

__all__ = ["AlertQuery", "Answer", "Board", "Counting", "Health", "OutOfService"]


class OutOfService(NamedTuple):
    """A station under repair: since when (ms), by whom, and why."""

    since: int
    by: str
    note: str
    pos: int


class Answer(NamedTuple):
    """What became of a command; ``ok`` is None while it waits to be applied."""

    ok: bool | None
    text: str


class Counting(NamedTuple):
    """How a sensor numbers its messages (``seq``), and which of them never came.

    Attributes:
        last_seq: highest number since the device started.
        missing: messages that did not come.
        resets: how often the device began to number anew.
        last_gap_at: when the newest gap was seen, ms; None without any.
    """

    sensor: str
    last_seq: int
    missing: int
    resets: int
    last_gap_at: int | None


class AlertQuery(NamedTuple):
    """Which alerts are wanted.

    Attributes:
        active: open ones only.
        hazard: of this hazard, empty for any.
        area: warning this area or about it, empty for any.
        since: changed at or after this instant, ms.
        cursor: continue after the page that gave this cursor, empty for the first page.
        limit: at most so many.
    """

    active: bool = True
    hazard: str = ""
    area: str = ""
    since: int = 0
    cursor: str = ""
    limit: int = 100


class Board(Protocol):
    """The read model, and the door through which operators' commands go to the pipeline."""

    def position(self) -> int:
        """Change number: the highest journal position that a latest value, an alert or a service note carries."""
        ...

    def latest_since(self, pos: int) -> list[LatestRecord]:
        """Latest values that changed after ``pos``; -1 gives all."""
        ...

    def out_of_service(self) -> dict[str, OutOfService]:
        """Stations under repair, by id."""
        ...

    def alerts(self, query: AlertQuery) -> tuple[list[AlertRecord], str | None]:
        """A page of alerts, newest first, and the cursor of the next page or None.

        Raises:
            ValueError: the cursor is none of ours.
        """
        ...

    def alerts_since(self, pos: int) -> list[AlertRecord]:
        """Alerts, open or not, that changed after ``pos``, in the order of their changes."""
        ...

    def open_alerts(self) -> list[AlertRecord]:
        """All open alerts."""
        ...

    def alert(self, id: str) -> AlertRecord | None:
        """One alert, None when there is none of that id."""
        ...

    def timeline(self, id: str) -> list[TransitionRecord]:
        """Transitions of an alert, oldest first."""
        ...

    def scores(self, station: str) -> list[ScoreRecord]:
        """Newest score of each detector for each sensor of a station, shadow ones included."""
        ...

    def forecast(self, station: str) -> Outlook | None:
        """Newest forecast of a station, old ones too; None when none was ever made."""
        ...

    def forecasts(self) -> dict[str, Outlook]:
        """Newest forecast of every station that has one, by id."""
        ...

    def devices(self, station: str) -> list[Counting]:
        """Sensors of a station that number their messages, by name."""
        ...

    def readings(
        self, station: str, kind: str, *, start: int, end: int, sensor: str | None, limit: int
    ) -> Sequence[Reading]:
        """History, oldest first, then by sensor; ``start`` inclusive, ``end`` exclusive, ms.

        Raises:
            Unavailable: the store is away.
        """
        ...

    def downsampled(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str
    ) -> list[dict[str, Any]]:
        """Buckets of at (ms), min, mean, max, count.

        Raises:
            Unavailable: the store is away.
        """
        ...

    def command(self, verb: str, body: dict[str, Any], by: str) -> int:
        """Ask the pipeline for something; returns the command's id."""
        ...

    def answer(self, id: int) -> Answer | None:
        """What became of a command, None when there is none of that id."""
        ...

    def operator_of(self, token: str) -> str | None:
        """Name of the operator whose token this is, None when it is nobody's (or revoked)."""
        ...

    def peers(self) -> dict[str, str]:
        """State of peers as open system alerts tell it: name -> what is wrong; empty when all is well."""
        ...


class Health(Protocol):
    """What the process that serves these pages knows about itself."""

    @property
    def ready(self) -> bool:
        """Subscribed, store open and state restored."""
        ...

    @property
    def degraded(self) -> list[str]:
        """What does not work as it should although the service runs."""
        ...

    @property
    def peers(self) -> dict[str, str]:
        """State of each peer, e.g. ``{"mqtt": "connected"}``."""
        ...
