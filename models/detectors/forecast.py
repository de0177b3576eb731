"""Forecast: levels of a gauge and of those upstream in, an outlook and how severe it is out.

Every ten minutes a gauge gets an outlook: from its own trained model where one is promoted, else from the catalog's
travel times (``models.travel``). Its score is the highest severity above the present one that is likely enough, so a
forecast opens an alert of its own, which ends when it is overtaken (the level is there now, and speaks for itself) or
withdrawn (it is not likely any more).
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from models.artifact import shelves
from models.detector import Sample
from models.families import forecast_of
from models.forecast_words import reason_for
from models.forecaster import Forecaster, Levels, Made, Memory, Models, Plan
from models.kept import read_back
from models.loaded import Role, loaded
from models.margins import Margins
from models.recent import Recent
from models.trained_outlook import Cut
from pantau.city import City
from pantau.errors import ConfigError
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder, Rung
from pantau.outlook import Crossing
from pantau.reading import MAIN
from pantau.station import Station

__all__ = ["CADENCE_MS", "CUT", "DETECTOR", "ForecastDetector"]

CADENCE_MS = 600_000
"""A station's outlooks are at least so far apart in event time, unless the present one has been overtaken."""
RENEW_MS = 1_200_000
"""The outlook of a calm gauge where nothing moves stands for so long; it is shown as out of date ten minutes later."""
_CALM = 0.02
"""A gauge is calm while no limit has more than this part of the probability from which on it is told."""
CUT = Cut(open=0.5, close=0.3)
"""A severity is told from one probability on and stays until it is below the other, where no trained model says it.

Source:
    Ciliwung 2022-2024, hourly: 0.5 is where the expected course reaches the limit, as in the operators' rule.
"""
_STEP = 0.25
"""Score of each severity: 0.25, 0.5, 0.75."""
_HIGHEST = 1e7
_FAMILY = "forecast"


class State(msgspec.Struct):
    """Of one gauge.

    Attributes:
        memory: levels, and how wide its bands have to be.
        rung: where its level stands on its own ladder.
        held_at, held: a jump that waits for its successor; instant 0: none.
        issued_at: of the last outlook, ms.
        until: when that outlook's last step has passed, ms.
        told: severity that is forecast at present.
        calm: no limit above it was anywhere near likely when the last outlook was made.
    """

    memory: Memory
    rung: Rung = msgspec.field(default_factory=Rung)
    held_at: int = 0
    held: float = 0.0
    issued_at: int = 0
    until: int = 0
    told: int = 0
    calm: bool = False

    @property
    def recent(self) -> Recent:
        """Its levels."""
        return self.memory.recent


class _Kept(msgspec.Struct, array_like=True):
    """``State`` as it is kept, at most about 7.5 kB; ``steps`` are the times since the level before."""

    steps: list[int]
    values: list[float]
    margins: Margins
    conformal: bytes
    rung: Rung
    held_at: int
    held: float
    issued_at: int
    until: int
    told: int
    calm: bool = False


