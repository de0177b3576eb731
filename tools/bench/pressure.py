"""InfluxDB is killed under load for minutes: memory, the journal on disk, the alert, and how fast it drains after."""

import time
from typing import Any

from pantau.city import City
from simulators.fleet import FEWEST_READINGS, Fleet
from tools.bench.beside import Beside
from tools.bench.cpu import rss_mib
from tools.bench.figures import Figure, Found
from tools.bench.rig import Rig, Running, now_ms, timed
from tools.bench.truth import alerts_of, check_alerts, check_doubles, check_readings, check_spikes, metric

__all__ = ["pressure"]

DEVICES = 5_000
_AHEAD_MS = 1500
_TOLD_AFTER_S = 75
"""An outage of 60 s is an alert."""
_OVER_WITHIN_S = 30.0
_BROKER_TELLS_S = 12.0
"""mosquitto.conf: sys_interval 10."""


def pressure(rig: Rig, *, rate: int, minutes: float, limit_mib: float) -> Found:
    """Kill InfluxDB, send for so long, start it again, wait until all is there.

    Args:
        limit_mib: memory that the service must stay under.
    """
    print(f"\n## InfluxDB killed, {rate:,} readings/s for {minutes:g} minutes\n", flush=True)
    place = rig.place(DEVICES + 1)
    with rig.running("pantau", place) as running:
        fleet = _fleet(place.city, rate, minutes)
        stored = rig.stored(fleet.start, fleet.start + (fleet.each + 1) * fleet.step_ms)
        rig.influx.kill()
        with _Memory(running.subject.pid) as memory:
            journal = _send(running, fleet)
            told = _outages(running)
            rig.influx.start()
            began = time.monotonic()
            drained = stored.wait_for(fleet.readings) - began
        problems = check_readings(stored, fleet) + check_spikes(stored, fleet)
        problems += check_alerts(running.url, fleet, passed_over={"system"})
        problems += check_doubles(running.url, fleet)
        if minutes * 60 > _TOLD_AFTER_S:
            problems += _wrong_outage(running, told)
        time.sleep(_BROKER_TELLS_S)
        dropped = metric(running.url, "pantau_broker_dropped_messages")
    for minute, mib in enumerate(memory.by_minute):
        print(f"minute {minute + 1}: {mib:,.0f} MiB resident at most", flush=True)
    peak, mib, speed = memory.peak, journal / 2**20, fleet.readings / drained
    figures = [
        Figure("resident memory, InfluxDB away", f"{peak:,.0f} MiB peak", "", peak, "MiB", limit_mib),
        Figure(
            "database on disk, InfluxDB away", f"{mib:,.1f} MiB more after {fleet.readings:,} readings", "",
            journal / fleet.readings, "bytes/reading", None,
        ),
        Figure("draining afterwards", f"{drained:.1f} s", "", speed, "readings/s", None),
        Figure("dropped by the broker", f"{dropped:.0f}", "", dropped, "", 0),
    ]  # fmt: skip
    return Found(figures, [f"pressure: {problem}" for problem in problems])


def _fleet(city: City, rate: int, minutes: float) -> Fleet:
    """As many devices as can have enough readings in that time."""
    devices = max(1, min(DEVICES, round(rate * minutes * 60) // FEWEST_READINGS))
    each, step_ms = round(rate * minutes * 60 / devices), round(devices * 1000 / rate)
    return Fleet(city, count=devices, each=each, step_ms=step_ms, start=now_ms() + _AHEAD_MS)


def _send(running: Running, fleet: Fleet) -> int:
    """Everything at the clock's pace; returns by how many bytes the database grew on the disk."""
    empty = _on_disk(running)
    with running.client() as client:
        client.run(timed(fleet.messages()), now_ms)
    late = now_ms() - (fleet.start + fleet.each * fleet.step_ms)
    print(f"sent {client.acknowledged:,} messages, the last {max(0, late)} ms after its time", flush=True)
    return _on_disk(running) - empty


def _outages(running: Running) -> list[dict[str, Any]]:
    return [alert for alert in alerts_of(running.url) if alert["hazard"] == "system"]


def _wrong_outage(running: Running, told: list[dict[str, Any]]) -> list[str]:
    """The outage must have been an alert while it lasted, and be over now."""
    if not told:
        return ["no alert of hazard system told of the outage"]
    deadline = time.monotonic() + _OVER_WITHIN_S
    while still := [alert for alert in _outages(running) if not alert["closed_at"]]:
        if time.monotonic() > deadline:
            return [f"the alert {alert['id']} of the outage is still open" for alert in still]
        time.sleep(1.0)
    return []


def _on_disk(running: Running) -> int:
    return sum(file.stat().st_size for file in running.subject.home.glob("pantau.db*"))


class _Memory(Beside):
    """Looks at a process's resident memory every second while it is entered."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.by_minute: list[float] = []
        self._pid = pid

    @property
    def peak(self) -> float:
        """The highest seen, MiB."""
        return max(self.by_minute, default=0.0)

    def look(self) -> None:
        """Until it is told to stop."""
        began = time.monotonic()
        while not self.stop.wait(1.0):
            minute = int(time.monotonic() - began) // 60
            self.by_minute += [0.0] * (minute + 1 - len(self.by_minute))
            self.by_minute[minute] = max(self.by_minute[minute], rss_mib(self._pid))
