"""Drift: readings and what the models said of them in, a score out when the models no longer see what they learnt from.

It watches only sensors that a live model has learnt from, answers once a day, and is asked after all other detectors,
because it watches what they say. Words and figures are those of ``models.drift``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import structlog

from models.artifact import shelves
from models.baseline import Days
from models.card import Card
from models.detector import Sample
from models.drift import Errors, Finding, Slow, Watched, error_of, of_errors, of_readings, of_share
from models.kept import read_back
from models.untimed import Untimed
from pantau.errors import ConfigError
from pantau.event import Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.reading import MAIN, Reading
from pantau.station import Station

__all__ = ["DETECTOR", "Drift"]

_log = structlog.get_logger("pantau.models")
_NO_KIND = frozenset({"none"})
_QUIET = 0.25
"""Below half of what opens an alert nothing is told but that all is well."""
_STRANGE = 0.5


class State(msgspec.Struct, array_like=True):
    """Of one sensor, at most about 700 bytes.

    Attributes:
        versions: of the live models that ``share`` and ``errors`` are about; with others they begin anew.
    """

    cadence_ms: int
    unit: str
    versions: tuple[str, str] = ("", "")
    days: Days = msgspec.field(default_factory=Days)
    share: Slow = msgspec.field(default_factory=Slow)
    errors: Errors = msgspec.field(default_factory=Errors)


class Drift(Untimed):
    """Slow lane, asked last; hazard ``data``, cause ``drift``.

    The score is the greatest of three, once a day::

        readings    min(1, w / 1.5)             w: widths that a two weeks' mean lies outside its band in training
        forest      min(1, share / 2 limit)     share of scores >= 0.5; limit: twice the highest of training, >= 0.1
        forecast    ((E+e) / (S+e) - 1) / 1.5   E, S: mean errors of the forecasts and of "no change"; e: the card's

    Source:
        docs/models.md, "Drift": false alerts and delays on seven gauges and nine counters.
    """

    name = "drift"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds: frozenset[str] = frozenset()
    hazard = "data"
    cause = "drift"
    ladder = Ladder(limits=(0.5, None, None), deadband=0.1)
    shadow = False
    last = True

    def __init__(self) -> None:
        self._forest: dict[str, Watched] = {}
        self._forecast: dict[str, Watched] = {}

    def configure(self, data: Path) -> None:
        """Read the cards of the live models in ``data/models``; what cannot be read is logged."""
        self._forest, self._forecast = {}, {}
        kinds = set()
        for shelf in shelves(data / "models"):
            try:
                version = shelf.current()
                card = None if version is None else shelf.card(version)
            except ConfigError as error:
                _log.warning("artifact left out", detector=self.name, family=shelf.family, name=shelf.name,
                             role="live", why=str(error))  # fmt: skip
                continue
            if card is not None:
                kinds.add(card.kind)
                self._watch(card)
        self.kinds = frozenset(kinds) or _NO_KIND

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state, which says nothing for two weeks."""
        return State(station.cadence_ms, kind.unit)

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Follow each reading; judge when a day has ended."""
        return [self._judge(sample) for sample in samples]

    def dump(self, state: State) -> bytes:
        """The state as msgpack."""
        return msgspec.msgpack.encode(state)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back; None for another version's or a broken one."""
        state = read_back(State, version, body, self.version)
        if state is None:
            return None
        state.cadence_ms, state.unit = station.cadence_ms, kind.unit
        return state

    def _watch(self, card: Card) -> None:
        """A gauge's own forecast knows it better than another's, of which it is an input."""
        model = f"{card.family}/{card.name}"
        lead = max(
            (int(name[4:-1]) for name in card.metrics if name.startswith("mae_") and name[4:-1].isdigit()),
            default=1,
        )
        for sensor in card.stations:
            known = Watched(
                model, card.version, card.inputs.get(sensor), card.shares.get(sensor, 0.0),
                error_of(card.metrics, (lead + 1) // 2 * 3_600_000),
            )  # fmt: skip
            if card.family == "forest":
                self._forest[sensor] = known
            elif sensor == card.name or sensor not in self._forecast:
                self._forecast[sensor] = known

    def _judge(self, sample: Sample) -> Score | None:
        reading, state = sample.reading, sample.state
        name = reading.station if reading.sensor == MAIN else f"{reading.station}/{reading.sensor}"
        forest, forecast = self._forest.get(name), self._forecast.get(name)
        if forest is None and forecast is None:
            return None
        versions = (forest.version if forest else "", forecast.version if forecast else "")
        if versions != state.versions:
            state.versions, state.share, state.errors = versions, Slow(), Errors()
        if not sample.pending:
            _follow(sample, state, forecast)
        if sample.pending or not state.days.add(reading.observed_at, reading.value):
            return None
        found = [of_readings(known, state.days, state.unit) for known in (forecast, forest) if known]
        found += [of_share(forest, state.share)] if forest else []
        found += [of_errors(forecast, state.errors, state.unit)] if forecast else []
        return self._answer(reading, max(found, key=lambda finding: finding.score))

    def _answer(self, reading: Reading, worst: Finding) -> Score:
        told = worst.score >= _QUIET
        return Score(
            reading.station, reading.sensor, self.name, self.version, reading.observed_at,
            worst.score if told else 0.0, worst.words if told else "like training (below 0.4 widths outside)",
            value=reading.value,
        )  # fmt: skip


def _follow(sample: Sample, state: State, forecast: Watched | None) -> None:
    """Take what the other detectors said of this reading."""
    reading = sample.reading
    strange = sample.said.get("forest")
    if strange is not None:
        state.share.add(reading.observed_at, float(strange.score >= _STRANGE))
    if forecast is None:
        return
    state.errors.came(reading.observed_at, reading.value, state.cadence_ms)
    said = sample.said.get("forecast")
    outlook = said.outlook if said is not None else None
    if outlook is not None and outlook.steps and outlook.version == forecast.version:
        state.errors.expect(outlook)


DETECTOR = Drift()
