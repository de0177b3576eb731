"""The sender: from the outbox to receivers, with everything that goes wrong on the way."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, Engine, event

from alerts.channel import Address, Channel, Notice, Outcome, Sent
from alerts.metrics import OLDEST, WAITING
from alerts.notices import notices
from alerts.sender import Sender
from alerts.store import contacts, outbox
from alerts.store.outbox import Item
from alerts.store.tables import metadata
from app.clock import VirtualClock
from app.database import open_engine
from pantau.ports import Publisher
from pantau.registry import find
from tests.alerts.receivers import http_receiver, wait_until
from tests.alerts.town import NIGHT, TOWN, Life

CHANNELS: dict[str, Channel] = find("alerts.channels", "CHANNEL", Channel, "name")


class Postbox:
    """A channel that keeps what it gets; ``answers`` are the next outcomes, ``gate`` lets it wait."""

    uses_broker = False
    signs = False

    def __init__(self, name: str = "postbox", *, removes_duplicates: bool = True) -> None:
        self.name, self.removes_duplicates = name, removes_duplicates
        self.got: list[tuple[Notice, Address]] = []
        self.answers: list[Outcome | BaseException] = []
        self.gate = threading.Event()
        self.gate.set()

    def problem(self, address: str, city: str) -> str:
        return "" if address else f"no address in {city}"

    def send(
        self, notice: Notice, address: Address, publisher: Publisher | None, timeout_s: float
    ) -> Outcome:
        assert self.gate.wait(10)
        self.got.append((notice, address))
        answer = self.answers.pop(0) if self.answers else Outcome(Sent.DELIVERED)
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Office:
    """A database in a file, a sender, contacts, and real time that moves when told to."""

    def __init__(
        self, engine: Engine, *channels: Channel, exercise: bool = False, broker_url: str = ""
    ) -> None:
        self.engine = engine
        self.clock = VirtualClock(NIGHT + 60_000, exercise=exercise)
        self.real = 1_700_000_000_000
        self.channels = {channel.name: channel for channel in channels} or CHANNELS
        self.sender = Sender(
            engine, TOWN, self.channels, None, self.clock, broker_url=broker_url, real_ms=lambda: self.real
        )

    def contact(self, role: str, channel: str, address: str = "http://127.0.0.1:9/x") -> int:
        with self.engine.begin() as conn:
            return contacts.add(conn, role, channel, address, 1, secret="s3cret")

    def post(self, name: str, role: str = "posko", channel: str = "postbox", **fields: object) -> None:
        notice = Notice(id=name, role=role, language="id", severity=1, title="t", text="isi", alert={"id": name},
                        made_at=NIGHT)  # fmt: skip
        given: dict[str, object] = {
            "alert": f"alert-{name}", "n": 1, "severity": 1, "made_at": NIGHT,
            "body": msgspec.json.encode(notice).decode(), **fields,
        }  # fmt: skip
        with self.engine.begin() as conn:
            outbox.put(conn, [Item(id=name, role=role, channel=channel, **given)])  # type: ignore[arg-type]

    def rows(self) -> dict[str, Item]:
        with self.engine.connect() as conn:
            rows = conn.exec_driver_sql("SELECT * FROM outbox").mappings().all()
        return {row["id"]: Item(**row) for row in rows}

    def states(self) -> dict[str, str]:
        return {name: item.state for name, item in self.rows().items()}

    def later(self, seconds: float) -> int:
        self.real += round(seconds * 1000)
        return self.sender.run_once()


@pytest.fixture
def file_engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(f"sqlite:///{tmp_path / 'sender.db'}", durable=False)
    metadata.create_all(made)
    yield made
    made.dispose()


def test_a_notice_reaches_everybody_behind_its_role(file_engine: Engine) -> None:
    box = Postbox()
    office = Office(file_engine, box)
    one, two = office.contact("posko", "postbox", "one"), office.contact("posko", "postbox", "two")
    office.contact("camat", "postbox", "three")
    office.post("a")
    assert office.sender.run_once() == 2
    assert [(notice.id, address.address) for notice, address in box.got] == [
        ("a", "one"),
        (f"a-{two}", "two"),
    ]
    assert office.states() == {"a": "sent", f"a-{two}": "sent"}
    assert office.rows()["a"].contact == one
    assert office.rows()["a"].sent_at == office.clock.now()
    assert office.sender.run_once() == 0


def levels(engine: Engine) -> list[int]:
    """SQLite's ``synchronous`` at each commit that wrote: 2 waits for the disk, 1 does not."""
    found: list[int] = []

    def note(connection: Connection) -> None:
        if not connection.get_execution_options().get("reading", False):
            found.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    event.listen(engine, "commit", note, insert=True)
    return found


