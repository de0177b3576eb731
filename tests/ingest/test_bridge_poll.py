"""When a feed is asked, what is kept on disk, and what is seen when it goes badly."""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest.bridge import Mark
from ingest.feedbook import FeedBook, read_status
from ingest.fetch import retry_after_s, same_place
from ingest.poll import back_off_s
from pantau.city import Feed
from pantau.errors import ConfigError
from tests.ingest.bridging import MINUTE, Rig
from tests.ingest.small_city import T0
from tests.peers.feeds import FeedServer, Post, feeds, send, wib


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with feeds() as running:
        running.posts = [Post(id="116", mm=800, tanggal=wib(T0))]
        yield running


@pytest.fixture
def rig(server: FeedServer, tmp_path: Path) -> Iterator[Rig]:
    running = Rig(Feed(name="f", kind="posko_banjir", url=server.posko, every_s=300), tmp_path)
    yield running
    running.close()


def test_a_feed_is_asked_once_a_period_with_some_chance_in_it(rig: Rig) -> None:
    assert rig.at.due_in_s() == 0
    waits = []
    for _ in range(20):
        rig.poll()
        waits.append(rig.at.due_in_s())
    assert all(300 <= wait <= 330 for wait in waits)
    assert len(set(waits)) > 10


def test_a_restart_does_not_ask_sooner(rig: Rig) -> None:
    rig.poll()
    rig.restart()
    assert rig.at.due_in_s() >= 300


def test_failures_double_the_wait_up_to_an_hour_and_a_success_ends_it(server: FeedServer, rig: Rig) -> None:
    server.misbehave = [send(500)] * 6
    waits = []
    for _ in range(6):
        rig.poll(rig.at.due_in_s() / 60)
        waits.append(rig.at.due_in_s())
        assert rig.at.is_backing_off
    for wait, least in zip(waits, (300, 600, 1200, 2400, 3600, 3600), strict=True):
        assert least <= wait <= least * 1.1
    rig.poll(60)
    assert 300 <= rig.at.due_in_s() <= 330
    assert not rig.at.is_backing_off


@given(every_s=st.integers(60, 86_400), errors=st.integers(1, 10_000))
def test_a_wait_is_never_shorter_than_the_period_nor_longer_than_an_hour(every_s: int, errors: int) -> None:
    assert every_s <= back_off_s(every_s, errors) <= max(3600, every_s)


@pytest.mark.parametrize("status", [429, 503, 403])
def test_the_feeds_own_wish_is_granted_up_to_a_day(server: FeedServer, rig: Rig, status: int) -> None:
    server.misbehave = [send(status, Retry_After="7200")]
    rig.poll()
    assert 7200 <= rig.at.due_in_s() <= 7200 * 1.1
    rig.restart()
    assert rig.at.due_in_s() >= 7200
    server.misbehave = [send(status, Retry_After="99999999")]
    rig.poll(180)
    assert 86_400 <= rig.at.due_in_s() <= 86_400 * 1.1


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("120", 120), (" 0 ", 0), ("Fri, 02 Jan 2026 03:02:00 GMT", 120), ("Fri, 02 Jan 2026 02:00:00 GMT", 0),
        ("Fri, 02 Jan 2026 03:02:00 -0000", 120), ("", None), ("soon", None), ("-5", None), ("1e3", None), ("²", None),
    ],
)  # fmt: skip
def test_a_wish_is_a_number_or_a_date(text: str, want: float | None) -> None:
    assert retry_after_s(text, T0 / 1000) == want


@given(st.text(max_size=40))
def test_any_wish_is_understood_or_ignored(text: str) -> None:
    found = retry_after_s(text, T0 / 1000)
    assert found is None or found >= 0


def test_the_same_place_is_scheme_host_and_port() -> None:
    assert same_place("http://a.test/x", "http://a.test:80/y")
    assert not same_place("http://a.test/", "https://a.test/")
    assert not same_place("http://a.test/", "http://a.test:8080/")
    assert not same_place("http://a.test/", "http://a.test.evil.test/")
    assert not same_place("http://a.test/", "http://a.test@evil.test/")
    assert not same_place("http://a.test/", "http://[")


def stands_still(rig: Rig) -> bool:
    return rig.book.state.still


def test_a_feed_that_answers_and_does_not_move_is_told_once_and_so_is_its_return(
    server: FeedServer, rig: Rig
) -> None:
    # The post's cadence is 10 minutes, so half an hour without anything new is too long.
    with capture_logs() as logs:
        rig.poll()
        for _ in range(6):
            rig.poll()
        assert not stands_still(rig)
        for _ in range(3):
            rig.poll()
        assert stands_still(rig)
        assert rig.well
        rig.restart()
        rig.poll()
        server.posts[0].tanggal = wib(T0 + 60 * MINUTE)
        rig.poll()
        assert not stands_still(rig)
    events = [line["event"] for line in logs if line["event"].startswith("feed ")]
    assert events == ["feed stands still", "feed moves again"]


