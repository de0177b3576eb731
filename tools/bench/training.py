"""What training costs: a town's history in; seconds a gauge, a data folder with live models and what was wrong out.

It is the code of ``pantau train``: a forecast for each gauge that is to have one, and a forest for each kind.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from models.card import Note
from models.families import opened
from models.train import PARAMS, Trained, keep, train
from models.train_forecast import train_forecasts
from tools.bench.figures import Figure, Found
from tools.bench.town import START, Town

__all__ = ["training"]

TARGET_S = 2.0
_GAUGES = "water_level"

T = TypeVar("T")


def training(town: Town, data: Path, *, again: bool = True) -> Found:
    """Train everything, make it the live version in ``data``, and train the first gauge again to compare.

    Args:
        data: as ``PANTAU_DATA``.
        again: whether to look that the same readings give the same model.
    """
    print(f"\n## training, {town.about}\n\n| model | readings | seconds | CPU, s | MB |")
    print("| --- | ---: | ---: | ---: | ---: |")
    spent: dict[str, tuple[float, float]] = {}
    versions: dict[str, str] = {}
    for name, make in _jobs(town):
        made, seconds, cpu_s = _timed(make)
        keep(made, data / "models").promote(made.card.version, opened, Note(START))
        spent[name], versions[name] = (seconds, cpu_s), made.card.version
        readings = sum(made.card.stations.values())
        print(
            f"| {name} | {readings:,} | {seconds:.2f} | {cpu_s:.2f} | {len(made.body) / 1e6:.2f} |",
            flush=True,
        )
    problems = []
    for name, make in list(_jobs(town))[:1] if again else ():
        if (second := make().card.version) != versions[name]:
            problems.append(f"{name}: trained twice on the same readings gave {versions[name]} and {second}")
    gauges = {name: both for name, both in spent.items() if name.startswith("forecast/")}
    slowest = max(gauges, key=lambda name: gauges[name][1])
    each = sum(cpu_s for _, cpu_s in gauges.values()) / len(gauges)
    seconds, cpu_s = gauges[slowest]
    told = f"{slowest.partition('/')[2]}; {seconds:.2f} s by the clock; {each:.2f} s on average"
    return Found([Figure("training, slowest gauge, CPU", told, "", cpu_s, "s", TARGET_S)], problems)


def _jobs(town: Town) -> Iterator[tuple[str, Callable[[], Trained]]]:
    for gauge in town.trained:
        yield (
            f"forecast/{gauge}",
            lambda gauge=gauge: next(  # type: ignore[misc]
                train_forecasts(_GAUGES, town.history[_GAUGES], town.city, gauge)
            ),
        )
    for kind, history in sorted(town.history.items()):
        yield f"forest/{kind}", lambda kind=kind, history=history: train(kind, history, PARAMS)  # type: ignore[misc]


def _timed(make: Callable[[], T]) -> tuple[T, float, float]:
    """What it made, seconds by the clock and CPU seconds of all threads."""
    began, cpu = time.perf_counter(), time.process_time()
    made = make()
    return made, time.perf_counter() - began, time.process_time() - cpu
