"""One step of the fast lane: ``Reading | Score | Tick | Command`` in, events out, the group's state changed in place.

Deterministic: the same inputs with the same ``now`` give the same events and the same state. No clock, no network, no
database; a failed commit is undone by reading the state back from the last snapshot and the journal.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from math import inf

import msgspec

from app.operator import apply_command
from app.outlooks import forecast_why
from app.state import GroupState, SensorState, sensor_key
from models.detector import Calm, Detector, Sample
from pantau.alert import FORECAST, AlertKey, AlertState, Occasion, note, operate, update
from pantau.city import City
from pantau.event import Command, Event, FlagRevised, Score, Tick, Transition
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.quality import FUTURE_MS, Limits, is_stale, judge, takes_ordinary
from pantau.reading import Flag, Reading
from pantau.station import Station

__all__ = ["LEVEL", "Context", "Fate", "Step"]

LEVEL = "level"
_REMIND_CADENCES = 1.5  # one cadence, and half of another for a device that is not punctual


class Fate:
    """What became of a reading.

    Stepped ones moved the state (a pending one waits for its successor), late, future and conflicting ones are only
    stored, a duplicate is stored already, an unknown one is of a station that left the city.
    """

    STEPPED, PENDING = "stepped", "pending"
    LATE, FUTURE, CONFLICT, UNKNOWN = "late", "future", "conflict", "unknown"
    DUPLICATE = "duplicate"


class Context(msgspec.Struct, gc=False):
    """What the city says about a station, looked up once; below ``edge`` lies no limit of the ladder.

    ``quiet_rise`` is the least of those of its fast detectors, 0 when one of them has none: it is always asked.
    ``calm`` has the fast detectors whose fresh state is quiet, with their ``quiet_rise``: they need no state before it.
    ``calmers`` are all of the fast lane that are ``Calm``, by name.
    """

    station: Station
    kind: Kind
    limits: Limits
    level: AlertKey
    fast: tuple[Detector, ...]
    quiet_rise: float = inf
    calm: Mapping[str, float] = {}
    calmers: Mapping[str, Calm] = {}
    ladder: Ladder | None = None
    ladder_source: str = ""
    edge: float = inf
    ladder_from: int = 0
    ladder_to: int = 0


class Step:
    """Judges inputs for one city.

    Args:
        city: its stations and ladders.
        detectors: all of them, by name; the fast ones run here, the slow ones' scores come back as inputs.
        slack_ms: of the clock: a reading is late only when it is older than its stale limit by more than this.

    Attributes:
        slack_ms: as given, until whoever has the clock says otherwise: an exercise may go on at another speed.
    """

    def __init__(self, city: City, detectors: Mapping[str, Detector], slack_ms: int = 0) -> None:
        self.slack_ms = slack_ms
        self.city = city
        self.detectors = detectors
        self.broken: Counter[str] = Counter()
        self._fast = [detector for detector in detectors.values() if detector.lane == "fast"]
        self._contexts: dict[str, Context] = {}
        self._limits: dict[Limits, Limits] = {}
        self._fast_of: dict[str, tuple[tuple[Detector, ...], float]] = {}
        # Asked once: to ask an object for a protocol costs more than to judge a reading.
        self._calmers: dict[str, Calm] = {one.name: one for one in self._fast if isinstance(one, Calm)}
        self._calm: dict[tuple[str, ...], Mapping[str, float]] = {}

    def group_of(self, scope: str) -> str:
        """Key of the state that a station or ``system:<peer>`` belongs to."""
        station = self.city.stations.get(scope)
        return station.group if station else "system"

    def reading(self, state: GroupState, reading: Reading, now: int, events: list[Event]) -> str:
        """Judge one reading; returns its ``Fate`` and leaves flag and reason on it."""
        sensor = self.sensor(state, reading.station, reading.sensor)
        return self.judge(state, sensor, self.context(reading.station), reading, now, events)

    def sensor(self, state: GroupState, station: str, name: str) -> SensorState:
        """State of a sensor, made when first needed."""
        key = sensor_key(station, name)
        found = state.sensors.get(key)
        if found is None:
            found = state.sensors[key] = SensorState(station, name)
        return found

    def judge(
        self, state: GroupState, sensor: SensorState, context: Context, reading: Reading, now: int,
        events: list[Event],
    ) -> str:  # fmt: skip
        """``reading`` for whoever has the sensor's state and its station's context at hand."""
        at = reading.observed_at
        if at - reading.received_at > FUTURE_MS:
            reading.flag = int(Flag.FAIL)
            ahead = (at - reading.received_at) / 60_000
            reading.reason = f"the device's clock is {ahead:.0f} min ahead of receipt: stored, never live"
            return Fate.FUTURE
        if reading.historical or at <= sensor.seen_at:
            return self._not_newer(sensor, reading, context.limits)
        sensor.seen_at, sensor.seen, sensor.stored = at, reading.value, reading.value
        past = sensor.past
        if takes_ordinary(past, reading, context.limits):
            # The ordinary day, which is nearly always: no limit near, nothing in force, nobody to be asked.
            if not (
                sensor.quiet
                and reading.value < context.edge
                and reading.value - past.track.floor < context.quiet_rise
                and context.ladder_from <= at < context.ladder_to
                and not state.alerts
            ):
                self._voices(state, sensor, context, reading, now, events, pending=False)
            return Fate.STEPPED
        pending, gap, revisions = judge(past, reading, context.limits)
        events.extend(
            FlagRevised(reading.station, reading.kind, reading.sensor, revision.observed_at, revision.value,
                        revision.received_at, revision.flag, revision.reason)
            for revision in revisions
        )  # fmt: skip
        if reading.flag == Flag.FAIL:
            return Fate.STEPPED
        if gap:
            for rung in sensor.rungs.values():
                rung.break_hold()
        self._voices(state, sensor, context, reading, now, events, pending=pending)
        return Fate.PENDING if pending else Fate.STEPPED

    def score(self, state: GroupState, score: Score, now: int, events: list[Event]) -> None:
        """Let a slow detector's score speak; shadow scores and unknown detectors open nothing."""
        detector = self.detectors.get(score.detector)
        if detector is None or score.shadow:
            return
        key = self._key(detector, score.station, score.sensor)
        rung = self.sensor(state, score.station, score.sensor).rung(detector.name)
        before = rung.severity
        if rung.climb(detector.ladder, score.score, score.at, pending=False):
            why: dict[str, object] = {
                "detector": score.detector,
                "version": score.version,
                "score": score.score,
                "reason": score.reason,
            }
            late = False
            station = self.city.stations.get(score.station)
            if key.cause == FORECAST and station is not None:
                why |= forecast_why(score, before, rung.severity, self.ladder(score.station, score.at))
                late = score.outlook is not None and is_stale(
                    score.at, now - self.slack_ms, station.cadence_ms
                )
            occasion = Occasion(
                at=score.at, now=now, sensor=score.sensor, value=score.value, why=why, late=late,
                out_of_service=key.station in state.out_of_service,
            )  # fmt: skip
            self.settle(state, key, occasion, events)

    def tick(self, state: GroupState, tick: Tick, now: int, events: list[Event]) -> None:
        """A timer came due: shelves end, unconfirmed alerts are told to the operators again."""
        for alert in state.alerts.values():
            occasion = Occasion(at=tick.due, now=now, late=alert.untold)
            if alert.shelved_until and alert.shelved_until <= tick.due:
                transition = operate(alert, "unshelve", occasion)
                if transition:
                    events.append(transition)
            if alert.remind_at and alert.remind_at <= tick.due:
                alert.remind_at = 0
                events.append(note(alert, "unconfirmed", alert.severity, occasion))

    def command(self, state: GroupState, command: Command, now: int, events: list[Event]) -> None:
        """Apply what an operator did; the answer is among the events."""
        apply_command(self, state, command, now, events)

    def settle(self, state: GroupState, key: AlertKey, occasion: Occasion, events: list[Event]) -> None:
        """Bring the alert of a key to what all its voices say now."""
        confirmed = tentative = 0
        for sensor in state.sensors.values():
            if sensor.station != key.scope:
                continue
            for name, rung in sensor.rungs.items():
                if rung.severity <= confirmed and rung.tentative <= tentative:
                    continue
                if self.voice_key(name, sensor) == key:
                    confirmed, tentative = max(confirmed, rung.severity), max(tentative, rung.tentative)
        text = str(key)
        muted = state.muted.get(text, 0)
        if muted:
            if confirmed == 0 and tentative == 0:
                del state.muted[text]
            confirmed = confirmed if confirmed > muted else 0
            tentative = tentative if tentative > muted else 0
        alert = state.alerts.get(text)
        untold = alert is not None and alert.untold
        alert, transitions = update(
            self.city.id, key, alert, confirmed, tentative if tentative > confirmed else 0, occasion,
            state.opened.get(text, 0),
        )  # fmt: skip
        if alert is not None:
            state.own().opened[text] = alert.opened_at
            if untold:
                _keep_silent(alert, transitions)
            state.alerts[text] = alert
            if alert.severity == 0 and alert.state == "normal":
                del state.alerts[text]
        events.extend(transitions)

    def voice_key(self, voice: str, sensor: SensorState) -> AlertKey | None:
        """The alert a voice speaks for."""
        if voice == LEVEL:
            return self.context(sensor.station).level if sensor.station in self.city.stations else None
        detector = self.detectors.get(voice)
        return None if detector is None else self._key(detector, sensor.station, sensor.sensor)

    def ladder(self, station: str, at: int) -> Ladder | None:
        """Limits in force at an instant."""
        return self._ladder(self.context(station), at)

    def _ladder(self, context: Context, at: int) -> Ladder | None:
        if not context.ladder_from <= at < context.ladder_to:
            self._find_ladder(context, at)
        return context.ladder

    def _not_newer(self, sensor: SensorState, reading: Reading, limits: Limits) -> str:
        if reading.observed_at == sensor.seen_at and not reading.historical:
            if reading.value in {sensor.seen, sensor.stored}:
                return Fate.DUPLICATE
            reading.flag = int(Flag.SUSPECT)
            reading.reason = f"conflicting duplicate: {sensor.stored:g} was sent for the same instant before"
            sensor.stored = reading.value
            return Fate.CONFLICT
        reading.flag = int(Flag.NOT_EVALUATED)
        reading.reason = (
            "sent as history" if reading.historical else "late: a newer reading was judged before it"
        )
        if not limits.low <= reading.value <= limits.high:
            reading.flag = int(Flag.FAIL)
            reading.reason = f"late, and outside the range {limits.low:g} to {limits.high:g}"
        return Fate.LATE

    def _voices(
        self, state: GroupState, sensor: SensorState, context: Context, reading: Reading, now: int,
        events: list[Event], *, pending: bool,
    ) -> None:  # fmt: skip
        """Let the level and the fast detectors speak about an accepted or pending reading."""
        at, value = reading.observed_at, reading.value
        ladder = self._ladder(context, at)
        if ladder is not None:
            sensor.laddered = True
            rung = sensor.rungs.get(LEVEL)
            # Below every limit with nothing in force nothing can change: the ordinary day, which is nearly always.
            if (
                value >= context.edge or (rung is not None and (rung.severity or rung.tentative))
            ) and sensor.rung(LEVEL).climb(ladder, value, at, pending=pending):
                occasion = self._occasion(state, context, reading, now, _level_why(context, ladder, reading))
                self.settle(state, context.level, occasion, events)
        for detector in context.fast:
            score = self._fast_score(detector, sensor, context, reading, pending=pending)
            if score is None:
                continue
            rung = sensor.rung(detector.name)
            if rung.climb(detector.ladder, score.score, at, pending=pending) and not detector.shadow:
                why = {"detector": score.detector, "version": score.version, "score": score.score,
                       "reason": score.reason, "flag": reading.flag}  # fmt: skip
                key = self._key(detector, reading.station, "")
                self.settle(state, key, self._occasion(state, context, reading, now, why), events)
        sensor.quiet = _is_quiet(sensor, context)
        if state.alerts and not is_stale(at, now - self.slack_ms, context.station.cadence_ms):
            self._retell(state, sensor, reading, now, events)

    def _fast_score(
        self, detector: Detector, sensor: SensorState, context: Context, reading: Reading, *, pending: bool
    ) -> Score | None:
        """A detector that raises is counted and left out of this reading; the ladder has spoken already."""
        try:
            part = sensor.fast.get(detector.name)
            if part is None:
                if _has_nothing_to_see(detector, sensor, context, reading):
                    return None
                part = detector.start(context.station, context.kind)
                sensor.keep_fast(detector.name, part)
            return detector.score([Sample(reading, sensor.past.track, pending, part)])[0]
        except Exception:  # noqa: BLE001 - any error of a plugin is the plugin's, never the river's
            self.broken[detector.name] += 1
            sensor.fast.pop(detector.name, None)
            return None

    def _retell(
        self, state: GroupState, sensor: SensorState, reading: Reading, now: int, events: list[Event]
    ) -> None:
        """A condition that a late reading raised still holds at a fresh one of the same sensor: now it is told."""
        for alert in state.alerts.values():
            if alert.untold and alert.is_open and self._holds(sensor, alert):
                alert.untold = False
                occasion = Occasion(
                    at=reading.observed_at, now=now, sensor=reading.sensor, value=reading.value
                )
                events.append(note(alert, "retold", alert.severity, occasion))

    def _holds(self, sensor: SensorState, alert: AlertState) -> bool:
        """Whether the sensor's newest reading stands for the alert itself, and not only the hold before a fall."""
        return any(
            max(rung.severity, rung.tentative) >= alert.severity
            and (rung.since is None or rung.since[alert.severity - 1] is None)
            for voice, rung in sensor.rungs.items()
            if self.voice_key(voice, sensor) == alert.key
        )

    def _occasion(
        self, state: GroupState, context: Context, reading: Reading, now: int, why: dict[str, object]
    ) -> Occasion:
        cadence = context.station.cadence_ms
        return Occasion(
            at=reading.observed_at, now=now, sensor=reading.sensor, value=reading.value, why=why,
            late=is_stale(reading.observed_at, now - self.slack_ms, cadence),
            by=reading.source.partition(":")[2], out_of_service=reading.station in state.out_of_service,
            remind_at=reading.observed_at + round(cadence * _REMIND_CADENCES),
        )  # fmt: skip

    def _key(self, detector: Detector, scope: str, sensor: str) -> AlertKey:
        station = self.city.stations.get(scope)
        hazard = detector.hazard or (station.hazard if station else "system")
        return AlertKey(scope, hazard, detector.cause or sensor, scope if station else "")

    def context(self, station_id: str) -> Context:
        """What the city says about a station of it."""
        context = self._contexts.get(station_id)
        if context is None:
            station = self.city.stations[station_id]
            kind = self.city.kinds[station.kind]
            fast, quiet_rise = self._fast_of.get(kind.name) or self._meet(kind)
            limits, calm = Limits.of(station, kind), _calm_at_first(fast, self._calmers, station, kind)
            context = self._contexts[station.id] = Context(
                station, kind, self._limits.setdefault(limits, limits),
                AlertKey(station.id, station.hazard, LEVEL, station.id), fast, quiet_rise,
                self._calm.setdefault(tuple(calm), calm), self._calmers,
            )  # fmt: skip
        return context

    def _meet(self, kind: Kind) -> tuple[tuple[Detector, ...], float]:
        """The fast detectors of a kind, and the least of their ``quiet_rise``."""
        fast = tuple(one for one in self._fast if not one.kinds or kind.name in one.kinds)
        rises = [self._calmers[one.name].quiet_rise if one.name in self._calmers else 0.0 for one in fast]
        self._fast_of[kind.name] = found = (fast, min(rises, default=inf))
        return found

    def _find_ladder(self, context: Context, at: int) -> None:
        """Cache the ladder in force at ``at`` with the span over which that answer holds."""
        context.ladder, context.ladder_from, context.ladder_to, context.edge = None, 0, 1 << 62, inf
        for dated in self.city.ladders.get(context.station.id, ()):
            if dated.valid_from <= at < dated.valid_to:
                context.ladder_source = dated.source
                context.ladder, context.ladder_from, context.ladder_to = (
                    dated.ladder,
                    dated.valid_from,
                    dated.valid_to,
                )
                context.edge = min((limit for limit in dated.ladder.limits if limit is not None), default=inf)
                return
            if dated.valid_to <= at:
                context.ladder_from = max(context.ladder_from, dated.valid_to)
            else:
                context.ladder_to = min(context.ladder_to, dated.valid_from)