@pytest.mark.parametrize(("removes", "level"), [(True, 1), (False, 2)])
def test_a_lease_waits_for_the_disk_only_where_a_second_notice_would_be_noticed(
    tmp_path: Path, removes: bool, level: int
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'sender.db'}")
    metadata.create_all(engine)
    office = Office(engine, Postbox(removes_duplicates=removes))
    office.contact("posko", "postbox", "one")
    office.post("a")
    found = levels(engine)
    assert office.sender.run_once() == 1
    assert found == [level, level], "the lease, and what became of it"
    assert office.states() == {"a": "sent"}
    engine.dispose()


def test_one_deaf_receiver_does_not_make_the_others_hear_it_twice(file_engine: Engine) -> None:
    box = Postbox()
    office = Office(file_engine, box)
    office.contact("posko", "postbox", "deaf")
    office.contact("posko", "postbox", "well")
    office.post("a")
    box.answers = [Outcome(Sent.RETRY)]
    office.sender.run_once()
    office.later(10)
    assert [address.address for _, address in box.got] == ["deaf", "well", "deaf"]


def test_a_role_without_contact_is_passed_to_the_last_resort_once(file_engine: Engine) -> None:
    box = Postbox()
    office = Office(file_engine, box)
    office.contact("posko", "postbox", "posko")
    office.post("a", role="camat", alert="x")
    office.post("b", role="lurah", alert="x")
    office.sender.run_once()
    assert [notice.text for notice, _ in box.got] == [
        "isi\nDiteruskan kepada Anda karena peran camat tidak memiliki kontak untuk saluran postbox."
    ]
    rows = office.rows()
    assert (rows["a"].state, rows["a"].error, rows["b"].error) == ("failed", "no_contact", "no_contact")
    assert len(rows) == 3


def test_the_last_resort_does_not_stand_in_for_itself(file_engine: Engine) -> None:
    """It gets its own notice over the channel where it has a contact; the other one would be the same again."""
    one, two = Postbox("one"), Postbox("two")
    office = Office(file_engine, one, two)
    office.contact("posko", "one")
    office.post("a", channel="one", alert="x")
    office.post("b", channel="two", alert="x")
    office.sender.run_once()
    office.sender.run_once()
    assert (len(one.got), len(two.got)) == (1, 0)


def test_without_anybody_it_fails_and_is_listed(file_engine: Engine) -> None:
    office = Office(file_engine, Postbox())
    office.post("a", role="camat")
    office.post("b", role="posko")
    assert office.sender.run_once() == 0
    assert office.states() == {"a": "failed", "b": "failed"}
    with file_engine.connect() as conn:
        assert len(outbox.undelivered(conn)) == 2


def test_a_contact_that_was_revoked_meanwhile_gets_nothing(file_engine: Engine) -> None:
    box = Postbox()
    office = Office(file_engine, box)
    contact = office.contact("posko", "postbox")
    office.post("a")
    box.answers = [Outcome(Sent.RETRY)]
    office.sender.run_once()
    with file_engine.begin() as conn:
        contacts.revoke(conn, contact, 2)
    office.later(10)
    assert len(box.got) == 1
    assert office.rows()["a"].error == "the contact was revoked"


def test_an_unknown_channel_fails_instead_of_waiting_for_ever(file_engine: Engine) -> None:
    office = Office(file_engine, Postbox())
    office.post("a", channel="pigeon")
    office.sender.run_once()
    assert office.rows()["a"].error == "no channel pigeon"


