"""Forest: readings in, a score out of how easily an isolation forest sets them apart from what it learnt.

It looks at several features at once (``models.features``), so it notices combinations that no single rule names. On
public benchmarks it is no better than the rules, so it runs in shadow: its scores are shown, it opens no alert.
A challenger is the same detector under another name, with the model that is on trial.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from models import features
from models.card import Stored
from models.detector import Sample
from models.families import Estimator, forest_of
from models.kept import read_back
from models.loaded import Role, loaded
from models.untimed import Untimed
from pantau.errors import ConfigError
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

if TYPE_CHECKING:
    from models.scale import Scale

__all__ = ["DETECTOR", "Forest"]

_NO_KIND = frozenset({"none"})


class State(msgspec.Struct, array_like=True):
    """Of one sensor: the window of readings, at most ``features.WINDOW``."""

    cadence_ms: int
    at: int = 0
    values: list[float] = msgspec.field(default_factory=list)


class _Live(msgspec.Struct, frozen=True):
    """The artifact of a kind, ready to score."""

    version: str
    model: Estimator
    scale: "Scale"


class Forest(Untimed):
    """Slow lane, every kind that has a promoted artifact; cause ``anomaly``, in shadow.

    With ``r`` the isolation forest's anomaly score (0.5 ordinary .. 1 alone), the score is piecewise linear in ``r``:
    0 at the 90 %, 0.5 at the 99 % and 1 at the 99.9 % quantile of the training readings. Until ``pantau train`` has
    made an artifact it says nothing.

    Source:
        Liu, Ting, Zhou: Isolation Forest, ICDM 2008. scikit-learn's estimator.
    """

    name = "forest"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds: frozenset[str] = frozenset()
    hazard = ""
    cause = "anomaly"
    ladder = Ladder(limits=(0.5, 1.0, None), deadband=0.2, hold_ms=1_800_000)
    shadow = True
    whole_batch = True
    """One call of the model costs milliseconds, however many rows it is given (``models.lane``)."""

    def __init__(self, role: Role = "live") -> None:
        self._role = role
        self._live: dict[str, _Live] = {}
        if role == "challenger":
            self.name = f"{Forest.name}_challenger"

    def configure(self, data: Path) -> None:
        """Load the promoted artifact of every kind in ``data/models``; what cannot be used is logged."""
        found = loaded(data / "models", "forest", self._role, _live, self.name)
        self._live = {kind: one.model for kind, one in found.items()}
        self.kinds = frozenset(self._live) or _NO_KIND  # no window is kept for what nobody can judge

    def challenger(self, data: Path) -> "Forest | None":
        """The same with the versions that are on trial beside the live ones; None when none is."""
        rival = Forest("challenger")
        rival.configure(data)
        return rival if rival._live else None

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state; nothing is said before a whole window of readings."""
        del kind
        return State(cadence_ms=station.cadence_ms)

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Judge a batch with one call of the model for each kind."""
        answers: list[Score | None] = [None] * len(samples)
        rows: dict[str, list[tuple[int, tuple[float, ...]]]] = {}
        for index, sample in enumerate(samples):
            row = _remember(sample) if sample.reading.kind in self._live else None
            if row is not None:
                rows.setdefault(sample.reading.kind, []).append((index, row))
        for kind, found in rows.items():
            live = self._live[kind]
            scores = live.scale.of(-live.model.score_samples([row for _, row in found]))
            for (index, row), score in zip(found, scores.tolist(), strict=True):
                answers[index] = self._answer(samples[index], live, row, score)
        return answers

    def _answer(self, sample: Sample, live: _Live, row: tuple[float, ...], score: float) -> Score:
        reading = sample.reading
        words = (
            f"unlike {live.version}'s training: {row[0]:+.6g} off the median of {features.WINDOW} readings, "
            f"{row[1]:+.6g} since the last, {row[3]:+.6g} over six"
        )
        return Score(
            reading.station, reading.sensor, self.name, f"{self.version}+{live.version}", reading.observed_at, score,
            words if score > 0 else "like its training", self.shadow, reading.value,
        )  # fmt: skip

    def dump(self, state: State) -> bytes:
        """The window as msgpack, about 130 bytes."""
        return msgspec.msgpack.encode(state)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The window back; None for another version's or a broken one."""
        del kind
        state = read_back(State, version, body, self.version)
        if state is None:
            return None
        state.cadence_ms = station.cadence_ms
        return state if len(state.values) <= features.WINDOW else None


def _remember(sample: Sample) -> tuple[float, ...] | None:
    """Take a reading into the window; its features once the window is whole."""
    state, at = sample.state, sample.reading.observed_at
    if at - state.at > features.GAP_CADENCES * state.cadence_ms:
        state.values.clear()
    state.at = at
    state.values.append(features.clamp(sample.reading.value))
    if len(state.values) > features.WINDOW:
        del state.values[0]
    return features.row(state.values, at) if len(state.values) == features.WINDOW else None


def _live(stored: Stored) -> _Live:
    from models.isolation import quick  # noqa: PLC0415 - numpy only for those who have an artifact
    from models.scale import Scale  # noqa: PLC0415 - (the same)

    model = quick(forest_of(stored), len(features.NAMES))
    try:
        scale = Scale(stored.card.quantiles)
    except KeyError as error:
        raise ConfigError(f"{stored.path}/card.json: quantile {error} is missing; {stored.again}") from None
    return _Live(stored.card.version, model, scale)


DETECTOR = Forest()
