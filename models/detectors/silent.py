"""Silent sensor: the times at which a sensor was heard in, a score of 1 out when it has not been for too long.

Missing is never "all clear": a sensor that stops is an alert of its own, of hazard ``data``, whose cause is the
sensor's name.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from models.detector import Sample
from models.kept import read_back
from pantau.event import Gone, Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

__all__ = ["DETECTOR", "Silent"]

MISSED = 3
"""So many cadences without a word are silence; the ten-minute gauges of a real network skip one reading in twenty."""
GRACE = 2
"""So many cadences after this service began to listen nothing is held against a sensor."""


class State(msgspec.Struct, array_like=True, gc=False):
    """Of one sensor; all instants in ms.

    Attributes:
        cadence_ms: the station's.
        heard: newest instant at which the sensor was certainly alive, 0 before the first reading.
        not_before: end of the start-up grace, learnt at the first tick that fell into it.
        silent: an alert was asked for and not yet taken back.
    """

    cadence_ms: int
    heard: int = 0
    not_before: int = 0
    silent: bool = False


class Silent:
    """Slow lane, every kind; ``score = 1`` at ``heard + 3 x cadence``, 0 when the sensor is heard again.

    ``heard`` is ``received_at``: a device that sends old readings late is alive. A retained message was kept by the
    broker, so it only proves that the sensor lived at ``observed_at``; a manual reading proves nothing about it. A
    sensor that never reported has no state here and is never alerted ("never reported" is what the page says).

    Cameras that publish only when the count changes are silent for hours at night: give such a station a long
    ``cadence_min`` in the city's folder.
    """

    name = "silent"
    version = "1"
    lane: Literal["fast", "slow"] = "slow"
    kinds: frozenset[str] = frozenset()
    hazard = "data"
    cause = ""
    ladder = Ladder(limits=(1.0, None, None))
    shadow = False
    everywhere = True

    def start(self, station: Station, kind: Kind) -> State:
        """A fresh state; it becomes due with the first reading."""
        del kind
        return State(cadence_ms=station.cadence_ms)

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        """Note that sensors were heard; says something only when one was silent."""
        return [self._hear(sample) for sample in samples]

    def _hear(self, sample: Sample) -> Score | None:
        reading, state = sample.reading, sample.state
        if reading.source != "device":
            return None
        alive = reading.observed_at if reading.retained else reading.received_at
        if alive <= state.heard:
            return None
        before, state.heard = state.heard, alive
        if not state.silent or reading.received_at >= self._limit(state):
            return None
        state.silent = False
        words = f"heard again after {_span(alive - before)}"
        return Score(
            reading.station, reading.sensor, self.name, self.version, alive, 0.0, words, value=reading.value
        )

    def due(self, state: State) -> int | None:
        """When silence begins; None while it is already told or nothing was ever heard."""
        return None if state.silent or state.heard == 0 else self._limit(state)

    def tick(
        self, state: State, station: Station, sensor: str, now: int, listening_since: int
    ) -> Score | None:
        """Judge the silence; ``at`` of the score is when it became one, however late this is called."""
        state.not_before = max(state.not_before, listening_since + GRACE * state.cadence_ms)
        due = self.due(state)
        if due is None or now < due:
            return None
        state.silent = True
        heard = datetime.fromtimestamp(state.heard / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
        silence, cadence = _span(due - state.heard), _span(state.cadence_ms)
        words = f"nothing heard for {silence} (since {heard}), expected every {cadence}"
        return Score(station.id, sensor, self.name, self.version, due, 1.0, words)

    def miss(self, state: State, gone: Gone) -> Score | None:
        """Silence at once, by the word of the gateway; None when the sensor was heard since, or is silent anyway."""
        if state.silent or state.heard == 0 or state.heard > gone.at:
            return None
        state.silent = True
        return Score(gone.station, gone.sensor, self.name, self.version, gone.at, 1.0, gone.reason)

    def dump(self, state: State) -> bytes:
        """The state as msgpack, about 25 bytes."""
        return msgspec.msgpack.encode(state)

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> State | None:
        """The state back with the station's present cadence; None for another version's or a broken one."""
        del kind
        state = read_back(State, version, body, self.version)
        if state is None:
            return None
        state.cadence_ms = station.cadence_ms
        return state

    def _limit(self, state: State) -> int:
        return int(max(state.heard + MISSED * state.cadence_ms, state.not_before))


def _span(ms: int) -> str:
    minutes = round(ms / 60_000)
    if minutes < 1:
        return f"{round(ms / 1000)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


DETECTOR = Silent()
