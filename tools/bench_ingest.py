"""Measures ingest beside Telegraf: MQTT QoS 1, one reading a message, to stored in InfluxDB. See docs/benchmarks.md.

    make bench-ingest ARGS='--rounds 3 --readings 400000'

Both get the same messages from the same broker configuration, in turns; Pantau runs as ``pantau run`` does by default
and judges, journals and alerts as well. Nothing is written but the table on stdout.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pantau import cityfolder  # noqa: E402
from pantau.city import City  # noqa: E402
from simulators.fleet import FEWEST_READINGS, Fleet  # noqa: E402
from simulators.load import LoadClient, Timed, numbered  # noqa: E402
from tests.peers import Broker, Influx, influxd, mosquitto  # noqa: E402
from tools.bench.city import make_city  # noqa: E402
from tools.bench.cpu import cpu_s, threads_s  # noqa: E402
from tools.bench.subjects import LOAD_USER, Pantau, Telegraf, broker_config, broker_url  # noqa: E402
from tools.bench.truth import Stored, check_alerts, check_readings, check_spikes  # noqa: E402
from tools.bench.webhook import Arrivals, receiver  # noqa: E402

DEVICES = 1000
STEP_MS = 1000


class Round(NamedTuple):
    """One run of one subject; CPU in microseconds per reading."""

    name: str
    rate: float
    cpu_us: float
    broker_us: float
    influx_us: float
    threads: dict[str, float]
    problems: list[str]


class Bench:
    """What all rounds share."""

    def __init__(self, folder: Path, influx: Influx, telegraf: str) -> None:
        self.folder = folder
        self.influx = influx
        self.telegraf = telegraf
        self._number = 0

    def home(self) -> Path:
        """A fresh folder."""
        self._number += 1
        home = self.folder / f"round-{self._number}"
        home.mkdir()
        home.chmod(0o755)
        return home

    @contextlib.contextmanager
    def running(self, name: str, city: City, webhook: str) -> Iterator[tuple[Pantau | Telegraf, Broker]]:
        """A fresh broker, a fresh bucket and the subject, which has stored a first reading."""
        home = self.home()
        self.influx.bucket = self.influx.new_bucket()
        with mosquitto(config=broker_config(home)) as broker:
            subject: Pantau | Telegraf
            if name == "pantau":
                subject = Pantau(home, self.folder / city.id, broker, self.influx, webhook)
            else:
                subject = Telegraf(home, self.telegraf, broker, self.influx)
            subject.start()
            try:
                self._first_reading(broker, city)
                yield subject, broker
            finally:
                subject.stop()

    def _first_reading(self, broker: Broker, city: City) -> None:
        """Until a reading gets through, the subject has not subscribed."""
        now = _now() - 3_600_000
        stored = Stored(self.influx, now - 1000, now + 60_000)
        station = max(city.stations)
        topic = f"pantau/v1/{city.id}/water_level/{station}".encode()
        for attempt in range(60):
            payload = b'{"observed_at": %d, "value": 100.0, "unit": "cm"}' % (now + attempt)
            with LoadClient(broker_url(broker, LOAD_USER), client_id="probe") as client:
                client.run(numbered([(0, topic, payload)]))
            time.sleep(0.5)
            if stored.count():
                return
        raise SystemExit("bench: no reading came through within 30 s")


def _now() -> int:
    return time.time_ns() // 1_000_000


def throughput(bench: Bench, name: str, city: City, each: int) -> Round:
    """One round: everything at once, as fast as the broker takes it, until all is stored."""
    with receiver() as (webhook, _), bench.running(name, city, webhook) as (subject, broker):
        start = _now() - each * STEP_MS
        fleet = Fleet(city, count=DEVICES, each=each, step_ms=STEP_MS, start=start)
        packets = list(numbered((m.at, m.topic, m.payload) for m in fleet.messages()))
        stored = Stored(bench.influx, start, start + (each + 1) * STEP_MS)
        pids = {"subject": subject.pid, "broker": broker.pid, "influx": bench.influx.pid}
        before, threads = {key: cpu_s(pid) for key, pid in pids.items()}, threads_s(subject.pid)
        began = time.monotonic()
        with LoadClient(broker_url(broker, LOAD_USER)) as client:
            client.run(packets)
        ended = stored.wait_for(fleet.readings)
        spent = {key: (cpu_s(pid) - before[key]) / fleet.readings * 1e6 for key, pid in pids.items()}
        by_thread = {
            thread: (seconds - threads.get(thread, 0.0)) / fleet.readings * 1e6
            for thread, seconds in threads_s(subject.pid).items()
        }
        problems = check_readings(stored, fleet)
        if isinstance(subject, Pantau):
            problems += check_spikes(stored, fleet) + check_alerts(subject.url, fleet)
        return Round(
            name,
            fleet.readings / (ended - began),
            spent["subject"],
            spent["broker"],
            spent["influx"],
            by_thread,
            problems,
        )


def latency(bench: Bench, city: City, rate: int, minutes: float) -> tuple[list[float], list[str]]:
    """Milliseconds from publishing a reading that opens an alert to its notice at the webhook; and what is wrong."""
    with receiver() as (webhook, arrivals), bench.running("pantau", city, webhook) as (subject, broker):
        devices = min(len(city.stations), round(rate * minutes * 60) // FEWEST_READINGS)
        each = round(rate * minutes * 60 / devices)
        step_ms = round(devices / rate * 1000)
        fleet = Fleet(city, count=devices, each=each, step_ms=step_ms, start=_now() + 500)
        stored = Stored(bench.influx, fleet.start, fleet.start + (each + 1) * step_ms)
        packets: Iterator[Timed] = numbered((m.at, m.topic, m.payload) for m in fleet.messages())
        with LoadClient(broker_url(broker, LOAD_USER)) as client:
            client.run(packets, _now)
        stored.wait_for(fleet.readings)
        time.sleep(2.0)
        problems = check_readings(stored, fleet) + check_spikes(stored, fleet)
        if isinstance(subject, Pantau):
            problems += check_alerts(subject.url, fleet)
        waits, silent = _waits(fleet, arrivals)
        return waits, problems + [f"no notice about {station}" for station in silent]


def _waits(fleet: Fleet, arrivals: Arrivals) -> tuple[list[float], list[str]]:
    """Waiting time of the first level notice of each crossing and each spike, ms; and who was never told of."""
    opened = {one.station: one.at for one in fleet.crossings()}
    opened |= {one.station: one.observed_at for one in fleet.spikes()}
    first: dict[str, int] = {}
    for at, notice in arrivals:
        if notice.get("cause") == "level":
            first.setdefault(str(notice["station"]), at)
    waits = [float(first[station] - at) for station, at in opened.items() if station in first]
    return waits, sorted(opened.keys() - first.keys())


def measured(bench: Bench, city: City, subjects: list[str], each: int, count: int) -> list[Round]:
    """All rounds, in turns, each a line of the table as soon as it is over."""
    print("| subject | readings/s | CPU us/reading | broker us | InfluxDB us | checked |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    rounds = []
    for subject in subjects * count:
        rounds.append(one := throughput(bench, subject, city, each))
        found = "all there" if not one.problems else f"{len(one.problems)} problems"
        _line(one.name, one.rate, one.cpu_us, one.broker_us, one.influx_us, found)
    return rounds


def tell_medians(rounds: list[Round]) -> None:
    """The last lines of the table, and how the two compare."""
    names = sorted({one.name for one in rounds})
    middle = {name: _median([one for one in rounds if one.name == name]) for name in names}
    for name, values in middle.items():
        _line(f"{name}, median", *values, "")
    if len(middle) == 2:
        ours, theirs = middle["pantau"], middle["telegraf"]
        print(
            f"\npantau / telegraf: {ours[0] / theirs[0]:.2f} x readings/s, {ours[1] / theirs[1]:.2f} x CPU per reading"
        )


def _line(name: str, rate: float, cpu: float, broker: float, influx: float, found: str) -> None:
    print(f"| {name} | {rate:,.0f} | {cpu:.1f} | {broker:.1f} | {influx:.1f} | {found} |", flush=True)


def _median(rounds: list[Round]) -> tuple[float, float, float, float]:
    columns = zip(*((one.rate, one.cpu_us, one.broker_us, one.influx_us) for one in rounds), strict=True)
    rate, cpu, broker, influx = (statistics.median(column) for column in columns)
    return rate, cpu, broker, influx


def main() -> int:
    """Run it; 1 when a check failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each subject, in turns")
    parser.add_argument("--readings", type=int, default=400_000, help="a round")
    parser.add_argument("--subjects", default="telegraf,pantau")
    parser.add_argument("--telegraf", default="", help="the program; tools/telegraf brings it by default")
    parser.add_argument(
        "--rate", type=int, default=1000, help="readings/s while notices are timed; 0: leave out"
    )
    parser.add_argument("--minutes", type=float, default=2.0, help="how long notices are timed")
    asked = parser.parse_args()
    subjects = asked.subjects.split(",")
    program = asked.telegraf
    if "telegraf" in subjects and not program:
        tool = [str(ROOT / "tools" / "telegraf")]
        program = subprocess.run(tool, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="pantau-bench-") as name, influxd() as influx:
        folder = Path(name)
        folder.chmod(0o755)
        make_city(folder, 2 * DEVICES)
        bench = Bench(folder, influx, program)
        city = cityfolder.load(folder / "bench")
        rounds = measured(bench, city, subjects, asked.readings // DEVICES, asked.rounds)
        tell_medians(rounds)
        problems = [f"{one.name}: {problem}" for one in rounds for problem in one.problems]
        ours = [one for one in rounds if one.name == "pantau"]
        if ours:
            print("\nthreads of pantau, last round, us/reading: " + _threads(ours[-1]))
        if "pantau" in subjects and asked.rate:
            waits, found = latency(bench, city, asked.rate, asked.minutes)
            problems += found
            print("\n" + _waited(waits, asked.rate))
    for problem in problems[:20]:
        print(f"problem: {problem}")
    if len(problems) > 20:
        print(f"... and {len(problems) - 20} more")
    return 1 if problems else 0


def _threads(one: Round) -> str:
    heavy = sorted(one.threads.items(), key=lambda item: -item[1])[:8]
    return ", ".join(f"{name} {cost:.1f}" for name, cost in heavy if cost >= 0.05)


def _waited(waits: list[float], rate: int) -> str:
    if len(waits) < 2:
        return f"publish to notice at {rate:,} readings/s: {len(waits)} notices, too few for a figure"
    parts = statistics.quantiles(waits, n=100, method="inclusive")
    return (
        f"publish to notice at {rate:,} readings/s: p50 {parts[49]:.0f} ms, p99 {parts[98]:.0f} ms,"
        f" slowest {max(waits):.0f} ms ({len(waits)} notices)"
    )


if __name__ == "__main__":
    sys.exit(main())
