"""A board in memory, with what tests put on it; obeys ``status.board.Board``."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from pantau.outlook import Outlook
from pantau.reading import Reading
from pantau.record import AlertRecord, LatestRecord, ScoreRecord, TransitionRecord
from status.board import AlertQuery, Answer, Counting, OutOfService


class BoardInMemory:
    """Change it with ``put``, ``take_out``, ``put_back``; every change gets the next position."""

    def __init__(self) -> None:
        self.pos = 0
        self.latest: dict[tuple[str, str], LatestRecord] = {}
        self.by_id: dict[str, AlertRecord] = {}
        self.timelines: dict[str, list[TransitionRecord]] = {}
        self.out: dict[str, OutOfService] = {}
        self.score_rows: list[ScoreRecord] = []
        self.outlooks: dict[str, Outlook] = {}
        self.counting: dict[str, list[Counting]] = {}
        self.history: list[Reading] = []
        self.commands: list[tuple[str, dict[str, Any], str]] = []
        self.pipeline: Callable[[str, dict[str, Any]], Answer] = lambda verb, _body: Answer(True, verb)
        self.tokens = {"right": "Sari"}
        self.impaired: dict[str, str] = {}
        self.away = False

    def put(self, *records: LatestRecord | AlertRecord) -> None:
        """Add or replace records in one change."""
        self.pos += 1
        for record in records:
            record.pos = self.pos
            if isinstance(record, LatestRecord):
                self.latest[record.station, record.sensor] = record
            else:
                self.by_id[record.id] = record

    def take_out(self, station: str, note: str) -> None:
        """Out of service."""
        self.pos += 1
        self.out[station] = OutOfService(0, "Sari", note, self.pos)

    def put_back(self, station: str) -> None:
        """In service again; like the real one this leaves no row, so no new position."""
        del self.out[station]

    def position(self) -> int:
        if self.away:
            raise ConnectionError("the database is away")
        return self.pos

    def latest_since(self, pos: int) -> list[LatestRecord]:
        return [record for record in self.latest.values() if record.pos > pos]

    def out_of_service(self) -> dict[str, OutOfService]:
        return dict(self.out)

    def alerts(self, query: AlertQuery) -> tuple[list[AlertRecord], str | None]:
        if query.cursor and not query.cursor.isdecimal():
            raise ValueError(f"cursor {query.cursor!r} is none of ours")
        start = int(query.cursor) if query.cursor else 0
        found = [
            record
            for record in sorted(self.by_id.values(), key=lambda record: (-record.raised_at, record.id))
            if (record.closed_at is None or not query.active)
            and query.hazard in {"", record.hazard}
            and (not query.area or query.area in {*record.areas, record.scope})
            and record.changed_at >= query.since
        ]
        end = start + query.limit
        return found[start:end], str(end) if end < len(found) else None

    def alerts_since(self, pos: int) -> list[AlertRecord]:
        return sorted(
            (record for record in self.by_id.values() if record.pos > pos), key=lambda record: record.pos
        )

    def open_alerts(self) -> list[AlertRecord]:
        return [record for record in self.by_id.values() if record.closed_at is None]

    def alert(self, id: str) -> AlertRecord | None:
        return self.by_id.get(id)

    def timeline(self, id: str) -> list[TransitionRecord]:
        return self.timelines.get(id, [])

    def scores(self, station: str) -> list[ScoreRecord]:
        return [score for score in self.score_rows if score.station == station]

    def forecast(self, station: str) -> Outlook | None:
        return self.outlooks.get(station)

    def forecasts(self) -> dict[str, Outlook]:
        return dict(self.outlooks)

    def devices(self, station: str) -> list[Counting]:
        return self.counting.get(station, [])

    def readings(
        self, station: str, kind: str, *, start: int, end: int, sensor: str | None, limit: int
    ) -> Sequence[Reading]:
        found = [
            reading
            for reading in self.history
            if reading.station == station
            and reading.kind == kind
            and start <= reading.observed_at < end
            and sensor in {None, reading.sensor}
        ]
        return sorted(found, key=lambda reading: (reading.observed_at, reading.sensor))[:limit]

    def downsampled(
        self, station: str, kind: str, *, start: int, end: int, every_ms: int, sensor: str
    ) -> list[dict[str, Any]]:
        found = self.readings(station, kind, start=start, end=end, sensor=sensor, limit=1_000_000)
        buckets = itertools.groupby(
            (r for r in found if r.flag != 4), lambda r: r.observed_at // every_ms * every_ms
        )
        rows = []
        for at, group in buckets:
            values = [reading.value for reading in group]
            mean = sum(values) / len(values)
            rows.append(
                {"at": at, "min": min(values), "mean": mean, "max": max(values), "count": len(values)}
            )
        return rows

    def command(self, verb: str, body: dict[str, Any], by: str) -> int:
        self.commands.append((verb, body, by))
        return len(self.commands)

    def answer(self, id: int) -> Answer | None:
        if not 1 <= id <= len(self.commands):
            return None
        verb, body, _ = self.commands[id - 1]
        return self.pipeline(verb, body)

    def operator_of(self, token: str) -> str | None:
        return self.tokens.get(token)

    def peers(self) -> dict[str, str]:
        return dict(self.impaired)


class HealthInMemory:
    """What a test says about the process."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.degraded: list[str] = []
        self.peers: dict[str, str] = {"mqtt": "ok"}
