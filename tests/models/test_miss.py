"""A sensor whose gateway says that it is away: told at once, and taken back when it reports again."""

from collections.abc import Sequence

import pytest

from models.detector import Sample
from models.detectors.silent import DETECTOR as SILENT
from models.lane import SlowLane
from models.untimed import Untimed
from pantau.event import Gone, Score
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.reading import Reading
from pantau.station import Station
from tests.detector_bench import MIN, T0, city_of
from tests.virtual_service import VirtualService, fresh_database

A, B = (
    Station(id=name, name=name, kind="water_level", hazard="flood", group=name, cadence_ms=10 * MIN)
    for name in "ab"
)
CITY = city_of(A, B)
WORDS = "the gateway says that the device is away"


class Deaf(Untimed):
    """A detector that does not care for silence."""

    name = "deaf"
    version = "1"
    lane = "slow"
    kinds: frozenset[str] = frozenset()
    hazard = ""
    cause = "deaf"
    ladder = Ladder(limits=(0.5, None, None))
    shadow = False

    def start(self, station: Station, kind: Kind) -> list[int]:
        return []

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        return [None for _ in samples]

    def dump(self, state: list[int]) -> bytes:
        return b""

    def load(self, version: str, body: bytes, station: Station, kind: Kind) -> list[int]:
        return []


class Raises(Deaf):
    """One that breaks at the news."""

    name = "raises"

    def miss(self, state: list[int], gone: Gone) -> Score | None:
        raise ZeroDivisionError("it broke")


def lane() -> SlowLane:
    return SlowLane(CITY, {one.name: one for one in (Deaf(), Raises(), SILENT)})  # type: ignore[misc]


def read(
    made: SlowLane, minutes: float, station: str = "a", sensor: str = "main", **more: object
) -> list[Score]:
    at = T0 + round(minutes * MIN)
    one = Reading(station, "water_level", 20.0, at, at, sensor, **more)  # type: ignore[arg-type]
    return made.take([(one, False)], at, T0)


def gone(minutes: float, station: str = "a", sensor: str = "main") -> Gone:
    return Gone(station, sensor, T0 + round(minutes * MIN), WORDS)


def said(scores: Sequence[Score]) -> list[tuple[str, str, float, float]]:
    return [(one.station, one.sensor, (one.at - T0) / MIN, one.score) for one in scores]


def test_it_is_told_at_once_with_the_gateways_words() -> None:
    made = lane()
    read(made, 0)
    [score] = made.miss([gone(1)], T0)
    assert score == Score("a", "main", "silent", "1", T0 + MIN, 1.0, WORDS)


def test_it_is_told_once_and_its_silence_is_not_told_again_when_time_has_passed() -> None:
    made = lane()
    read(made, 0)
    assert said(made.miss([gone(1), gone(2)], T0)) == [("a", "main", 1, 1.0)]
    assert made.miss([gone(3)], T0) == []
    assert made.ticks(T0 + 500 * MIN, T0) == []


def test_it_is_heard_again_with_its_next_reading_and_can_go_again() -> None:
    made = lane()
    read(made, 0)
    made.miss([gone(1)], T0)
    assert said(read(made, 10)) == [("a", "main", 10, 0.0)]
    assert said(made.miss([gone(11)], T0)) == [("a", "main", 11, 1.0)]
    assert said(read(made, 20)) == [("a", "main", 20, 0.0)]
    assert said(made.ticks(T0 + 60 * MIN, T0)) == [("a", "main", 50, 1.0)]  # and it can fall silent by itself


def test_a_death_older_than_its_last_reading_is_ignored() -> None:
    made = lane()
    read(made, 10)
    assert made.miss([gone(9)], T0) == []
    assert said(made.ticks(T0 + 60 * MIN, T0)) == [("a", "main", 40, 1.0)]


def test_a_death_at_the_instant_of_its_last_reading_counts() -> None:
    made = lane()
    read(made, 10)
    assert said(made.miss([gone(10)], T0)) == [("a", "main", 10, 1.0)]


def test_a_sensor_that_never_reported_is_never_missed() -> None:
    made = lane()
    read(made, 0)
    unknown = [gone(1, "b"), gone(1, "a", "second"), gone(1, "nowhere")]
    assert made.miss(unknown, T0) == []
    assert said(made.miss([*unknown, gone(1)], T0)) == [("a", "main", 1, 1.0)]