def test_a_channel_that_raises_ends_nobody_elses_notice(file_engine: Engine) -> None:
    box = Postbox()
    office = Office(file_engine, box)
    office.contact("posko", "postbox")
    office.post("a", severity=3)
    office.post("b")
    box.answers = [RuntimeError("hunter2")]
    assert office.sender.run_once() == 2
    assert office.states() == {"a": "waiting", "b": "sent"}
    assert "hunter2" not in (office.rows()["a"].error or "")


@pytest.mark.parametrize(("removes", "severity", "state", "letters"), [
    (True, 1, "sent", 2), (False, 1, "unknown", 1), (False, 3, "sent", 2),
])  # fmt: skip
def test_killed_after_handing_over(
    file_engine: Engine, removes: bool, severity: int, state: str, letters: int
) -> None:
    """The first worker hands over and dies before it can write that down; the next one goes by the rules."""
    box = Postbox(removes_duplicates=removes)
    office = Office(file_engine, box)
    office.contact("posko", "postbox")
    office.post("a", severity=severity)
    box.answers = [KilledError()]
    with pytest.raises(KilledError):
        office.sender.run_once()
    assert office.states() == {"a": "leased"}
    office.later(61)
    office.later(10)
    assert office.states() == {"a": state}
    assert len(box.got) == letters
    assert {notice.id for notice, _ in box.got} == {"a"}


class KilledError(BaseException):
    """As sudden as SIGKILL: nothing after it runs."""


def test_what_a_killed_worker_had_not_handed_over_is_not_lost(file_engine: Engine) -> None:
    """Without removal of duplicates one is leased at a time, so that only that one can be in doubt."""
    box = Postbox(removes_duplicates=False)
    office = Office(file_engine, box)
    office.contact("posko", "postbox")
    for name in "abc":
        office.post(name)
    box.answers = [KilledError()]
    with pytest.raises(KilledError):
        office.sender.run_once()
    for _ in range(4):
        office.later(61)
    assert sorted(office.states().values()) == ["sent", "sent", "unknown"]


def test_a_lease_too_old_to_begin_with_is_given_back(file_engine: Engine) -> None:
    box = Postbox()
    office = Office(file_engine, box)
    office.contact("posko", "postbox")
    for name in "ab":
        office.post(name)
    slow = box.send

    def send(notice: Notice, address: Address, publisher: Publisher | None, timeout_s: float) -> Outcome:
        office.real += 50_000
        return slow(notice, address, publisher, timeout_s)

    box.send = send  # type: ignore[method-assign]
    assert office.sender.run_once() == 1
    given_back = office.rows()["b"]
    assert (given_back.state, given_back.attempts, given_back.lease) == ("waiting", 0, None)


@pytest.mark.parametrize("address", [
    "http://partner.example/x", "http://10.1.2.3/x", "mailto://real@person.example", "+62811", "tgram://1/2",
])  # fmt: skip
@pytest.mark.parametrize("channel", ["webhook", "apprise", "postbox"])
def test_in_an_exercise_nobody_real_can_be_reached(file_engine: Engine, channel: str, address: str) -> None:
    box = Postbox()
    office = Office(file_engine, box, *CHANNELS.values(), exercise=True)
    office.contact("posko", channel, address)
    office.post("a", channel=channel)
    office.sender.run_once()
    assert (office.rows()["a"].state, office.rows()["a"].error) == ("failed", "exercise")
    assert box.got == []


@pytest.mark.parametrize(("broker_url", "error"), [
    ("", "exercise"), ("mqtt://broker.example:1883", "exercise"),
    ("mqtt://127.0.0.1:1883", "no connection to the broker in this process"),
])  # fmt: skip
def test_in_an_exercise_only_a_broker_on_this_machine_is_used(
    file_engine: Engine, broker_url: str, error: str
) -> None:
    office = Office(file_engine, *CHANNELS.values(), exercise=True, broker_url=broker_url)
    office.contact("posko", "mqtt", "pantau/v1/contoh/notices/posko")
    office.post("a", channel="mqtt")
    office.sender.run_once()
    assert office.rows()["a"].error == error


def test_in_an_exercise_a_receiver_on_this_machine_is_reached(file_engine: Engine) -> None:
    with http_receiver() as receiver:
        office = Office(file_engine, *CHANNELS.values(), exercise=True)
        office.contact("posko", "webhook", receiver.url)
        office.post("a", channel="webhook")
        office.sender.run_once()
        assert office.states() == {"a": "sent"}
        assert len(receiver.requests) == 1


