"""How well quality control does: real levels in, recall and precision on faults put into them out, a row a fault.

What is true is known in hindsight and only used to count: which readings are a fault, which stand in a long flat run,
which are a true flood rise. Who judges sees one reading after another.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias
from zlib import crc32

import numpy as np

from models.evaluations.quality_faults import FAULTS, Fault, Injected, inject
from models.evaluations.quality_models import MODELS, Judged
from models.evaluations.quality_neighbours import PAIRED, Checked, figures
from pantau.reading import Flag

__all__ = [
    "LEAST_READINGS",
    "NONE",
    "PANTAU",
    "Counts",
    "Gauge",
    "Tally",
    "Trial",
    "count",
    "gauge",
    "trials",
]

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Bools: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"

PANTAU = "pantau"
NONE = Fault("none", 0.0)
PAST = 0.3
"""Share at the start of a series that is only learnt from."""
LEAST_READINGS = 500
_LONG = 0.995
_FAST = 0.99
_STANDS = 0.5


class Gauge(NamedTuple):
    """One station's series with what is true of it.

    Attributes:
        times: (n,) ms since 1970 UTC, rising.
        values: (n,) cm.
        start: first scored reading.
        still: (n,) whether a reading stands in a flat run longer than 99.5 % of the station's.
        rises: (n,) whether it is one of a true flood rise.
    """

    name: str
    times: Ints
    values: Floats
    start: int
    still: Bools
    rises: Bools


class Trial(NamedTuple):
    """One gauge with one fault, judged by one model; ``plain`` is its judgement of the untouched series."""

    model: str
    fault: Fault
    gauge: Gauge
    injected: Injected
    judged: Judged
    plain: Judged


class Counts(NamedTuple):
    """What is counted in a trial, in readings but for the first two of a fault that lasts (then in faults).

    Attributes:
        faults, found: what there was to find, and what of it was flagged.
        hits: flagged readings of faults.
        wrong: flagged readings of the untouched rest that were not flagged without the fault.
        flagged, clean: flagged ones of clean readings; clean readings.
        withheld: of true flood rises, those that were kept from the alert path.
    """

    faults: int
    found: int
    hits: int
    wrong: int
    flagged: int
    clean: int
    withheld: int


def gauge(name: str, times: Ints, values: Floats) -> Gauge:
    """A station's series with what is true of it in hindsight."""
    return Gauge(name, times, values, int(PAST * len(values)), _still(values), _rises(values))


def _still(values: Floats) -> Bools:
    starts = np.flatnonzero(np.r_[True, np.diff(values) != 0])
    lengths = np.diff(np.r_[starts, len(values)])
    return np.asarray(np.repeat(lengths > np.quantile(lengths, _LONG), lengths), dtype=bool)


def _rises(values: Floats) -> Bools:
    """The fastest hundredth of changes, where they go up and half of them is still there for two readings more."""
    found = np.zeros(len(values), dtype=bool)
    changes = np.diff(values)
    fast = changes[:-2] >= max(float(np.quantile(np.abs(changes), _FAST)), 1e-9)
    least = np.minimum(values[2:-1], values[3:])
    found[1:-2] = fast & (least >= values[:-3] + _STANDS * changes[:-2])
    return found


def trials(one: Gauge, seed: int) -> Iterator[Trial]:
    """Every model on every fault of one gauge, the untouched series first."""
    plain = {model: judge(one.times, one.values, one.start) for model, judge in MODELS.items()}
    for model, judged in plain.items():
        yield Trial(model, NONE, one, Injected(one.values, ()), judged, judged)
    for fault in FAULTS:
        own = crc32(f"{seed} {fault.name} {fault.size:g} {one.name}".encode())
        injected = inject(fault, one.times, one.values, one.start, own)
        for model, judge in MODELS.items():
            judged = judge(one.times, injected.values, one.start)
            yield Trial(model, fault, one, injected, judged, plain[model])


def count(trial: Trial) -> Counts:
    """Count one trial; only what comes after the part that is learnt from, but rises in all of it."""
    one, mask = trial.gauge, trial.injected.mask
    bad, before = _doubted(trial.judged), _doubted(trial.plain)
    clean = ~mask & ~one.still
    clean[: one.start] = False
    new = bad & ~before
    if trial.fault.lasts:
        faults = len(trial.injected.spans)
        found = sum(bool(new[first : last + 1].any()) for first, last in trial.injected.spans)
    else:
        faults, found = int(mask.sum()), int((bad & mask).sum())
    return Counts(
        faults, found, int((bad & mask).sum()), int((new & clean).sum()), int((bad & clean).sum()), int(clean.sum()),
        int((trial.judged.withheld & one.rises & ~_beside(mask)).sum()),
    )  # fmt: skip


def _beside(mask: Bools) -> Bools:
    """Faults and two readings on either side: what a broken reading has to confirm waits for no fault of its own."""
    return np.asarray(np.convolve(mask, np.ones(5), mode="same") > 0, dtype=bool)


def _doubted(judged: Judged) -> Bools:
    return np.asarray((judged.flags == Flag.SUSPECT) | (judged.flags == Flag.FAIL), dtype=bool)


class Tally:
    """Counts of all gauges together, by model and fault."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Fault], list[Counts]] = {}

    def add(self, trial: Trial) -> None:
        """Count a trial in."""
        self._counts.setdefault((trial.model, trial.fault), []).append(count(trial))

    def rows(self, checked: Sequence[Checked] = ()) -> list[dict[str, Any]]:
        """A row a model and fault; a number that is not defined is None.

        The fast lane sees one sensor and does not claim to find drift or a moved zero: its flags there are chance.
        What ``pantau`` finds of them is what the neighbour check does.
        """
        return [
            _row(model, fault, Counts(*map(sum, zip(*found, strict=True))), checked)
            for (model, fault), found in sorted(self._counts.items(), key=self._place)
        ]

    @staticmethod
    def _place(entry: tuple[tuple[str, Fault], Any]) -> tuple[int, int]:
        model, fault = entry[0]
        return list(MODELS).index(model), -1 if fault == NONE else FAULTS.index(fault)


def _row(model: str, fault: Fault, total: Counts, checked: Sequence[Checked]) -> dict[str, Any]:
    pantau = model == PANTAU
    of_neighbours = figures(checked, fault if fault.name in PAIRED else None) if pantau else {}
    row: dict[str, Any] = {
        "model": model,
        "fault": fault.name,
        "size": None if fault == NONE else fault.size,
        "recall": _share(total.found, total.faults),
        "precision": _share(total.hits, total.hits + total.wrong),
        "flags_per_1000": _share(1_000 * total.flagged, total.clean),
        "rises_withheld": total.withheld,
        "faults": total.faults,
        "precision_strict": _share(total.hits, total.hits + total.flagged) if total.faults else None,
        "delay_h": None,
        "false_per_30d": None,
    }
    if pantau and fault.name in PAIRED:
        row |= of_neighbours | {"faults": of_neighbours["faults"] if checked else total.faults}
    elif pantau and fault == NONE:
        row["false_per_30d"] = of_neighbours["false_per_30d"]
    return row


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
