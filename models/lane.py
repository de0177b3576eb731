"""The slow lane: stepped readings in, scores out, with every slow detector's state for every sensor in between.

Pure of I/O: ``app`` reads the journal, hands batches over, and keeps what ``dump_changed`` gives. The same readings
give the same scores, however they are cut into batches.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import structlog

from models.detector import Detector, Misses, Sample
from models.guard import checked
from models.memory import SELF, Part, Sensor
from models.timers import Timers
from pantau.city import City
from pantau.event import Gone, Score
from pantau.reading import Reading

__all__ = ["SlowLane"]

_log = structlog.get_logger("pantau.models")

Key = tuple[str, str]
StateRow = tuple[str, str, str, str, bytes]


class SlowLane:
    """Runs the slow detectors.

    Args:
        city: for stations and kinds.
        detectors: by name; those of the fast lane are left out.
        slack_ms: how long a message may travel on the service's clock without its sensor being called silent.

    Attributes:
        errors: how often each detector raised or broke its contract; ``app`` makes an alert of it.
    """

    def __init__(self, city: City, detectors: Mapping[str, Detector], slack_ms: int = 0) -> None:
        self._slack_ms = slack_ms
        self._city = city
        self._detectors = {name: d for name, d in sorted(detectors.items()) if d.lane == "slow"}
        self._sensors: dict[Key, Sensor] = {}
        self._timers = Timers()
        self._changed: set[Key] = set()
        self._saving: set[Key] = set()
        self.errors: Counter[str] = Counter()

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
                    self._timers.set((*key, name), detector.due(part.state))
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
        sensor = self._sensors[key] = Sensor(station, self._city.kinds[station.kind])
        return sensor

    def _judge(self, samples: Sequence[tuple[Key, Sample]], listening_since: int) -> list[Score]:
        """Let every detector that judges their kinds speak about samples."""
        scores: list[Score] = []
        for detector in self._detectors.values():
            meant = [
                entry for entry in samples if not detector.kinds or entry[1].reading.kind in detector.kinds
            ]
            if getattr(detector, "whole_batch", False):
                scores += self._score(detector, meant)
                continue
            for key, sample in meant:  # one by one: an error costs only this sensor's state
                heard_at = sample.reading.received_at - self._slack_ms
                scores += self._pass_time(key, detector.name, heard_at, listening_since)
                scores += self._score(detector, [(key, sample)])
        return scores

    def _score(self, detector: Detector, samples: Sequence[tuple[Key, Sample]]) -> list[Score]:
        """One call of a detector; what it says that is news."""
        told: list[Score] = []
        if not samples:
            return told
        with self._guarded(detector.name, [key for key, _ in samples]):
            parts = [self._part(key, detector) for key, _ in samples]
            asked = [entry[1]._replace(state=part.state) for entry, part in zip(samples, parts, strict=True)]
            answers = checked(detector, detector.score(asked), len(asked))
            for answer, part, (key, _) in zip(answers, parts, samples, strict=True):
                self._timers.set((*key, detector.name), detector.due(part.state))
                if answer is not None and part.speaks(detector, answer, self._sensors[key].hold_gap_ms):
                    told.append(answer)
        return told

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
                (answer,) = checked(detector, [answer], 1)
                if answer is not None and part.speaks(detector, answer, sensor.hold_gap_ms):
                    told.append(answer)
                due = detector.due(part.state)
                if due is not None and due <= now:  # it is still waiting: asked again one cadence later
                    due = now + sensor.station.cadence_ms
            self._timers.set((*key, name), due)
        return told

    def _part(self, key: Key, detector: Detector) -> Part:
        sensor = self._sensors[key]
        part = sensor.parts.get(detector.name)
        if part is None:
            part = sensor.parts[detector.name] = Part(detector.start(sensor.station, sensor.kind))
        return part

    def _load(self, key: Key, name: str, version: str, body: bytes) -> bool:
        sensor, detector = self._sensors[key], self._detectors[name]
        with self._guarded(name, [key]):
            part = Part.load(detector, version, body, sensor)
            if part is not None:
                self._timers.set((*key, name), detector.due(part.state))
                sensor.parts[name] = part
        return name in sensor.parts

    @contextmanager
    def _guarded(self, name: str, keys: Sequence[Key]) -> Iterator[None]:
        """Any error of a plugin is its own, never the river's: counted, its states afresh, and the others go on."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - (see above)
            self.errors[name] += 1
            for key in keys:
                self._sensors[key].parts.pop(name, None)
                self._timers.set((*key, name), None)
            count = self.errors[name]
            if count & (count - 1) == 0:  # the 1st, 2nd, 4th, 8th ... time: not 5,000 lines a second
                _log.error("detector raised", detector=name, sensors=keys[:3], count=count, exc_info=error)
