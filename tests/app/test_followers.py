"""What follows the journal: each reader takes every batch once in effect, however often it has to try."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app import journal
from app.followers import Forwarder, SlowFollower
from ingest.store.conflicts import latest_conflicts
from ingest.store.memory import MemoryStore
from models.all import detectors
from models.lane import SlowLane
from pantau.errors import Unavailable
from pantau.event import Score
from pantau.reading import Flag, Reading
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading, table_rows

STATION = "awan-1"


class Moody(MemoryStore):
    """A store that can be away, before or after it has taken a batch, and that refuses odd values for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.away = self.forgets_to_answer = False
        self.writes = 0

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        if self.away:
            raise Unavailable("influxdb", "connection refused")
        self.writes += 1
        bad = [(one, "field type conflict") for one in readings if one.value == 66]
        super().write([one for one in readings if one.value != 66])
        if self.forgets_to_answer:
            raise Unavailable("influxdb", "timeout after it was stored")
        return bad


@pytest.fixture
def store() -> Moody:
    return Moody()


@pytest.fixture
def service(store: Moody) -> VirtualService:
    return VirtualService(fresh_database(), store=store, at=T0 + 60 * MIN)


def history(store: MemoryStore, station: str = STATION) -> dict[int, tuple[float, int]]:
    found = store.read(station, CITY.stations[station].kind, start=0, end=T0 * 2)
    return {(one.observed_at - T0) // MIN: (one.value, one.flag) for one in found}


def conflicts(service: VirtualService) -> list[tuple[float, float]]:
    with service.engine.connect() as connection:
        return [(found.former, found.value) for found in reversed(latest_conflicts(connection))]


def cursor(service: VirtualService, name: str = "store") -> int:
    with service.engine.connect() as connection:
        return journal.cursor(connection, name)


def send(service: VirtualService, *values: tuple[int, float], station: str = STATION) -> None:
    now = service.clock.now()
    service.process(
        *(reading(station, value, T0 + minute * MIN, received_at=now) for minute, value in values)
    )


class Gone(MemoryStore):
    def kept_from(self) -> int:
        raise Unavailable("influxdb", "connection refused")


def test_a_store_is_asked_before_anybody_says_that_it_is_well() -> None:
    with pytest.raises(Unavailable, match="connection refused"):
        Forwarder(fresh_database(), Gone()).turn()


def test_every_reading_is_forwarded_with_the_flag_it_ended_with(
    service: VirtualService, store: Moody
) -> None:
    send(service, (0, 20), (10, 21), (20, 300), (30, 22), (40, 9000))
    assert service.forwarder.turn() == 1
    good, fail = int(Flag.GOOD), int(Flag.FAIL)
    assert history(store) == {
        0: (20, good),
        10: (21, good),
        20: (300, fail),
        30: (22, good),
        40: (9000, fail),
    }
    assert (service.forwarder.turn(), store.writes) == (0, 1)


def test_a_late_redelivery_leaves_the_flag_alone(service: VirtualService, store: Moody) -> None:
    send(service, (0, 20), (10, 21))
    service.forwarder.turn()
    send(service, (0, 20))
    service.forwarder.turn()
    assert history(store)[0] == (20, Flag.GOOD)
    assert conflicts(service) == []


def test_a_late_reading_that_is_new_is_stored_without_a_judgement(
    service: VirtualService, store: Moody
) -> None:
    send(service, (10, 21))
    send(service, (0, 20))
    service.forwarder.turn()
    assert history(store)[0] == (20, Flag.NOT_EVALUATED)


@pytest.mark.parametrize("turns", [1, 2])
def test_another_value_for_an_instant_replaces_it_and_is_listed_once(
    service: VirtualService, store: Moody, turns: int
) -> None:
    send(service, (0, 20), (10, 21))
    if turns == 2:
        service.forwarder.turn()
    send(service, (0, 25), (10, 26))
    service.forwarder.turn()
    assert conflicts(service) == [(20, 25), (21, 26)]
    assert {minute: value for minute, (value, _) in history(store).items()} == {0: 25, 10: 26}
    send(service, (0, 20))  # the first one, redelivered once more, is no third opinion
    service.forwarder.turn()
    assert history(store)[0][0] == 25
    assert len(conflicts(service)) == 2


def test_a_third_value_is_another_conflict(service: VirtualService, store: Moody) -> None:
    for value in (20.0, 25.0, 30.0):
        service.clock.set(service.clock.now() + 1)
        send(service, (10, 1.0), (0, value))
        service.forwarder.turn()
    assert conflicts(service) == [(20, 25), (25, 30)]
    assert history(store)[0][0] == 30


@pytest.mark.parametrize("mood", ["away", "forgets_to_answer"])
def test_an_attempt_that_got_no_further_is_repeated_with_the_same_end(mood: str) -> None:
    """Conflicts are noted before the store is written: the second attempt must not take its own notes for history."""
    ends = []
    for disturbed in (False, True):
        store = Moody()
        service = VirtualService(fresh_database(), store=store, at=T0 + 60 * MIN)
        send(service, (0, 20), (5, 50), (10, 21))
        service.forwarder.turn()
        service.clock.set(T0 + 61 * MIN)
        send(service, (0, 25), (5, 50))
        send(service, (0, 20), (10, 26))
        if disturbed:
            setattr(store, mood, True)
            for _ in range(2):
                with pytest.raises(Unavailable):
                    service.forwarder.turn()
            setattr(store, mood, False)
        service.forwarder.turn()
        ends.append((history(store), conflicts(service), cursor(service)))
    assert ends[0] == ends[1]
    assert ends[0][0][0][0] == 25


def test_while_the_store_is_away_nothing_moves_on_and_then_everything_arrives(
    service: VirtualService, store: Moody
) -> None:
    store.away = True
    for minute in range(5):
        send(service, (minute, 20 + minute))
        with pytest.raises(Unavailable):
            service.forwarder.turn()
        assert cursor(service) == 0
    store.away = False
    assert service.forwarder.turn(limit=3) == 3
    assert cursor(service) == 3
    assert service.forwarder.turn(limit=3) == 2
    assert sorted(history(store)) == [0, 1, 2, 3, 4]


def test_a_point_the_store_will_never_take_is_refused_and_does_not_hold_up_the_rest(
    service: VirtualService, store: Moody
) -> None:
    send(service, (0, 20), (10, 66), (20, 21))
    service.forwarder.turn()
    assert sorted(history(store)) == [0, 20]
    [refused] = table_rows(service.engine, "refused", without=["id", "payload", "size"])["refused"]
    assert refused[1:] == (
        f"store/water_level/{STATION}/main",
        False,
        "store_refused",
        "field type conflict",
        None,
    )
    assert cursor(service) == 1


def test_a_reading_marked_wrong_is_marked_in_the_store(service: VirtualService, store: Moody) -> None:
    send(service, (0, 20), (10, 21))
    service.forwarder.turn()
    service.command("mark_wrong", station=STATION, sensor="main", observed_at=T0, value=20.0, kind="water_level",
                    received_at=T0)  # fmt: skip
    service.forwarder.turn()
    assert history(store)[0] == (20, Flag.FAIL)


# --- the slow lane --------------------------------------------------------------------------------------------------

VALUES = st.lists(
    st.tuples(st.sampled_from(["awan-1", "square", "square-east"]), st.integers(0, 40), st.integers(1, 25)),
    min_size=2, max_size=40,
)  # fmt: skip


def scores_of(service: VirtualService) -> list[Score]:
    """What was judged, from the journal: only what is committed counts."""
    with service.engine.connect() as connection:
        return [score for _, _, row in journal.read(connection, 0, 10_000) for score in row.scores]


@settings(max_examples=20)
@given(VALUES, st.sets(st.integers(0, 39)), st.sets(st.integers(0, 39)))
def test_restarted_at_any_place_the_slow_lane_says_what_an_uninterrupted_one_says(
    values: list[tuple[str, int, int]], restarts: set[int], saves: set[int]
) -> None:
    told = []
    for disturbed in (False, True):
        service = VirtualService(fresh_database())
        service.pipeline.listening_since = T0
        for index, (station, value, minutes) in enumerate(values):
            service.clock.set(service.clock.now() + minutes * MIN)
            service.read(station, value)
            service.turn_slow(save=disturbed and index in saves)
            if disturbed and index in restarts:
                service.slow = SlowFollower(service.engine, SlowLane(CITY, detectors()))
                service.slow.restore()
        told.append([(s.station, s.detector, s.at, s.score, s.reason) for s in scores_of(service)])
    # After a restart silence may be said again, with the same words for the same instant: the ladder hears it once.
    assert list(dict.fromkeys(told[1])) == list(dict.fromkeys(told[0]))


def test_what_was_judged_but_never_committed_is_judged_again(service: VirtualService) -> None:
    send(service, (0, 20), (10, 21))
    first = service.slow.turn(T0, 0, save=True)
    assert first is not None
    assert first.pos == 1
    again = SlowFollower(service.engine, SlowLane(CITY, detectors()))
    again.restore()
    second = again.turn(T0, 0, save=True)
    assert second == first


def test_failed_and_only_stored_readings_are_not_judged_further(service: VirtualService) -> None:
    send(service, (20, 20), (30, 9000), (10, 21))
    result = service.slow.turn(T0, 0, save=True)
    assert result is not None
    assert {row[:2] for row in result.states} == {(STATION, "main")}
    silent = next(body for *_, name, _version, body in result.states if name == "silent")
    assert b"silent" not in silent
    assert service.pipeline.last.heard() == [(service.pipeline.last.readings[0], True)]


def test_a_turn_with_nothing_new_hands_nothing_back(service: VirtualService) -> None:
    assert service.slow.turn(T0, T0, save=True) is None


def test_the_forwarder_begins_where_the_last_one_ended(service: VirtualService, store: Moody) -> None:
    send(service, (0, 20))
    service.forwarder.turn()
    assert Forwarder(service.engine, store).turn() == 0
