"""Looks afterwards whether everything is there: readings and flags in InfluxDB, alerts and counts in the API."""

import csv
import time
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, Protocol

import httpx

from simulators.fleet import Crossing, Spike
from tests.peers import Influx

__all__ = [
    "Plan",
    "Stored",
    "alerts_of",
    "check_alerts",
    "check_doubles",
    "check_readings",
    "check_spikes",
    "metric",
]

_PATIENCE_S = 180.0
"""Without a single further reading being stored."""
_FLAG_PATIENCE_S = 15.0


class Plan(Protocol):
    """What was sent: a ``Fleet`` or a ``Sweep``."""

    @property
    def readings(self) -> int:
        """Different readings."""
        ...

    @property
    def doubles(self) -> int:
        """Messages beyond them."""
        ...

    def values(self) -> Iterable[tuple[str, float]]:
        """Every reading once: station and value."""
        ...

    def crossings(self) -> list[Crossing]:
        """What must have an alert."""
        ...

    def spikes(self) -> list[Spike]:
        """What must be flagged."""
        ...


class Stored:
    """Asks InfluxDB about one bucket between two instants (ms)."""

    def __init__(self, influx: Influx, start: int, end: int) -> None:
        self._http = httpx.Client(base_url=influx.url, trust_env=False, timeout=60)
        self._influx = influx
        self._range = f"range(start: {_time(start)}, stop: {_time(end)})"

    def ask(self, rest: str) -> list[dict[str, str]]:
        """Rows of a Flux query that begins with this bucket and range."""
        answer = self._http.post(
            "/api/v2/query",
            params={"org": self._influx.org},
            headers={"Authorization": f"Token {self._influx.token}", "Accept": "application/csv"},
            json={
                "query": f'from(bucket: "{self._influx.bucket}") |> {self._range} |> {rest}',
                "dialect": {"annotations": [], "header": True},
            },
        )
        answer.raise_for_status()
        return list(csv.DictReader(line for line in answer.text.splitlines() if line))

    def count(self) -> int:
        """Stored readings."""
        return int(self._one('filter(fn: (r) => r._field == "value") |> group() |> count()'))

    def total(self) -> float:
        """Sum of the stored values."""
        return self._one('filter(fn: (r) => r._field == "value") |> group() |> sum()')

    def wait_for(self, count: int) -> float:
        """Wait until so many readings are stored; returns the instant (monotonic, s) at which it was seen."""
        most, deadline = -1, 0.0
        while True:
            asked = time.monotonic()
            found = self.count()
            now = time.monotonic()
            if found >= count:
                return now
            if found > most:
                most, deadline = found, now + _PATIENCE_S
            if now > deadline:
                raise SystemExit(
                    f"bench: {found} of {count} readings in InfluxDB, none for {_PATIENCE_S:.0f} s"
                )
            # Counting is work for the database that is being measured: never more than a third of the time.
            time.sleep(max(0.5 if found < 0.9 * count else 0.1, 2 * (now - asked)))

    def flagged(self) -> set[tuple[str, int]]:
        """Station and instant (ms) of every reading that is SUSPECT or FAIL."""
        rows = self.ask('filter(fn: (r) => r._field == "flag" and r._value >= 3) |> group()')
        return {(row["station"], _ms(row["_time"])) for row in rows}

    def _one(self, rest: str) -> float:
        rows = self.ask(rest)
        return float(rows[0]["_value"]) if rows else 0.0


def check_readings(stored: Stored, plan: Plan) -> list[str]:
    """What is wrong with the readings: all must be there exactly once, with their values."""
    found, total = stored.count(), sum(value for _, value in plan.values())
    problems = [] if found == plan.readings else [f"{found} readings stored, expected {plan.readings}"]
    if abs(stored.total() - total) > 1e-3 * plan.readings**0.5:
        problems.append(f"the stored values sum up to {stored.total():.1f}, expected {total:.1f}")
    return problems


def check_spikes(stored: Stored, plan: Plan) -> list[str]:
    """Spikes that carry no flag; a flag may come one reading later, so it is waited for."""
    missing = {(spike.station, spike.observed_at) for spike in plan.spikes()}
    deadline = time.monotonic() + _FLAG_PATIENCE_S
    while (left := missing - stored.flagged()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return [f"the spike of {station} at {at} is not flagged" for station, at in sorted(left)]


def check_doubles(url: str, plan: Plan) -> list[str]:
    """Whether each reading that came twice was recognised."""
    found = metric(url, 'pantau_judged_total{fate="duplicate"}')
    return [] if found == plan.doubles else [f"{found:.0f} duplicates recognised, {plan.doubles} were sent"]


def metric(url: str, name: str) -> float:
    """A value of ``/metrics``, 0 while it is not there."""
    text = httpx.get(f"{url}/metrics", trust_env=False, timeout=60).raise_for_status().text
    for line in text.splitlines():
        key, _, value = line.rpartition(" ")
        if key == name:
            return float(value)
    return 0.0


def check_alerts(url: str, plan: Plan, passed_over: Collection[str] = ()) -> list[str]:
    """Crossings without an open level alert of the right severity, and alerts that nobody ordered.

    Args:
        passed_over: hazards whose alerts are another check's.
    """
    crossings = {one.station: one for one in plan.crossings()}
    spikes = {one.station for one in plan.spikes()}
    problems, seen = [], set()
    for alert in alerts_of(url):
        if alert["hazard"] in passed_over:
            continue
        station, what = alert["station"], f"{alert['hazard']}/{alert['cause']} of {alert['station']}"
        if station in crossings and alert["cause"] == "level":
            seen.add(station)
            if alert["severity"] != crossings[station].severity or not alert["confirmed"]:
                problems.append(f"{what}: severity {alert['severity']}, confirmed {alert['confirmed']}")
        elif station not in crossings and not (station in spikes and alert["closed_at"]):
            problems.append(f"{what}: nobody ordered it")
    return problems + [f"{station} crossed and has no alert" for station in crossings.keys() - seen]


def alerts_of(url: str) -> list[dict[str, Any]]:
    """Every alert that there ever was, newest first."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        while True:
            params = {"state": "all", "limit": "1000"} | ({"cursor": cursor} if cursor else {})
            page = client.get("/api/v1/alerts", params=params).raise_for_status().json()
            found += page["alerts"]
            cursor = page["next"]
            if not cursor:
                return found


def _ms(time_text: str) -> int:
    return round(datetime.fromisoformat(time_text).timestamp() * 1000)


def _time(at: int) -> str:
    return f"time(v: {at * 1_000_000})"