class ForecastDetector:
    """Slow lane, ``water_level``; cause ``forecast``.

    ``score = 0.25 severity``, where severity is the highest above the one in force whose limit is reached within the
    outlook's horizon with a probability of at least its cut; 0 when there is none.

    A jump that quality control holds as pending is not used before its successor stands by it, unless it leads to a
    level that water seen upstream explains. Only sensor ``main`` is forecast.

    Args:
        name: of the detector; the challenger has another.
        shadow: its scores open no alert and its outlooks are not kept.
    """

    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds = frozenset({"water_level"})
    hazard = ""
    cause = "forecast"
    ladder = Ladder(limits=(_STEP, 2 * _STEP, 3 * _STEP), deadband=0.1)

    def __init__(self, name: str = "forecast", *, shadow: bool = False) -> None:
        self.name = name
        self.shadow = shadow
        self._models = Models({}, {})
        self._forecaster: Forecaster | None = None

    def configure(self, data: Path) -> None:
        """Load the promoted models in ``data/models/forecast``; what cannot be used is logged."""
        self._load(data, "live")

    def challenger(self, data: Path) -> "ForecastDetector | None":
        """The same with the models on trial, in shadow; None when there are none."""
        rival = ForecastDetector(f"{self.name}_challenger", shadow=True)
        rival._load(data, "challenger")
        return rival if rival._models.usable else None

    def of(self, city: City) -> "ForecastDetector":
        """A copy that knows the city's links, ladders and stations; without a city nothing is forecast."""
        mine = ForecastDetector(self.name, shadow=self.shadow)
        mine._models = self._models
        mine._forecaster = Forecaster(city, self._models, self.kinds)
        return mine

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state, with wide margins."""
        del kind
        return State(self._memory(station.id, Recent()))

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Judge each sample in order."""
        return [self._judge(sample) for sample in samples]

    def due(self, state: State) -> int | None:
        """When a forecast that opened an alert is of the past."""
        return state.until if state.told else None

    def tick(
        self, state: State, station: Station, sensor: str, now: int, listening_since: int
    ) -> Score | None:
        """The gauge has been silent for the whole horizon: its forecast is over, and says nothing of the present."""
        del listening_since
        if not state.told or now < state.until:
            return None
        hours = (state.until - state.issued_at) / 3_600_000
        state.told = 0
        words = (
            f"ended: no reading for {hours:.1f} h, so nothing is forecast any more; the level is not known"
        )
        return Score(station.id, sensor, self.name, self.version, state.until, 0.0, words, self.shadow)

    def dump(self, state: State) -> bytes:
        """As msgpack."""
        memory, times = state.memory, state.recent.times
        steps = [now - before for before, now in zip([0, *times], times, strict=False)]
        kept = _Kept(
            steps, state.recent.values, memory.margins, msgspec.msgpack.encode(memory.conformal), state.rung,
            state.held_at, state.held, state.issued_at, state.until, state.told, state.calm,
        )  # fmt: skip
        return msgspec.msgpack.encode(kept)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one. Margins begin anew when links or model change."""
        del kind
        kept = read_back(_Kept, version, body, self.version)
        if kept is None:
            return None
        if len(kept.steps) != len(kept.values) or any(step <= 0 for step in kept.steps):
            return None
        recent = Recent(list(accumulate(kept.steps)), kept.values)
        memory = self._memory(station.id, recent, kept.margins, kept.conformal)
        return State(
            memory, kept.rung, kept.held_at, kept.held, kept.issued_at, kept.until, kept.told, kept.calm
        )

    def _memory(
        self, station: str, recent: Recent, margins: Margins | None = None, conformal: bytes = b""
    ) -> Memory:
        plan = self._plan(station)
        return Memory(recent, Margins(b"")) if plan is None else plan.memory(recent, margins, conformal)

    def _load(self, data: Path, role: Role) -> None:
        folder = data / "models"
        usable = loaded(folder, _FAMILY, role, forecast_of, self.name)
        broken = {}
        for shelf in shelves(folder, _FAMILY) if role == "live" else ():
            try:
                is_broken = shelf.name not in usable and shelf.current() is not None
            except ConfigError:
                is_broken = True
            if is_broken:
                broken[shelf.name] = "its trained model cannot be used (see the log)"
        self._models = Models(usable, broken, alone=role == "challenger")

    def _plan(self, station: str) -> Plan | None:
        return None if self._forecaster is None else self._forecaster.plan(station)

    def _judge(self, sample: Sample) -> Score | None:
        reading, state = sample.reading, sample.state
        plan, forecaster = self._plan(reading.station), self._forecaster
        if plan is None or forecaster is None or reading.sensor != MAIN:
            return None
        at, value = reading.observed_at, min(_HIGHEST, max(-_HIGHEST, reading.value))
        if not _accepts(sample, plan, forecaster, at, value):
            return None
        state.recent.add(at, value)
        ladder = forecaster.city.ladder_at(reading.station, at)
        if ladder is not None:
            state.rung.climb(ladder, value, at, pending=False)
        state.memory.margins.learn(at, value, plan.leads)
        if state.memory.conformal is not None:
            state.memory.conformal.observe(at, value, plan.station.cadence_ms // 2)
        if not _is_due(sample, plan, forecaster):
            return None
        made = forecaster.outlook(plan, state.memory, at, _levels(sample))
        return None if made is None else self._answer(sample, plan, forecaster.city, made)

    def _answer(self, sample: Sample, plan: Plan, city: City, made: Made) -> Score:
        reading, state, outlook = sample.reading, sample.state, made.outlook
        before = state.told
        state.issued_at, state.until = outlook.issued_at, outlook.steps[-1].at
        state.told = _severity(outlook.crossings, state.rung.severity, before, made.cuts)
        severities = (before, state.told, state.rung.severity)
        state.calm = all(
            crossing.probability <= _CALM * made.cuts.get(crossing.severity, CUT).open
            for crossing in outlook.crossings
        )
        words = reason_for(made, severities, plan, city, _levels(sample))
        outlook = replace(outlook, reason=words)
        version = f"{self.version}+{outlook.model}-{outlook.version}"
        return Score(
            reading.station, reading.sensor, self.name, version, reading.observed_at, _STEP * state.told, words,
            self.shadow, reading.value, outlook,
        )  # fmt: skip


def _levels(sample: Sample) -> Levels:
    def levels(station: str) -> Recent | None:
        state = sample.peers(station)
        return None if state is None else state.recent

    return levels


def _is_due(sample: Sample, plan: Plan, forecaster: Forecaster) -> bool:
    """Whether a reading that was taken in gets an outlook."""
    state, at = sample.state, sample.reading.observed_at
    if 0 < state.told <= state.rung.severity:  # overtaken
        return True
    age = at - state.issued_at
    if age < CADENCE_MS or age >= RENEW_MS or not state.calm or state.rung.severity:
        return bool(age >= CADENCE_MS)
    return state.memory.is_owed(at, plan.leads) or not forecaster.is_still(
        plan, state.recent, state.issued_at, at, _levels(sample)
    )


def _accepts(sample: Sample, plan: Plan, forecaster: Forecaster, at: int, value: float) -> bool:
    """Whether a level is used now; settles the jump before it."""
    state = sample.state
    if state.held_at:
        known = state.recent.values
        if not known or abs(value - state.held) <= abs(value - known[-1]):
            state.recent.add(state.held_at, state.held)
        state.held_at = 0
    if not sample.pending or forecaster.explains(plan, state.recent, at, value, _levels(sample)):
        return True
    state.held_at, state.held = at, value
    return False


def _severity(found: Sequence[Crossing], present: int, before: int, cuts: Mapping[int, Cut]) -> int:
    """The highest severity above the present one that is likely enough; one that was told stays a little longer."""
    for crossing in reversed(found):
        cut = cuts.get(crossing.severity, CUT)
        enough = cut.close if crossing.severity <= before else cut.open
        if crossing.severity > present and crossing.probability >= enough:
            return crossing.severity
    return 0


DETECTOR = ForecastDetector()
