"""The fault campaign, ``make test-faults``: every way to die and to lose a peer, each compared with a calm run.

It takes about an hour on two cores. ``--only kills,influx,disk,broker`` takes a part; with ``--rounds N`` each point is
hit so often. Ends with 1 when anything differed, a point was hit too seldom, or there were fewer than a hundred kills.
"""

import argparse
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

from pantau.faultpoint import Point
from tests.faults import broker_death
from tests.faults.hostile import Hostile
from tests.faults.pair import HALF_ACKED, RANDOM, Kill, Result, kills, pair
from tests.faults.trouble import BAD_POINT, disk_full, influx_answers, influx_kills, small_disk
from tests.peers import Influx, influxd

HITS = 5
KILLS = 100
RANDOM_KILLS = 40
A_PAIR = 13
_SELDOM = {
    Point.REFUSED_WRITTEN: 4, Point.TRANSITIONS_WRITTEN: 6, Point.OUTBOX_WRITTEN: 6, Point.ANSWERS_WRITTEN: 2,
    Point.SNAPSHOT_WRITTEN: 2, Point.SNAPSHOT_COMMITTED: 2, Point.CONFLICTS_NOTED: 3, Point.LEASED: 6, Point.PRUNED: 1,
    Point.SNAPSHOTS_READ: 1, Point.RESTORED: 1, Point.SLOW_RESTORED: 1,
}  # fmt: skip
"""At the latest at which hit; others are reached many times a second."""
_OFTEN = 20


def plan(rounds: int, seed: int) -> list[list[Kill]]:
    """Every point ``rounds`` times, half bundles of acknowledgements, random times; mixed, and cut into pairs."""
    rng = random.Random(seed)
    found = [
        Kill(point.value, point, rng.randint(1, _SELDOM.get(point, _OFTEN)))
        for point in Point
        for _ in range(rounds)
    ]
    found += [Kill(HALF_ACKED) for _ in range(rounds)]
    share = RANDOM_KILLS * rounds // HITS
    found += [Kill(RANDOM, after_s=rng.uniform(0.3, 6.0)) for _ in range(share)]
    rng.shuffle(found)
    return [found[begin : begin + A_PAIR] for begin in range(0, len(found), A_PAIR)]


class Buckets:
    """InfluxDB behind a relay, a fresh bucket for each run."""

    def __init__(self, influx: Influx, hostile: Hostile) -> None:
        self.influx, self.hostile = influx, hostile

    def __call__(self) -> tuple[Influx, str, str]:
        """The server, a bucket, and the address that the service is given."""
        return self.influx, self.influx.new_bucket(), self.hostile.url


def campaign(only: set[str], rounds: int, seed: int) -> Iterator[Callable[[], Result]]:
    """The pairs, to be run one after the other."""
    if "kills" in only or "influx" in only:
        with influxd() as influx:
            hostile = Hostile(influx.port)
            hostile.come()
            buckets = Buckets(influx, hostile)
            if "kills" in only:
                for number, part in enumerate(plan(rounds, seed)):
                    store = buckets if number % 3 == 2 else None
                    name = f"kills {number + 1}{', InfluxDB' if store else ''}"
                    yield lambda name=name, part=part, number=number, store=store: pair(  # type: ignore[misc]
                        name, kills(part, number), seed=seed + number, influx=store
                    )
            if "influx" in only:
                hostile.poison = (BAD_POINT, 400)
                yield lambda: pair(
                    "InfluxDB killed", influx_kills(influx, hostile, 6), seed=71, influx=buckets
                )
                hostile.poison = (BAD_POINT, 422)
                yield lambda: pair(
                    "InfluxDB: 429, 503, hangs, away", influx_answers(hostile, 150), seed=72, influx=buckets
                )
    if "disk" in only:
        yield lambda: pair("disk full", disk_full(), seed=73, data=small_disk)


