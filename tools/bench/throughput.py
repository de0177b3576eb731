"""Readings a second and CPU a reading from MQTT to stored, one reading a message or arrays, beside Telegraf."""

import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from simulators.fleet import Fleet
from tools.bench.cpu import cpu_s, lanes_s, settle
from tools.bench.figures import Figure, Found
from tools.bench.rig import Place, Rig, Running, now_ms, timed
from tools.bench.truth import check_alerts, check_doubles, check_readings, check_spikes

__all__ = ["DEVICES", "throughput"]

DEVICES = 1000
STEP_MS = 1000
_SMALLEST_US = 0.05
_CPU_TARGET, _RATE_TARGET = 0.4, 1.5


class Round(NamedTuple):
    """One run of one subject; CPU in microseconds per reading."""

    name: str
    rate: float
    cpu_us: float
    broker_us: float
    influx_us: float
    lanes: dict[str, float]
    problems: list[str]


def throughput(rig: Rig, subjects: Sequence[str], *, readings: int, rounds: int, size: int = 1) -> Found:
    """Each subject so many times, in turns; prints every round.

    Args:
        readings: of a round.
        size: readings in a message.
    """
    what = "one reading a message" if size == 1 else f"{size} readings a message"
    print(f"\n## {what}, {readings:,} readings a round\n")
    print("| subject | readings/s | CPU us/reading | broker us | InfluxDB us | checked |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    place = rig.place(2 * DEVICES)
    done = []
    for subject in list(subjects) * rounds:
        with rig.running(subject, place) as running:
            done.append(one := _round(rig, running, place, readings // DEVICES, size))
        found = "all there" if not one.problems else f"{len(one.problems)} problems"
        _line(one.name, (one.rate, one.cpu_us, one.broker_us, one.influx_us), found)
    middle = {name: _median([one for one in done if one.name == name]) for name in dict.fromkeys(subjects)}
    for name, values in middle.items():
        _line(f"{name}, median", values, "")
    _tell_lanes([one for one in done if one.name == "pantau"])
    problems = [f"{what}, {one.name}: {problem}" for one in done for problem in one.problems]
    return Found(_figures(what, middle, size), problems)


def _round(rig: Rig, running: Running, place: Place, each: int, size: int) -> Round:
    start = now_ms() - each * STEP_MS
    fleet = Fleet(place.city, count=DEVICES, each=each, step_ms=STEP_MS, start=start)
    packets = list(timed(fleet.messages() if size == 1 else fleet.arrays(size)))
    stored = rig.stored(start, start + (each + 1) * STEP_MS)
    pids = {"subject": running.subject.pid, "broker": running.broker.peer.pid, "influx": rig.influx.pid}
    settle(pids["subject"], 10)
    before, lanes = {key: cpu_s(pid) for key, pid in pids.items()}, lanes_s(pids["subject"])
    began = time.monotonic()
    with running.client() as client:
        client.run(packets)
    ended = stored.wait_for(fleet.readings)
    settle(
        pids["subject"]
    )  # what the slow lane and the pages still do for these readings is part of their cost
    spent = {key: (cpu_s(pid) - before[key]) / fleet.readings * 1e6 for key, pid in pids.items()}
    by_lane = {
        lane: (seconds - lanes.get(lane, 0.0)) / fleet.readings * 1e6
        for lane, seconds in lanes_s(pids["subject"]).items()
    }
    problems = check_readings(stored, fleet)
    if running.subject.name == "pantau":
        problems += check_spikes(stored, fleet) + check_alerts(running.url, fleet)
        problems += check_doubles(running.url, fleet)
    rate = fleet.readings / (ended - began)
    name = running.subject.name
    return Round(name, rate, spent["subject"], spent["broker"], spent["influx"], by_lane, problems)


def _tell_lanes(rounds: Sequence[Round]) -> None:
    """CPU of every lane of ours, the median of the rounds; threads of one name are one lane."""
    if not rounds:
        return
    names = {name for one in rounds for name in one.lanes}
    middle = {name: statistics.median([one.lanes.get(name, 0.0) for one in rounds]) for name in names}
    print("\n| lane or thread of pantau | CPU us/reading |\n| --- | --- |")
    for name, cost in sorted(middle.items(), key=lambda item: -item[1]):
        if cost >= _SMALLEST_US:
            print(f"| {name} | {cost:.2f} |")
    small = sum(cost for cost in middle.values() if cost < _SMALLEST_US)
    print(f"| the others together | {small:.2f} |", flush=True)


def _figures(what: str, middle: dict[str, tuple[float, float, float, float]], size: int) -> list[Figure]:
    if "pantau" not in middle:
        return []
    ours, theirs = middle["pantau"], middle.get("telegraf")
    cpu, rate = f"{ours[1]:.2f} us", f"{ours[0]:,.0f}/s"
    if theirs is None:
        return [
            Figure(f"CPU per reading, {what}", cpu, "", ours[1], "us", None),
            Figure(f"readings/s, {what}", rate, "", ours[0], "/s", None),
        ]
    return [
        Figure(
            f"CPU per reading, {what}", cpu, f"Telegraf {theirs[1]:.2f} us",
            ours[1] / theirs[1], "x", _CPU_TARGET,
        ),
        Figure(
            f"readings/s, {what}", rate, f"Telegraf {theirs[0]:,.0f}/s",
            ours[0] / theirs[0], "x", _RATE_TARGET if size == 1 else None, at_least=True,
        ),
    ]  # fmt: skip


def _line(name: str, values: tuple[float, float, float, float], found: str) -> None:
    rate, cpu, broker, influx = values
    print(f"| {name} | {rate:,.0f} | {cpu:.2f} | {broker:.2f} | {influx:.2f} | {found} |", flush=True)


def _median(rounds: list[Round]) -> tuple[float, float, float, float]:
    columns = zip(*((one.rate, one.cpu_us, one.broker_us, one.influx_us) for one in rounds), strict=True)
    rate, cpu, broker, influx = (statistics.median(column) for column in columns)
    return rate, cpu, broker, influx