def _calm_at_first(
    fast: Iterable[Detector], calmers: Mapping[str, Calm], station: Station, kind: Kind
) -> dict[str, float]:
    """Of detectors whose fresh state is quiet the rise; one that raises is asked each time, where it is counted."""
    rises = {}
    for detector in fast:
        with suppress(Exception):
            calm = calmers.get(detector.name)
            if calm is not None and calm.is_quiet(detector.start(station, kind)):
                rises[detector.name] = calm.quiet_rise
    return rises


def _has_nothing_to_see(detector: Detector, sensor: SensorState, context: Context, reading: Reading) -> bool:
    """Whether a detector that has no state yet would say nothing and leave a fresh one as it is (``Calm``)."""
    rise = context.calm.get(detector.name)
    return rise is not None and sensor.past.track.rises_less_than(rise, reading.value)


def _is_quiet(sensor: SensorState, context: Context) -> bool:
    """Whether neither the level nor a fast detector has anything in force or owed."""
    past = sensor.past
    if not past.track.rises_less_than(context.quiet_rise, past.value):  # this also finds the track's floor
        return False
    if context.ladder is not None and not sensor.laddered:
        return False
    rung = sensor.rungs.get(LEVEL)
    if rung is not None and (rung.severity or rung.tentative):
        return False
    fast = sensor.fast
    try:
        return all(
            detector.name in context.calmers and context.calmers[detector.name].is_quiet(fast[detector.name])
            if detector.name in fast
            else detector.name in context.calm
            for detector in context.fast
        )
    except Exception:  # noqa: BLE001 - a detector that raises is asked each time, where its errors are counted
        return False


def _keep_silent(alert: AlertState, transitions: Iterable[Transition]) -> None:
    """Who was not told of the beginning is not told of what follows, until it is news of its own."""
    for transition in transitions:
        worse = transition.what == "raised" and transition.severity > transition.previous
        if not transition.late and (worse or (transition.what == "confirmed" and transition.by)):
            alert.untold = alert.untold and not transition.confirmed
        else:
            transition.late = True


def _level_why(context: Context, ladder: Ladder, reading: Reading) -> dict[str, object]:
    # Of a crowd zone's limits the stricter counts, area or capacity: a person has to be told which.
    crowd = {"reason": context.ladder_source} if context.station.hazard == "density" else {}
    return crowd | {
        "limits": list(ladder.limits),
        "unit": context.kind.unit,
        "boundary": ">" if ladder.strict else ">=",
        "deadband": ladder.deadband,
        "hold_min": ladder.hold_ms / 60_000,
        "flag": reading.flag,
        "flag_reason": reading.reason,
    }