def say(line: str = "") -> None:
    """A line of the report, at once: the campaign takes an hour."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Runs what was asked for and prints the tables; the exit code."""
    parser = argparse.ArgumentParser(prog="tests.faults.campaign", description=__doc__)
    parser.add_argument("--only", default="kills,influx,disk,broker")
    parser.add_argument("--rounds", type=int, default=HITS, help="hits of each point")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    only = set(given.only.split(","))
    results: list[Result] = []
    began = time.monotonic()
    for run in campaign(only, given.rounds, given.seed):
        results.append(run())
        one = results[-1]
        say(f"[{time.monotonic() - began:5.0f} s] {one.name}: {len(one.died)} kills, {one.messages} messages, "
              f"{one.different} differences")  # fmt: skip
        for table, lines in one.found.items():
            for line in lines[:10]:
                say(f"    {table}: {line}")
    losses = []
    if "broker" in only:
        losses = [
            broker_death.measure(name, away=away) for name in broker_death.PROFILES for away in (False, True)
        ]
    wrong = report(results, losses, all_of_it="kills" in only and given.rounds >= HITS)
    for line in wrong:
        say(f"WRONG: {line}")
    say(f"{(time.monotonic() - began) / 60:.0f} minutes; {'nothing differs' if not wrong else 'failed'}")
    return 1 if wrong else 0


def report(results: list[Result], losses: list[broker_death.Loss], *, all_of_it: bool) -> list[str]:
    """Prints the tables; returns what is wrong."""
    in_flight: dict[str, list[int]] = {}
    for one in results:
        for died in one.died:
            in_flight.setdefault(died.name, []).append(died.in_flight)
    idle = Counter(name for one in results for name in one.idle)
    say("\n| killed at | kills | in flight: least | median | most | not counted: nothing in flight |")
    say("| --- | --- | --- | --- | --- | --- |")
    for name, numbers in in_flight.items():
        middle = statistics.median(numbers)
        say(
            f"| {name} | {len(numbers)} | {min(numbers)} | {middle:.0f} | {max(numbers)} | {idle[name] or ''} |"
        )
    say(f"| all | {sum(map(len, in_flight.values()))} | | | | {sum(idle.values()) or ''} |")
    _print_pairs(results)
    if losses:
        say(
            "\n| broker killed under load | service | kills | acknowledged to the devices | lost | gaps in seq |"
        )
        say("| --- | --- | --- | --- | --- | --- |")
        for loss in losses:
            say(f"| {loss.profile} | {loss.service} | {loss.kills} | {loss.acknowledged} | {loss.missing} "
                  f"| {loss.gaps} |")  # fmt: skip
    say()
    wrong = [f"{one.name}: {one.different} differences" for one in results if one.different]
    wrong += [
        f"{one.name}: redelivered out of order" for one in results if one.counts["redelivered out of order"]
    ]
    if all_of_it:
        wanted = [point.value for point in Point] + [HALF_ACKED]
        wrong += [f"{name}: hit {len(in_flight.get(name, ()))} times" for name in wanted
                  if len(in_flight.get(name, ())) < HITS]  # fmt: skip
        if sum(map(len, in_flight.values())) < KILLS:
            wrong.append(f"fewer than {KILLS} kills")
    return wrong


_COUNTED = ("readings", "alerts", "transitions", "outbox", "notices", "conflicts", "commands", "refused")
_TOLD = ("redelivered", "redelivered out of order", "notices repeated", "refused twice")


def _print_pairs(results: list[Result]) -> None:
    names = ("kills", "messages", *_COUNTED, *_TOLD, "differences")
    say("\n| compared | " + " | ".join(names) + " |")
    say("| --- |" + " --- |" * len(names))
    total: Counter[str] = Counter()
    for one in results:
        numbers = {
            **one.counts,
            "kills": len(one.died),
            "messages": one.messages,
            "differences": one.different,
        }
        total.update(numbers)
        say(f"| {one.name} | " + " | ".join(str(numbers.get(name, 0)) for name in names) + " |")
    say("| all | " + " | ".join(str(total[name]) for name in names) + " |")
    for one in results:
        for note in one.notes:
            say(f"{one.name}: {note}")


if __name__ == "__main__":
    sys.exit(main())