def test_a_notice_made_in_an_exercise_stays_one_in_a_process_without_a_scaled_clock(
    file_engine: Engine,
) -> None:
    office = Office(file_engine, *CHANNELS.values())
    office.contact("posko", "webhook", "http://partner.example/x")
    notice = Notice(id="a", role="posko", language="id", severity=1, title="", text="", alert={}, made_at=1,
                    exercise=True)  # fmt: skip
    office.post("a", channel="webhook", body=msgspec.json.encode(notice).decode())
    office.sender.run_once()
    assert office.rows()["a"].error == "exercise"


def test_a_whole_alert_reaches_a_webhook_in_the_order_it_happened(file_engine: Engine) -> None:
    with http_receiver() as receiver:
        office = Office(file_engine, *CHANNELS.values())
        office.contact("posko", "webhook", receiver.url)
        life = Life(file_engine)
        receiver.script = [500, 503]
        for confirmed in (1, 3, 2, 0):
            changes = life.says(confirmed)
            with file_engine.begin() as conn:
                mine = [
                    item
                    for item in notices(changes, TOWN, {}, exercise=False, now=life.at)
                    if item.role == "posko"
                ]
                outbox.put(conn, mine)
            office.sender.run_once()
        for _ in range(5):
            office.later(30)
        bodies = [json.loads(request.body) for request in receiver.requests]
    accepted = bodies[2:]
    assert [body["severity"] for body in accepted] == [1, 3, 2, 0]
    assert len({request.headers["notice-id"] for request in receiver.requests}) == 4


def test_the_outbox_is_measured(file_engine: Engine) -> None:
    office = Office(file_engine, Postbox())
    office.post("a")
    office.sender.measure()
    assert WAITING._value.get() == 1
    assert OLDEST._value.get() == 60
    office.contact("posko", "postbox")
    office.sender.run_once()
    office.sender.measure()
    assert (WAITING._value.get(), OLDEST._value.get()) == (0, 0)


def test_a_slow_channel_does_not_hold_up_the_others(file_engine: Engine) -> None:
    slow, quick = Postbox("slow"), Postbox("quick")
    slow.gate.clear()
    office = Office(file_engine, slow, quick)
    for channel in ("slow", "quick"):
        office.contact("posko", channel)
    stop = threading.Event()
    loop = threading.Thread(target=office.sender.loop, args=(stop,))
    loop.start()
    try:
        for number in range(8):
            office.post(f"s{number}", channel="slow")
            office.post(f"q{number}", channel="quick")
        office.sender.wake()
        wait_until(lambda: len(quick.got) == 8)
        assert slow.got == []
        slow.gate.set()
        wait_until(lambda: len(slow.got) == 8)
    finally:
        slow.gate.set()
        stop.set()
        loop.join(10)
    assert not loop.is_alive()
    assert set(office.states().values()) == {"sent"}


def test_a_new_notice_leaves_at_once_when_the_sender_is_told(file_engine: Engine) -> None:
    box = Postbox()
    office = Office(file_engine, box)
    office.contact("posko", "postbox")
    stop = threading.Event()
    loop = threading.Thread(target=office.sender.loop, args=(stop,))
    loop.start()
    try:
        took = []
        for number in range(5):
            time.sleep(0.05)
            office.post(f"n{number}")
            began = time.monotonic()
            office.sender.wake()
            wait_until(lambda count=number + 1: len(box.got) == count)  # type: ignore[misc]
            took.append(time.monotonic() - began)
    finally:
        stop.set()
        loop.join(10)
    assert min(took) < 0.25


def test_a_database_that_is_away_for_a_moment_ends_no_thread(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'later.db'}", durable=False)
    box = Postbox()
    office = Office(engine, box)
    stop = threading.Event()
    loop = threading.Thread(target=office.sender.loop, args=(stop,))
    loop.start()
    try:
        time.sleep(0.2)
        metadata.create_all(engine)
        office.contact("posko", "postbox")
        office.post("a")
        office.sender.wake()
        wait_until(lambda: len(box.got) == 1)
    finally:
        stop.set()
        loop.join(10)
        engine.dispose()
