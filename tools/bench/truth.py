"""Looks afterwards whether everything is there: readings and flags in InfluxDB, alerts in the API."""

import csv
import time
from typing import Any

import httpx

from simulators.fleet import Fleet
from tests.peers import Influx

__all__ = ["Stored", "check_alerts", "check_readings", "check_spikes"]

_PATIENCE_S = 180.0
_BAD_FLAGS = {3, 4}


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
        deadline = time.monotonic() + _PATIENCE_S
        while (found := self.count()) < count:
            if time.monotonic() > deadline:
                raise SystemExit(
                    f"bench: {found} of {count} readings are in InfluxDB after {_PATIENCE_S:.0f} s"
                )
            time.sleep(0.5 if found < 0.9 * count else 0.1)
        return time.monotonic()

    def flag_at(self, station: str, at: int) -> int:
        """Flag of one reading, 0 when it is not there."""
        rest = f'filter(fn: (r) => r._field == "flag" and r.station == "{station}")'
        rows = self.ask(f"{rest} |> range(start: {_time(at)}, stop: {_time(at + 1)})")
        return int(rows[0]["_value"]) if rows else 0

    def _one(self, rest: str) -> float:
        rows = self.ask(rest)
        return float(rows[0]["_value"]) if rows else 0.0


def check_readings(stored: Stored, fleet: Fleet) -> list[str]:
    """What is wrong with the readings: all must be there exactly once, with their values."""
    found, total = stored.count(), sum(value for _, value in fleet.values())
    problems = [] if found == fleet.readings else [f"{found} readings stored, expected {fleet.readings}"]
    if abs(stored.total() - total) > 1e-3 * fleet.readings**0.5:
        problems.append(f"the stored values sum up to {stored.total():.1f}, expected {total:.1f}")
    return problems


def check_spikes(stored: Stored, fleet: Fleet) -> list[str]:
    """Spikes that carry no flag; a flag may come one reading later, so it is waited for."""
    missing = list(fleet.spikes())
    deadline = time.monotonic() + 15
    while missing and time.monotonic() < deadline:
        missing = [
            spike for spike in missing if stored.flag_at(spike.station, spike.observed_at) not in _BAD_FLAGS
        ]
    return [f"the spike of {spike.station} is not flagged" for spike in missing]


def check_alerts(url: str, fleet: Fleet) -> list[str]:
    """Crossings without an open level alert of the right severity, and open alerts that nobody ordered."""
    crossings = {one.station: one for one in fleet.crossings()}
    spikes = {one.station for one in fleet.spikes()}
    problems, seen = [], set()
    for alert in _alerts(url):
        station, what = alert["station"], f"{alert['hazard']}/{alert['cause']} of {alert['station']}"
        if station in crossings and alert["cause"] == "level":
            seen.add(station)
            if alert["severity"] != crossings[station].severity or not alert["confirmed"]:
                problems.append(f"{what}: severity {alert['severity']}, confirmed {alert['confirmed']}")
        elif station not in crossings and not (station in spikes and alert["closed_at"]):
            problems.append(f"{what}: nobody ordered it")
    return problems + [f"{station} crossed and has no alert" for station in crossings.keys() - seen]


def _alerts(url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        while True:
            params = {"state": "all"} | ({"cursor": cursor} if cursor else {})
            page = client.get("/api/v1/alerts", params=params).raise_for_status().json()
            found += page["alerts"]
            cursor = page["next"]
            if not cursor:
                return found


def _time(at: int) -> str:
    return f"time(v: {at * 1_000_000})"
