"""What tests of detectors share: stations, a run over a series, and a forest that has learnt something."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np

from models.all import detectors
from models.card import Note
from models.detector import Detector, Sample
from models.detectors.drift import Drift
from models.detectors.forest import Forest
from models.families import opened
from models.train import keep, series_of, train
from pantau import registry
from pantau.city import City
from pantau.event import Score
from pantau.kind import Kind
from pantau.reading import Reading
from pantau.station import Station
from pantau.track import Track

__all__ = ["KINDS", "MIN", "T0", "Runner", "city_of", "forest_data", "judged_kinds", "subjects", "tide"]

MIN = 60_000
T0 = 1_767_225_600_000  # 2026-01-01T00:00:00Z
KINDS: dict[str, Kind] = registry.find("pantau.kinds", "KIND", Kind, "name")


def city_of(*stations: Station) -> City:
    """A city that has these stations and nothing else."""
    words = ("", "", "", "")
    return City(
        id="uji", name="Uji", timezone="Asia/Jakarta", languages=("id",), label={"id": words}, advice={"id": words},
        emergency_number="112", kinds=KINDS, stations={station.id: station for station in stations}, ladders={},
        links=(), warns={}, areas={}, rivers={}, bindings=(), recipients=(),
    )  # fmt: skip


def tide(days: float, *, every_ms: int = 10 * MIN, seed: int = 1) -> list[tuple[int, float]]:
    """A calm level with a daily wave and a little noise."""
    noise = np.random.default_rng(seed)
    times = [T0 + step * every_ms for step in range(round(days * 86_400_000 / every_ms))]
    return [(at, 100 + 20 * float(np.sin(at / 13_000_000)) + float(noise.normal())) for at in times]


@cache
def forest_data(trees: int = 5) -> Path:
    """A data folder with a promoted artifact of every kind; made once a run, from a seed.

    A few trees are fast, enough of them are right.
    """
    data = Path(mkdtemp(prefix="pantau-artifacts-"))
    history = {"uji-1": series_of(*map(list, zip(*tide(40), strict=True)))}
    for kind in KINDS:
        made = train(kind, history, {"n_estimators": trees, "max_samples": 64, "random_state": 1})
        keep(made, data / "models").promote(made.card.version, opened, Note(T0))
    return data


@cache
def subjects() -> dict[str, Detector]:
    """Every detector; the forest with an artifact, for without one it says nothing."""
    forest, drift = Forest(), Drift()
    for detector in (forest, drift):
        detector.configure(forest_data())
    return {**detectors(), forest.name: forest, drift.name: drift}


def judged_kinds(detector: Detector) -> list[str]:
    """Names of the kinds a detector judges."""
    return sorted(detector.kinds or KINDS)


class Runner:
    """One detector on one sensor, fed by hand."""

    def __init__(self, detector: Detector, kind: str = "water_level", *, cadence_ms: int = 10 * MIN) -> None:
        self.detector = detector
        self.kind = KINDS[kind]
        self.station = Station(
            id="uji-1", name="Uji 1", kind=kind, hazard="flood", group="uji", cadence_ms=cadence_ms
        )
        self.state: Any = detector.start(self.station, self.kind)
        self.track = Track()

    def read(self, at: int, value: float, *, pending: bool = False, **more: Any) -> Score | None:
        """Judge one reading, received when it was observed unless ``more`` (fields of it) tells otherwise."""
        if not pending:
            self.track.add(at, value)
        more.setdefault("received_at", at)
        reading = Reading(self.station.id, self.kind.name, value, at, **more)
        return self.detector.score([Sample(reading, self.track, pending, self.state)])[0]

    def run(self, series: Iterable[tuple[int, float]]) -> list[Score | None]:
        """Judge a series; time passes up to each reading first."""
        answers: list[Score | None] = []
        for at, value in series:
            due = self.detector.due(self.state)
            if due is not None and due <= at:
                answers.append(self.tick(at))
            answers.append(self.read(at, value))
        return answers

    def tick(self, now: int, listening_since: int = 0) -> Score | None:
        """Let time pass."""
        return self.detector.tick(self.state, self.station, "main", now, listening_since)

    def reload(self) -> None:
        """Put the state away and take it back."""
        body = self.detector.dump(self.state)
        self.state = self.detector.load(self.detector.version, body, self.station, self.kind)
