"""What a reading costs with 1,000, 10,000 and 100,000 sensors, each of them touched as often as readings allow."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from tools.bench.cpu import cpu_s, lanes_s, settle
from tools.bench.figures import Figure, Found
from tools.bench.rig import Rig, now_ms, timed
from tools.bench.sweep import FEWEST_ROUNDS, Sweep
from tools.bench.truth import check_alerts, check_doubles, check_readings, check_spikes

__all__ = ["SIZES", "sensors"]

SIZES = (1_000, 10_000, 100_000)
WARM_UP = 4
"""Readings of each sensor before the measured ones, in every size: the first is pending, a track fills with three."""
STEP_MS = 1000
_TARGET = 1.3
_FAST_LANE = "fast-lane"


class _Cost(NamedTuple):
    sensors: int
    lane_us: float
    whole_us: float
    rate: float


def sensors(rig: Rig, *, readings: int, sizes: Sequence[int] = SIZES) -> Found:
    """Measure each size; prints a line for each.

    Args:
        readings: measured ones, the same number in each size.
    """
    print(f"\n## {readings:,} readings by number of sensors, after {WARM_UP} of each\n")
    print(
        "| sensors | readings of each | fast lane us/reading | whole process us/reading | readings/s | checked |"
    )
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    costs, problems = [], []
    for size in sizes:
        cost, found = _measured(rig, size, max(FEWEST_ROUNDS, readings // size))
        costs.append(cost)
        problems += [f"{size:,} sensors: {problem}" for problem in found]
        print(
            f"| {size:,} | {max(FEWEST_ROUNDS, readings // size)} | {cost.lane_us:.2f} | {cost.whole_us:.2f}"
            f" | {cost.rate:,.0f} | {'all there' if not found else f'{len(found)} problems'} |",
            flush=True,
        )
    return Found(_figures(costs), problems)


def _measured(rig: Rig, size: int, rounds: int) -> tuple[_Cost, list[str]]:
    place = rig.place(size + 1)
    with rig.running("pantau", place) as running:
        total = WARM_UP + rounds
        sweep = Sweep(place.city, rounds=total, step_ms=STEP_MS, end=now_ms(), leave_out=place.probe)
        stored = rig.stored(sweep.start, sweep.end)
        running.send(sweep.messages(0, WARM_UP))
        stored.wait_for(WARM_UP * size)
        packets = list(timed(sweep.messages(WARM_UP)))
        pid = running.subject.pid
        settle(pid)
        before, lanes = cpu_s(pid), lanes_s(pid)
        began = time.monotonic()
        with running.client() as client:
            client.run(packets)
        ended = stored.wait_for(sweep.readings)
        settle(pid)
        measured = rounds * size
        lane = lanes_s(pid).get(_FAST_LANE, 0.0) - lanes.get(_FAST_LANE, 0.0)
        whole = cpu_s(pid) - before
        cost = _Cost(size, lane / measured * 1e6, whole / measured * 1e6, measured / (ended - began))
        problems = check_readings(stored, sweep) + check_spikes(stored, sweep)
        return cost, problems + check_alerts(running.url, sweep) + check_doubles(running.url, sweep)


def _figures(costs: Sequence[_Cost]) -> list[Figure]:
    first = costs[0]
    return [
        Figure(
            f"{what} with {one.sensors:,} sensors", f"{ours:.2f} us", f"with {first.sensors:,}: {theirs:.2f} us",
            ours / theirs, "x", target,
        )
        for one in costs[1:]
        for what, ours, theirs, target in (
            ("fast lane per reading", one.lane_us, first.lane_us, _TARGET),
            ("whole process per reading", one.whole_us, first.whole_us, None),
        )
    ]  # fmt: skip
