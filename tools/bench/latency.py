"""From publishing a reading to its notice at a webhook, under load, beside Node-RED doing the threshold alone."""

import statistics
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from simulators.fleet import FEWEST_READINGS, Fleet
from simulators.load import Timed, encode_publish
from tools.bench.disk import Disk
from tools.bench.figures import Figure, Found
from tools.bench.rig import Place, Rig, Running, now_ms
from tools.bench.truth import check_alerts, check_doubles, check_readings, check_spikes

__all__ = ["latency"]

DEVICES = 3_000
"""One in ten crosses a limit or has a spike: 300 notices."""
_PATIENCE_S = 20.0
_AHEAD_MS = 1500
_P50_MS, _P99_MS = 25.0, 60.0
_HEADS = (
    "subject", "notices", "missing", "p50 ms", "p99 ms", "slowest ms", "load late p99 ms", "disk p99 ms",
    "disk slowest ms", "checked",
)  # fmt: skip


class _Waits(NamedTuple):
    """One run: sorted waiting times, ms; how many notices were to come; what was wrong.

    ``lag`` is how much later than planned the load sent the readings that are watched, 99th percentile, ms. ``disk`` is
    what a small durable write took meanwhile, sorted, ms.
    """

    name: str
    waits: list[float]
    expected: int
    lag: float
    disk: list[float]
    problems: list[str]

    def quantile(self, percent: int) -> float:
        """Of the waiting times; infinite when none came."""
        return _quantile(self.waits, percent)


def latency(rig: Rig, subjects: Sequence[str], *, rate: int, seconds: float, rounds: int) -> Found:
    """Each subject so many times, in turns; prints every round."""
    print(f"\n## publish to notice at {rate:,} readings/s for {seconds:.0f} s\n")
    print(f"| {' | '.join(_HEADS)} |")
    print(f"| {' | '.join(['---'] * len(_HEADS))} |", flush=True)
    devices = max(1, min(DEVICES, round(rate * seconds) // FEWEST_READINGS))
    place = rig.place(DEVICES + 1)
    done = []
    for subject in list(subjects) * rounds:
        with rig.running(subject, place) as running:
            done.append(one := _round(rig, running, place, rate, devices, round(rate * seconds / devices)))
        print(
            f"| {one.name} | {one.expected} | {one.expected - len(one.waits)} | {one.quantile(50):.1f}"
            f" | {one.quantile(99):.1f} | {one.quantile(100):.1f} | {one.lag:.1f}"
            f" | {_quantile(one.disk, 99):.1f} | {_quantile(one.disk, 100):.1f}"
            f" | {f'{len(one.problems)} problems' if one.problems else 'all there'} |",
            flush=True,
        )
    problems = [f"latency, {one.name}: {problem}" for one in done for problem in one.problems]
    return Found(_figures(done, rate), problems)


def _round(rig: Rig, running: Running, place: Place, rate: int, devices: int, each: int) -> _Waits:
    step_ms = round(devices * 1000 / rate)
    fleet = Fleet(place.city, count=devices, each=each, step_ms=step_ms, start=now_ms() + _AHEAD_MS)
    watched = {(one.station, one.at) for one in fleet.crossings()}
    watched |= {(one.station, one.observed_at) for one in fleet.spikes()}
    problems: list[str] = []
    with Disk(running.home) as disk, running.client() as client:
        client.run(_marked(fleet, watched), now_ms)
    sent = client.sent_at
    if running.subject.name == "pantau":
        stored = rig.stored(fleet.start, fleet.start + (each + 1) * step_ms)
        stored.wait_for(fleet.readings)
        problems += check_readings(stored, fleet) + check_spikes(stored, fleet)
        problems += check_alerts(running.url, fleet) + check_doubles(running.url, fleet)
    told = _told(running, sent)
    problems += [f"no notice about {station}" for station in sorted(sent.keys() - told.keys())]
    waits = sorted((told[station] - at) / 1e6 for station, at in sent.items() if station in told)
    lags = sorted(sent[station] / 1e6 - at for station, at in watched if station in sent)
    return _Waits(running.subject.name, waits, len(watched), _quantile(lags, 99), disk.waits, problems)


def _marked(fleet: Fleet, watched: set[tuple[str, int]]) -> Iterator[Timed]:
    """Packets; the first sending of a watched reading carries its station's id as mark."""
    instants = {at for _, at in watched}
    for number, message in enumerate(fleet.messages()):
        mark = ""
        if message.at in instants:
            station = message.topic.decode().rpartition("/")[2]
            mark = station if (station, message.at) in watched else ""
        yield Timed(message.at, encode_publish(message.topic, message.payload, number), mark)


def _told(running: Running, sent: dict[str, int]) -> dict[str, int]:
    """When the first level notice about each station came, epoch ns; waits for those that are missing."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        first: dict[str, int] = {}
        for at, notice in running.notices.read():
            if notice.get("cause") == "level":
                first.setdefault(str(notice["station"]), at)
        if first.keys() >= sent.keys() or time.monotonic() > deadline:
            return first
        time.sleep(0.5)


def _figures(done: Sequence[_Waits], rate: int) -> list[Figure]:
    ours = [one for one in done if one.name == "pantau"]
    theirs = [one for one in done if one.name == "node-red"]
    if not ours:
        return []
    what = f"publish to notice at {rate:,} readings/s"
    missing = sum(one.expected - len(one.waits) for one in ours)
    beside = f"Node-RED {sum(one.expected - len(one.waits) for one in theirs)}" if theirs else ""
    words = f"{missing} of {sum(one.expected for one in ours)}"
    figures = [Figure("notices missing", words, beside, missing, "", 0)]
    for percent, target in ((50, _P50_MS), (99, _P99_MS), (100, None)):
        value, peer = (_over_rounds(runs, percent) for runs in (ours, theirs))
        name = "slowest" if percent == 100 else f"p{percent}"
        beside = f"Node-RED {peer:.1f} ms" if theirs else ""
        figures.append(Figure(f"{what}, {name}", f"{value:.1f} ms", beside, value, "ms", target))
    disk = max(_quantile(one.disk, 100) for one in ours)
    figures.append(Figure("the disk alone meanwhile, slowest", f"{disk:.1f} ms", "", disk, "ms", None))
    return figures


def _quantile(values: Sequence[float], percent: int) -> float:
    """Of sorted values; infinite when there are none."""
    return values[round(percent / 100 * (len(values) - 1))] if values else float("inf")


def _over_rounds(runs: Sequence[_Waits], percent: int) -> float:
    """The median of the rounds; of the slowest the slowest."""
    values = [one.quantile(percent) for one in runs]
    if not values:
        return 0.0
    return max(values) if percent == 100 else statistics.median(values)