def test_only_the_sensor_that_is_meant_is_missed() -> None:
    made = lane()
    for sensor in ("main", "second"):
        read(made, 0, sensor=sensor)
    read(made, 0, "b")
    assert said(made.miss([gone(1, sensor="second")], T0)) == [("a", "second", 1, 1.0)]
    assert said(made.ticks(T0 + 30 * MIN, T0)) == [("a", "main", 30, 1.0), ("b", "main", 30, 1.0)]


def test_a_detector_that_breaks_at_the_news_keeps_nobody_from_telling_it() -> None:
    made = lane()
    read(made, 0)
    assert said(made.miss([gone(1)], T0)) == [("a", "main", 1, 1.0)]
    assert made.errors == {"raises": 1}


def test_that_it_is_gone_outlives_a_restart() -> None:
    made = lane()
    read(made, 0)
    made.dump_changed()
    made.miss([gone(1)], T0)
    kept = made.dump_changed()
    assert [row[:3] for row in kept] == [("a", "main", "silent")]
    heir = lane()
    heir.restore(kept)
    assert heir.miss([gone(2)], T0) == []
    assert heir.ticks(T0 + 500 * MIN, T0) == []
    assert said(read(heir, 510)) == [("a", "main", 510, 0.0)]


def test_what_was_received_before_it_went_does_not_bring_it_back() -> None:
    """The last reading of a burst is judged when the burst is over; the sensor may be gone by then."""
    made = lane()
    read(made, 0)
    read(made, 1)  # held: it is less than half a cadence after the one before
    assert said(made.miss([gone(2)], T0)) == [("a", "main", 2, 1.0)]
    assert made.ticks(T0 + 20 * MIN, T0) == []


def test_a_death_older_than_a_reading_that_is_held_is_ignored() -> None:
    made = lane()
    read(made, 0)
    read(made, 2)
    assert made.miss([gone(1)], T0) == []


# --- through the whole service --------------------------------------------------------------------------------------

STATION = "awan-1"


@pytest.fixture
def service() -> VirtualService:
    made = VirtualService(fresh_database())
    made.pipeline.listening_since = T0
    for _ in range(2):
        pass_minutes(made, 10)
        made.read(STATION, 20)
        made.turn_slow()
    return made


def pass_minutes(made: VirtualService, minutes: int) -> None:
    made.clock.set(made.clock.now() + minutes * MIN)


def declare_gone(made: VirtualService, *, station: str = STATION, minutes_ago: int = 0) -> None:
    made.process(gone=[Gone(station, "main", made.clock.now() - minutes_ago * MIN, WORDS)])
    made.turn_slow()


def alerts(made: VirtualService) -> list[tuple[str, str, str, str]]:
    return [(one.what, one.hazard, one.scope, str(one.why.get("reason", ""))) for one in made.log]


def test_it_opens_a_data_alert_for_the_sensor_and_its_next_reading_closes_it(service: VirtualService) -> None:
    pass_minutes(service, 1)
    declare_gone(service)
    assert alerts(service) == [("raised", "data", STATION, WORDS)]
    pass_minutes(service, 9)
    service.read(STATION, 20)
    service.turn_slow()
    assert [one[0] for one in alerts(service)] == ["raised", "closed"]
    assert service.log[1].severity == 0


@pytest.mark.parametrize(("station", "minutes_ago"), [(STATION, 5), ("pond", 0), ("nowhere", 0)])
def test_an_old_death_and_one_of_a_sensor_nobody_knows_open_nothing(
    service: VirtualService, station: str, minutes_ago: int
) -> None:
    declare_gone(service, station=station, minutes_ago=minutes_ago)
    assert alerts(service) == []


def test_a_restart_between_the_news_and_its_alert_loses_nothing(service: VirtualService) -> None:
    pass_minutes(service, 1)
    service.process(gone=[Gone(STATION, "main", service.clock.now(), WORDS)])
    heir = VirtualService(service.engine, at=service.clock.now())
    heir.pipeline.listening_since = T0
    heir.turn_slow()
    assert alerts(heir) == [("raised", "data", STATION, WORDS)]