def test_a_finding_is_told_once_and_a_failure_each_time(server: FeedServer, rig: Rig) -> None:
    server.posts[0].limits = (1, 2, 3)
    with capture_logs() as logs:
        rig.poll()
        server.validators = False
        rig.poll()
        server.misbehave = [send(500), send(500)]
        rig.poll()
        rig.poll()
    events = [line["event"] for line in logs]
    assert events == ["bridge finding", "bridge polled", "bridge polled", "bridge failed", "bridge failed"]
    assert {line["bridge"] for line in logs} == {"f"}


def test_a_changed_address_does_not_inherit_the_tag_of_the_former_one(server: FeedServer, rig: Rig) -> None:
    rig.poll()
    rig.feed = Feed(name="f", kind="posko_banjir", url=f"{server.posko}?v=2")
    rig.restart()
    rig.poll()
    assert "If-None-Match" not in server.asked[-1].headers


def test_a_bug_of_a_bridge_is_told_and_costs_a_poll(rig: Rig) -> None:
    def broken(*_: object) -> NoReturn:
        raise ZeroDivisionError

    rig.at._look = broken
    with capture_logs() as logs:
        assert rig.poll() == []
    assert not rig.well
    assert "ZeroDivisionError" in rig.book.state.error
    assert logs[0]["event"] == "bridge raised"


# --- the file -------------------------------------------------------------------------------------------------------


def test_messages_marks_and_state_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    book = FeedBook(tmp_path / "b.db")

    def interrupted() -> Iterator[tuple[str, bytes]]:
        yield "a", b"1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book.take(interrupted(), {"x": Mark(1, 2.0)})
    assert (len(book), book.marks()) == (0, {})
    book.take([("a", b"1")], {"x": Mark(1, 2.0, "c")})
    book.close()
    again = FeedBook(tmp_path / "b.db")
    assert (len(again), again.marks()) == (1, {"x": Mark(1, 2.0, "c")})
    again.close()


def test_a_full_outbox_lets_the_oldest_go_and_counts_them(tmp_path: Path) -> None:
    book = FeedBook(tmp_path / "b.db", most_bytes=1000)
    dropped = [book.take([("topic", b"%095d" % n)], {}) for n in range(15)]
    assert (sum(dropped), book.state.dropped, len(book)) == (5, 5, 10)
    assert [int(one.payload) for one in book.waiting(100)] == list(range(5, 15))
    book.close()
    again = FeedBook(tmp_path / "b.db", most_bytes=1000)
    assert again.take([("topic", b"%095d" % 15)], {}) == 1
    assert again.state.dropped == 6
    again.close()


def test_a_full_outbox_is_told(server: FeedServer, rig: Rig) -> None:
    rig.book.close()
    rig.book = rig.at.book = FeedBook(rig.path, most_bytes=1)
    rig.clock.set(T0)
    rig.at.once()
    server.posts[0].mm = 900
    with capture_logs() as logs:
        rig.at.once()
    (full,) = [line for line in logs if line["event"] == "bridge outbox full, the oldest messages go"]
    assert full["dropped"] == 1


def test_one_process_at_a_time_works_at_a_feed_and_others_may_look(rig: Rig) -> None:
    rig.clock.set(T0)
    rig.at.once()
    with pytest.raises(ConfigError, match="runs already"):
        FeedBook(rig.path)
    status = read_status(rig.path)
    assert status is not None
    assert (status.waiting, status.state.taken, status.state.last_observed_at) == (1, 1, T0)


def test_a_file_that_is_something_else_is_told(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    assert read_status(path) is None
    path.write_text("something else, long enough to be no database file", encoding="utf-8")
    with pytest.raises(ConfigError, match="move it away"):
        read_status(path)
    with pytest.raises(ConfigError, match="move this file away"):
        FeedBook(path)
    with pytest.raises(ConfigError, match="PANTAU_DATA"):
        FeedBook(path / "below" / "b.db")


def test_a_disk_that_takes_nothing_is_told_and_nothing_counts_as_sent(server: FeedServer, rig: Rig) -> None:
    server.posts = [Post(id="116", mm=800, tanggal=wib(T0)), Post(id="rob-1", mm=1, tanggal=wib(T0))]
    rig.book._file.execute("PRAGMA query_only = 1")  # every write fails, as on a full disk
    rig.clock.set(T0)
    assert not rig.at.once()
    assert "cannot be written" in rig.book.state.error
    assert rig.book.state.taken == 0
    rig.book._file.execute("PRAGMA query_only = 0")
    assert len(rig.poll()) == 2
