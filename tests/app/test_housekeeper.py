"""The housekeeper: a journal that fills up and a broker that drops are alerts before and when they hurt."""

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from alerts.store import commands as command_store
from app import journal
from app.database import unit_of_work
from app.health import Health
from app.housekeeper import Housekeeper
from app.journal import Row
from app.sequences import SequenceFollower
from app.service import FastLane
from ingest.format import Message
from ingest.receiver import ReceiverStats
from tests.alerts.receivers import wait_until
from tests.virtual_service import T0, VirtualService, fresh_database, reading

STATION = "awan-1"
LIMIT = 100_000


class Field:
    """A receiver with messages that a test puts there, and a broker's count of what it dropped."""

    connected = subscribed = True

    def __init__(self) -> None:
        self.stats = ReceiverStats()
        self.waiting: list[Message] = []
        self.acknowledged: list[Message] = []

    def start(self) -> None: ...

    def take(self, timeout_s: float, settle_s: float = 0.02, limit: int = 5_000) -> list[Message]:
        del settle_s, limit
        if not self.waiting:
            threading.Event().wait(timeout_s)
        taken, self.waiting = self.waiting, []
        return taken

    def ack(self, messages: Sequence[Message]) -> None:
        self.acknowledged += messages

    def stop(self) -> None: ...


class House:
    """A housekeeper with its lane, turned by hand."""

    def __init__(self, path: Path) -> None:
        self.service = VirtualService(fresh_database(path))
        self.health, self.field, self.stop = Health(), Field(), threading.Event()
        self.lane = FastLane(self.service.pipeline, self.field, self.health, self.stop)
        self.errors: Counter[str] = Counter()
        self.keeper = Housekeeper(self.lane, self.errors, SequenceFollower(), self.health, LIMIT)

    def turn(self) -> list[tuple[str, float]]:
        """One round; which peers are told of, with 1 for away and 0 for back."""
        self.keeper.turn()
        return [(score.sensor, score.score) for score in self.health.scores(T0)]

    def fill(self, share: float) -> None:
        """Put batches into the journal until so much of its limit is taken."""
        row = Row(readings=[reading(STATION, 20, T0 + index) for index in range(20)])
        with unit_of_work(self.service.engine) as connection:
            while journal.size(connection) < share * LIMIT:
                journal.append(connection, T0, row)

    def drain(self) -> None:
        """Every reader has passed everything."""
        with unit_of_work(self.service.engine) as connection:
            for name in ("snapshot", "latest", "store", "slow_snapshot", "sequences"):
                journal.move_cursor(connection, name, journal.last_pos(connection))

    def dropped(self, count: int | None) -> list[tuple[str, float]]:
        self.field.stats = msgspec.structs.replace(self.field.stats, broker_dropped=count)
        return self.turn()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "pantau.db")


def test_a_journal_with_room_is_nothing_to_speak_of(house: House) -> None:
    house.fill(0.6)
    assert house.turn() == []
    assert (house.lane.full, house.health.degraded) == (False, [])


def test_a_journal_that_fills_up_is_an_alert_at_once_while_everything_is_still_taken(house: House) -> None:
    house.fill(0.75)
    assert house.turn() == [("journal", 1.0)]
    assert not house.lane.full
    assert "GB wait for the reading store" in house.health.peers["journal"]
    assert "nothing is taken" not in house.health.peers["journal"]
    assert house.turn() == []


def test_a_full_journal_stops_the_lane_and_says_so_and_a_drained_one_ends_both(house: House) -> None:
    house.fill(1.0)
    assert house.turn() == [("journal", 1.0)]
    assert house.lane.full
    assert "nothing is taken from the broker until it drains" in house.health.peers["journal"]
    house.drain()
    assert house.turn() == [("journal", 0.0)]
    assert (house.lane.full, house.health.degraded) == (False, [])


