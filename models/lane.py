"""The slow lane: stepped readings in, scores out, with every slow detector's state for every sensor in between.

Pure of I/O: ``app`` reads the journal, hands batches over, and keeps what ``dump_changed`` gives. The same readings
give the same scores, however they are cut into batches.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from sys import intern

import structlog

from models.detector import NOTHING_SAID, Detector, DetectorState, Local, Misses, Sample
from models.guard import checked, checked_one
from models.memory import SELF, Part, Sensor
from models.metrics import LEFT_OUT
from models.role import MOST_STATIONS, Role
from models.timers import Timers
from pantau.city import City
from pantau.event import Gone, Score
from pantau.reading import MAIN, Reading

__all__ = ["SlowLane", "StateRow"]

_log = structlog.get_logger("pantau.models")

Key = tuple[str, str]
StateRow = tuple[str, str, str, str, bytes]


class SlowLane:
    """Runs the slow detectors.

    Args:
        city: for stations and kinds.
        detectors: by name; those of the fast lane are left out.
        slack: tells for each batch how long (ms) a message may travel on the service's clock without its sensor being
            called silent: an exercise may go on at another speed.
        most: stations, the first of the city's list, that every detector follows; of the others only those that are
            ``everywhere``, which is silence.
        errors: where they are counted, if somebody looks on.

    Attributes:
        errors: how often each detector raised or broke its contract; ``app`` makes an alert of it.
    """

    def __init__(
        self, city: City, detectors: Mapping[str, Detector], slack: Callable[[], int] = lambda: 0,
        most: int = MOST_STATIONS, errors: Counter[str] | None = None,
    ) -> None:  # fmt: skip
        self._slack, self._slack_ms = slack, 0
        self._city = city
        self._detectors = {
            name: d.of(city) if isinstance(d, Local) else d
            for name, d in sorted(detectors.items())
            if d.lane == "slow"
        }
        roles = [Role.of(d, partial(self._peer, name)) for name, d in self._detectors.items()]
        self._roles = sorted(roles, key=lambda role: role.last)
        self._overseen = any(
            role.last and not role.detector.kinds.isdisjoint(city.kinds) for role in self._roles
        )
        self._answers: dict[tuple[Key, int], dict[str, Score]] = {}
        stations = list(city.stations)
        self._left_out = frozenset(stations[most:])
        LEFT_OUT.set(len(self._left_out))
        self._sensors: dict[Key, Sensor] = {}
        self._timers = Timers()
        self._changed: set[Key] = set()
        self._saving: set[Key] = set()
        self.errors: Counter[str] = Counter() if errors is None else errors

    def take(self, readings: Sequence[tuple[Reading, bool]], now: int, listening_since: int) -> list[Score]:
        """Judge a batch.

        Args:
            readings: stepped ones with usable values (no FAIL, none that was only stored), each with whether it is a
                jump still to be confirmed; of one sensor in the order of ``observed_at``.
            now: of the batch, ms.
            listening_since: when this service began to listen, ms.

        Returns:
            Scores that differ from the last one told of the same sensor and detector.
        """
        del now  # a reading brings the time up to which its sensor was silent: its own receipt
        samples: list[tuple[Key, Sample]] = []
        for reading, pending in readings:
            key = (reading.station, reading.sensor)
            sensor = self._sensors.get(key) or self._meet(key)
            if sensor is None:
                continue
            self._changed.add(key)
            if sensor.holds(reading, pending=pending):
                continue  # a burst goes on: its timer is put off when it comes due
            samples += [(key, sample) for sample in sensor.follow(reading, pending=pending)]
            self._timers.set((*key, SELF), sensor.flush_at)
        return self._judge(samples, listening_since)

    def miss(self, gone: Sequence[Gone], listening_since: int) -> list[Score]:
        """Sensors that are away by their gateway's own word: what detectors that care for silence say at once."""
        scores: list[Score] = []
        for one in gone:
            key = (one.station, one.sensor)
            sensor = self._sensors.get(key)
            if sensor is None:
                continue
            # What is held of a burst was heard before: it must neither be overlooked nor bring the sensor back later.
            scores += self._judge([(key, sample) for sample in sensor.flush()], listening_since)
            self._timers.set((*key, SELF), None)
            for name, part in sorted(sensor.parts.items()):
                detector = self._detectors[name]
                if not isinstance(detector, Misses):
                    continue
                self._changed.add(key)
                with self._guarded(name, [key]):
                    answer = detector.miss(part.state, one)
                    self._wait(key, name, part, detector.due(part.state))
                    if answer is not None and part.speaks(detector, answer, self._sensors[key].hold_gap_ms):
                        scores.append(answer)
        return scores

    def ticks(self, now: int, listening_since: int) -> list[Score]:
        """Let time pass up to ``now``: scores of those that were waiting for it, in order of their due times."""
        scores: list[Score] = []
        while (timer := self._timers.pop(now)) is not None:
            key, name = timer[:2], timer[2]
            self._changed.add(key)
            if name == SELF and (due := self._sensors[key].flush_at) is not None and due > now:
                self._timers.set(timer, due)
            elif name == SELF:  # the last reading of a burst
                scores += self._judge(
                    [(key, sample) for sample in self._sensors[key].flush()], listening_since
                )
            else:
                if (part := self._sensors[key].parts.get(name)) is not None:
                    part.waits = None  # its timer has just been taken out
                scores += self._pass_time(key, name, now, listening_since)
        return scores

    def next_due(self) -> int | None:
        """When ``ticks`` will have something to do next, ms; None while nothing waits for time."""
        return self._timers.next_due()

    def begin_save(self) -> None:
        """From here on ``dump_some`` gives what has changed until now."""
        self._saving |= self._changed
        self._changed.clear()

    def dump_some(self, limit: int) -> list[StateRow]:
        """States of at most so many sensors of those that had changed when the save began, as they are now."""
        keys = [self._saving.pop() for _ in range(min(limit, len(self._saving)))]
        return self._dump(keys)

    @property
    def saving(self) -> bool:
        """Whether ``dump_some`` has more to give."""
        return bool(self._saving)

    def dump_changed(self) -> list[StateRow]:
        """Rows (station, sensor, detector, version, body) that changed since they were given last, for ``restore``."""
        keys = sorted(self._changed | self._saving)
        self._changed.clear()
        self._saving.clear()
        return self._dump(keys)

    def _dump(self, keys: Iterable[Key]) -> list[StateRow]:
        rows: list[StateRow] = []
        for key in keys:
            sensor = self._sensors[key]
            rows += [(*key, SELF, sensor.version, body) for body in sensor.dump_changed()]
            for name, part in sorted(sensor.parts.items()):
                detector = self._detectors[name]
                with self._guarded(name, [key]):
                    rows += [(*key, name, detector.version, body) for body in part.dump_changed(detector)]
        return rows

    def restore(self, rows: Iterable[StateRow]) -> list[tuple[str, str, str]]:
        """Put states back; call before the first batch.

        Returns:
            (station, sensor, detector) of states that could not be used and start afresh, warming up. Rows of
            stations or detectors that are no more are passed over.
        """
        fresh: list[tuple[str, str, str]] = []
        for station, sensor, name, version, body in rows:
            key = (station, sensor)
            found = self._sensors.get(key) or self._meet(key)
            if found is None or not (name == SELF or name in self._detectors):
                continue
            if not (found.load(version, body) if name == SELF else self._load(key, name, version, body)):
                fresh.append((station, sensor, name))
            if name == SELF:
                self._timers.set((*key, SELF), found.flush_at)
        return fresh

    def _meet(self, key: Key) -> Sensor | None:
        """A sensor heard of for the first time; None when its station is not in the city."""
        station = self._city.stations.get(key[0])
        if station is None:
            return None
        key = (station.id, intern(key[1]))
        sensor = self._sensors[key] = Sensor(station, self._city.kinds[station.kind])
        return sensor

    def _judge(self, samples: Sequence[tuple[Key, Sample]], listening_since: int) -> list[Score]:
        """Let every detector that judges their kinds speak about samples."""
        told: list[Score] = []
        self._answers.clear()
        self._slack_ms = self._slack()
        out = self._left_out
        for role in self._roles:
            kinds, everywhere = role.detector.kinds, role.everywhere or not out
            meant = [
                entry
                for entry in samples
                if (not kinds or entry[1].reading.kind in kinds) and (everywhere or entry[0][0] not in out)
            ]
            if role.whole:
                self._ask_all(role, meant, told)
                continue
            for key, sample in meant:  # one by one: an error costs only this sensor's state
                self._ask(role, key, sample, listening_since, told)
        return told

    def _ask(self, role: Role, key: Key, sample: Sample, listening_since: int, told: list[Score]) -> None:
        """What one detector says of one sample; this is what the slow lane costs."""
        detector, name, reading = role.detector, role.detector.name, sample.reading
        if role.timed and name in self._sensors[key].parts:
            told += self._pass_time(key, name, reading.received_at - self._slack_ms, listening_since)
        try:
            part = self._part(key, detector)
            said = self._answers.get((key, reading.observed_at), NOTHING_SAID) if role.last else NOTHING_SAID
            asked = Sample(reading, sample.track, sample.pending, part.state, role.peers, said)
            answer = checked_one(detector, detector.score((asked,)))
            if role.timed:
                self._wait(key, name, part, detector.due(part.state))
            if answer is not None:
                self._hear(detector, part, key, reading, answer, told)
        except Exception as error:  # noqa: BLE001 - any error of a plugin is its own, never the river's
            self._failed(name, [key], error)

    def _ask_all(self, role: Role, samples: Sequence[tuple[Key, Sample]], told: list[Score]) -> None:
        """One call of a detector for a whole batch."""
        if not samples:
            return
        detector = role.detector
        with self._guarded(detector.name, [key for key, _ in samples]):
            parts = [self._part(key, detector) for key, _ in samples]
            asked = [
                entry[1]._replace(state=part.state, peers=role.peers)
                for entry, part in zip(samples, parts, strict=True)
            ]
            answers = checked(detector, detector.score(asked), len(asked))
            for answer, part, (key, sample) in zip(answers, parts, samples, strict=True):
                self._wait(key, detector.name, part, detector.due(part.state))
                if answer is not None:
                    self._hear(detector, part, key, sample.reading, answer, told)

    def _hear(
        self, detector: Detector, part: Part, key: Key, reading: Reading, answer: Score, told: list[Score]
    ) -> None:
        """Note an answer, and tell it if it is news."""
        if self._overseen:
            self._answers.setdefault((key, reading.observed_at), {})[detector.name] = answer
        if part.speaks(detector, answer, self._sensors[key].hold_gap_ms):
            told.append(answer)

    def _wait(self, key: Key, name: str, part: Part, due: int | None) -> None:
        """Set a detector's timer, if it is to be moved."""
        if due != part.waits:
            part.waits = due
            self._timers.set((*key, name), due)

    def _pass_time(self, key: Key, name: str, now: int, listening_since: int) -> list[Score]:
        """Call ``tick`` when the detector wants it by now; what it says that is news."""
        sensor, detector = self._sensors[key], self._detectors[name]
        part = sensor.parts.get(name)
        told: list[Score] = []
        if part is None:
            return told
        with self._guarded(name, [key]):
            due = detector.due(part.state)
            if due is not None and due <= now:
                answer = detector.tick(part.state, sensor.station, key[1], now, listening_since)
                answer = checked_one(detector, [answer])
                if answer is not None and part.speaks(detector, answer, sensor.hold_gap_ms):
                    told.append(answer)
                due = detector.due(part.state)
                if due is not None and due <= now:  # it is still waiting: asked again one cadence later
                    due = now + sensor.station.cadence_ms
            self._wait(key, name, part, due)
        return told

    def _part(self, key: Key, detector: Detector) -> Part:
        sensor = self._sensors[key]
        part = sensor.parts.get(detector.name)
        if part is None:
            part = sensor.parts[detector.name] = Part(detector.start(sensor.station, sensor.kind))
        return part

    def _peer(self, name: str, station: str) -> DetectorState:
        sensor = self._sensors.get((station, MAIN))
        part = None if sensor is None else sensor.parts.get(name)
        return None if part is None else part.state

    def _load(self, key: Key, name: str, version: str, body: bytes) -> bool:
        sensor, detector = self._sensors[key], self._detectors[name]
        with self._guarded(name, [key]):
            part = Part.load(detector, version, body, sensor)
            if part is not None:
                self._wait(key, name, part, detector.due(part.state))
                sensor.parts[name] = part
        return name in sensor.parts

    @contextmanager
    def _guarded(self, name: str, keys: Sequence[Key]) -> Iterator[None]:
        """Any error of a plugin is its own, never the river's: counted, its states afresh, and the others go on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - (see above)
            self._failed(name, keys, error)

    def _failed(self, name: str, keys: Sequence[Key], error: Exception) -> None:
        self.errors[name] += 1
        for key in keys:
            self._sensors[key].parts.pop(name, None)
            self._timers.set((*key, name), None)
        count = self.errors[name]
        if count & (count - 1) == 0:  # the 1st, 2nd, 4th, 8th ... time: not 5,000 lines a second
            _log.error("detector raised", detector=name, sensors=keys[:3], count=count, exc_info=error)
