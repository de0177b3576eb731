"""What a run leaves behind, in a form in which two runs of the same messages must be equal.

Left out are only: when something was received, sent or answered; journal positions and row numbers; and what a notice
says about *other* readings than its own (``text`` and ``short`` name the trend and the posts upstream as of the end of
the batch, and batches are cut by time). Alerts about our own peers (hazard ``system``) are the fault itself.
"""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.town import DESK

Row = tuple[tuple[str, Any], ...]
Outcome = dict[str, Counter[Row]]

_AHEAD = re.compile(r"clock is \d+ min ahead")
_TIMES = ("changed_at", "acknowledged_at", "closed_at")


def rows(database: Path, query: str) -> list[dict[str, Any]]:
    """Rows of a query as dictionaries; the database may be in use."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query)]


def outcome(database: Path, readings: Iterable[Mapping[str, Any]] | None = None) -> Outcome:
    """The comparable part of a database; ``readings`` from another store, where they are not in this one."""
    system = {row["id"] for row in rows(database, "SELECT id FROM alerts WHERE hazard = 'system'")}
    desk = {row["id"] for row in rows(database, f"SELECT id FROM alerts WHERE scope IN {DESK}")}
    stored = rows(database, "SELECT * FROM readings") if readings is None else readings

    def of(
        table: str, tidy: Callable[[dict[str, Any]], dict[str, Any] | None], *left_out: str
    ) -> Counter[Row]:
        found = rows(database, f"SELECT * FROM {table}")
        return _counted((tidy(row) for row in found), left_out)

    return {
        "readings": _counted((_reading(dict(row)) for row in stored), ("received_at",)),
        "alerts": of("alerts", lambda row: _alert(row, desk) if row["id"] not in system else None, "pos", "due_at"),
        "transitions": of(
            "transitions", lambda row: _transition(row) if row["alert"] not in system else None, "now", "pos"
        ),
        "outbox": of(
            "outbox", lambda row: _notice(row, desk) if row["alert"] not in system else None,
            "made_at", "attempts", "due_at", "lease", "lease_until", "sent_at",
        ),
        "latest": of("latest", _reading, "received_at", "pos"),
        "conflicts": of("conflicts", dict, "id", "noticed_at", "pos"),
        "commands": of("commands", _command, "id", "made_at", "applied_at"),
        "refused": Counter(set(of("refused", _refused))),
    }  # fmt: skip


def differences(calm: Outcome, hit: Outcome) -> dict[str, list[str]]:
    """By table what only one of two runs has, in words."""
    found = {}
    for table, expected in calm.items():
        lost, extra = expected - hit[table], hit[table] - expected
        found[table] = [f"missing {dict(row)}" for row in lost.elements()]
        found[table] += [f"too many {dict(row)}" for row in extra.elements()]
    return found


def twice_refused(database: Path) -> int:
    """Refused messages that were kept again after a redelivery: harmless, but not exactly once."""
    kept = _counted((_refused(row) for row in rows(database, "SELECT * FROM refused")), ())
    return sum(kept.values()) - len(kept)


def _counted(found: Iterable[dict[str, Any] | None], left_out: Iterable[str]) -> Counter[Row]:
    out = set(left_out)
    return Counter(
        tuple((name, value) for name, value in sorted(row.items()) if name not in out)
        for row in found
        if row is not None
    )


def _reading(row: dict[str, Any]) -> dict[str, Any]:
    """How far a clock is ahead is told in minutes at receipt."""
    return row | {"reason": _AHEAD.sub("clock is ahead", row["reason"])}


def _alert(row: dict[str, Any], desk: set[str]) -> dict[str, Any]:
    """What operators do happens at the instant at which they do it."""
    return row | {name: row[name] is not None for name in _TIMES} if row["id"] in desk else row


def _transition(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"at": None} if row["by"] else row


def _notice(row: dict[str, Any], desk: set[str]) -> dict[str, Any]:
    body = json.loads(row.pop("body"))
    alert = body["alert"]
    if row["alert"] in desk:
        alert |= {name: alert.get(name) is not None for name in _TIMES}
    told = {name: body[name] for name in ("role", "language", "severity", "title", "exercise", "topic")}
    return row | {"told": json.dumps([told, alert], sort_keys=True)}


def _command(row: dict[str, Any]) -> dict[str, Any]:
    body = json.loads(row["body"])
    return row | {"body": json.dumps({**body, "received_at": None}, sort_keys=True)}


def _refused(row: dict[str, Any]) -> dict[str, Any]:
    payload = row["payload"]
    if row["code"] == "store_refused":  # a reading that the store would not take: its receipt is in it
        payload = json.dumps(json.loads(payload)[:4])
    return {"topic": row["topic"], "payload": payload, "code": row["code"]}


def influx_rows(found: Iterable[msgspec.Struct]) -> list[dict[str, Any]]:
    """Readings of a store in the form of the embedded one's rows."""
    names = ("station", "sensor", "kind", "observed_at", "value", "flag", "reason", "received_at")
    return [{name: getattr(reading, name) for name in names} for reading in found]