def test_the_alert_about_the_journal_lasts_until_it_is_well_below_its_limit(house: House) -> None:
    house.fill(1.0)
    house.turn()
    with unit_of_work(house.service.engine) as connection:
        journal.forget(connection, journal.last_pos(connection) // 5)
    assert house.turn() == []
    assert (house.lane.full, house.health.degraded) == (False, ["journal"])


def test_what_the_broker_had_dropped_before_we_looked_is_no_alarm(house: House) -> None:
    assert house.dropped(None) == []
    assert house.dropped(500) == []
    assert house.health.degraded == []


def test_what_it_drops_while_we_look_is_one_at_once_and_a_quiet_round_ends_it(house: House) -> None:
    house.dropped(500)
    assert house.dropped(503) == [("broker-drops", 1.0)]
    assert house.health.peers["broker-drops"] == "away: the broker dropped 3 messages"
    assert house.dropped(504) == []  # the same alert goes on
    assert house.dropped(504) == [("broker-drops", 0.0)]
    assert house.health.degraded == []
    assert house.dropped(505) == [("broker-drops", 1.0)]


def test_a_broker_that_began_to_count_anew_has_dropped_nothing(house: House) -> None:
    house.dropped(500)
    assert house.dropped(2) == []
    assert house.dropped(3) == [("broker-drops", 1.0)]


def test_the_first_drop_ever_is_an_alarm(house: House) -> None:
    house.dropped(0)
    assert house.dropped(1) == [("broker-drops", 1.0)]


def test_a_slow_detector_that_raised_is_an_alert_until_a_quiet_round(house: House) -> None:
    house.errors["forest"] += 2
    assert house.turn() == [("detector-forest", 1.0)]
    assert house.turn() == [("detector-forest", 0.0)]


def message(value: float) -> Message:
    body = msgspec.json.encode({"observed_at": T0, "value": value})
    return Message(f"pantau/v1/contoh/water_level/{STATION}", body, T0)


def answered(house: House, command: int) -> tuple[bool, str] | None:
    with house.service.engine.connect() as connection:
        return command_store.answered(connection, command)


def test_while_the_journal_is_full_nothing_is_taken_but_operators_are_answered(house: House) -> None:
    house.lane.full = True
    house.field.waiting = [message(20)]
    thread = threading.Thread(target=house.lane.run)
    thread.start()
    try:
        with unit_of_work(house.service.engine) as connection:
            asked = command_store.ask(connection, "out_of_service", {"station": STATION}, "sari", T0)
        wait_until(lambda: answered(house, asked) == (True, "out of service"))
        assert len(house.field.waiting) == 1
        assert house.lane.heard_until == 0  # what nobody listens to is not silent
        house.lane.full = False
        wait_until(lambda: len(house.field.acknowledged) == 1)
        wait_until(lambda: house.lane.heard_until > 0)
    finally:
        house.stop.set()
        thread.join(5)
    assert house.service.pipeline.counts.total() == 1


def test_a_service_that_ends_with_a_full_journal_takes_nothing_on_its_way_out(house: House) -> None:
    house.lane.full = True
    house.field.waiting = [message(20)]
    thread = threading.Thread(target=house.lane.run)
    thread.start()
    wait_until(lambda: house.health.ready)
    threading.Event().wait(0.2)
    house.stop.set()
    thread.join(5)
    assert len(house.field.waiting) == 1
    assert house.field.acknowledged == []


def test_both_go_through_the_machine_as_alerts_and_end_there(house: House) -> None:
    def commit() -> list[tuple[str, str, str]]:
        house.keeper.turn()
        house.service.log.clear()
        house.service.process(scores=house.health.scores(house.service.clock.now()))
        return sorted((one.what, one.hazard, one.cause) for one in house.service.log)

    house.fill(0.75)
    house.field.stats = ReceiverStats(broker_dropped=1)
    assert commit() == [("raised", "system", "journal")]
    house.field.stats = ReceiverStats(broker_dropped=2)
    assert commit() == [("raised", "system", "broker-drops")]
    house.drain()
    assert commit() == [("closed", "system", "broker-drops"), ("closed", "system", "journal")]
