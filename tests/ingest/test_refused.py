"""Refused messages and conflicts in the database: kept whole where they fit, bounded, found again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine

from ingest import refused as kept_messages
from ingest.decode import Refused
from ingest.format import Message
from ingest.store.conflicts import Conflict, latest_conflicts, note_conflicts
from ingest.store.latest import latest_since, scores_since, upsert_latest, upsert_scores
from ingest.store.tables import metadata
from pantau.record import LatestRecord, ScoreRecord
from tests.ingest.small_city import T0
from tests.peers import Postgres, postgres

MIB = 1 << 20


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def connection(request: pytest.FixtureRequest) -> Iterator[Connection]:
    is_sqlite = request.param == "sqlite"
    engine = create_engine(
        "sqlite://" if is_sqlite else request.getfixturevalue("postgres_server").new_database()
    )
    metadata.create_all(engine)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def refused(payload: bytes = b"x", code: str = "not_json", topic: str = "a/b", at: int = T0) -> Refused:
    return Refused(Message(topic, payload, at), code, f"reason of {code}")


def test_a_message_is_kept_with_everything_needed_to_understand_it(connection: Connection) -> None:
    message = Message("a/b\0c", b"\x00\xff", T0, retain=True)
    kept_messages.keep(connection, [Refused(message, "not_json", "why")])
    (kept,) = kept_messages.listing(connection)
    assert (kept.topic, kept.payload, kept.size) == ("a/b\N{REPLACEMENT CHARACTER}c", b"\x00\xff", 2)
    assert (kept.received_at, kept.retained, kept.code, kept.reason) == (T0, True, "not_json", "why")
    assert kept.retried_at is None
    assert kept.obstacle == ""


def test_a_message_with_many_bad_items_is_one_row(connection: Connection) -> None:
    message = Message("a/b", b"[...]", T0)
    kept_messages.keep(connection, [Refused(message, "bad_value", f"no {n}", n) for n in range(1000)])
    (kept,) = kept_messages.listing(connection)
    assert kept.reason == "[0] no 0; [1] no 1; [2] no 2; [3] no 3; [4] no 4; and 995 more items"


def test_equal_messages_that_came_twice_are_two_rows(connection: Connection) -> None:
    kept_messages.keep(connection, [refused(), refused()])
    assert len(kept_messages.listing(connection)) == 2


def test_a_payload_is_cut_at_a_mebibyte_and_its_size_told(connection: Connection) -> None:
    kept_messages.keep(connection, [refused(b"y" * MIB), refused(b"z" * (MIB + 1))])
    longer, whole = kept_messages.listing(connection)
    assert (len(whole.payload), whole.size, whole.obstacle) == (MIB, MIB, "")
    assert (len(longer.payload), longer.size) == (MIB, MIB + 1)
    assert "were kept" in longer.obstacle


def test_a_batch_of_large_payloads_is_bounded(connection: Connection) -> None:
    kept_messages.keep(connection, [refused(b"y" * MIB) for _ in range(70)])
    sizes = [len(kept.payload) for kept in kept_messages.listing(connection)]
    assert len(sizes) == 70
    assert sum(sizes) <= 64 * MIB + 70 * 1024


def test_nothing_refused_writes_nothing(connection: Connection) -> None:
    kept_messages.keep(connection, [])
    assert kept_messages.listing(connection) == []


def test_they_are_listed_newest_first_by_code_and_counted(connection: Connection) -> None:
    kept_messages.keep(
        connection, [refused(code="a"), refused(code="b", topic="1"), refused(code="b", topic="2")]
    )
    assert [kept.code for kept in kept_messages.listing(connection)] == ["b", "b", "a"]
    assert [kept.topic for kept in kept_messages.listing(connection, limit=1, code="b")] == ["2"]
    assert list(kept_messages.count_by_code(connection).items()) == [("b", 2), ("a", 1)]


def test_what_was_retried_is_not_offered_again_unless_named(connection: Connection) -> None:
    kept_messages.keep(connection, [refused(topic=str(n), code="odd" if n % 2 else "even") for n in range(6)])
    first, *_ = ids = [kept.id for kept in reversed(kept_messages.listing(connection))]
    assert [kept.topic for kept in kept_messages.take_for_retry(connection, code="odd")] == ["1", "3", "5"]
    assert [kept.topic for kept in kept_messages.take_for_retry(connection, after=ids[3])] == ["4", "5"]
    kept_messages.mark_retried(connection, [first], T0 + 5)
    assert [kept.topic for kept in kept_messages.take_for_retry(connection, limit=2)] == ["1", "2"]
    (again,) = kept_messages.take_for_retry(connection, [first])
    assert again.retried_at == T0 + 5


@pytest.mark.parametrize("code", ["retained_without_time", "store_refused"])
def test_what_would_do_harm_when_sent_again_says_so(connection: Connection, code: str) -> None:
    kept_messages.keep(connection, [refused(code=code)])
    (kept,) = kept_messages.listing(connection)
    assert kept.obstacle


def test_the_oldest_go_when_there_are_too_many_or_too_large(connection: Connection) -> None:
    kept_messages.keep(connection, [refused(b"0123456789", topic=str(n)) for n in range(10)])
    assert kept_messages.prune(connection) == 0
    assert kept_messages.prune(connection, most_rows=8) == 2
    assert [kept.topic for kept in kept_messages.listing(connection)] == list("98765432")
    assert kept_messages.prune(connection, most_bytes=35) == 5
    assert [kept.topic for kept in kept_messages.listing(connection)] == list("987")


def test_conflicts_are_listed_newest_first(connection: Connection) -> None:
    first = Conflict("116", "main", "water_level", T0, 1.0, 2.0, T0 + 5, 1)
    second = first._replace(value=3.0)
    note_conflicts(connection, [first, second])
    note_conflicts(connection, [])
    assert latest_conflicts(connection) == [second, first]


def record(pos: int, value: float = 1.0, **more: object) -> LatestRecord:
    fields = {"station": "116", "sensor": "main", "kind": "water_level", **more}
    return LatestRecord(value=value, flag=1, reason="", observed_at=T0, received_at=T0, pos=pos, **fields)  # type: ignore[arg-type]


def test_the_latest_value_replaces_the_former_field_by_field(connection: Connection) -> None:
    upsert_latest(connection, [record(1, rate=2.5, severity=2, tentative=3)])
    upsert_latest(connection, [record(2, 1.5), record(2, 2.5), record(2, 9.0, sensor="radar")])
    upsert_latest(connection, [])
    assert latest_since(connection, 0) == [record(2, 2.5), record(2, 9.0, sensor="radar")]


def test_only_what_changed_since_a_position_is_told_in_order(connection: Connection) -> None:
    upsert_latest(connection, [record(5, station="b"), record(4, station="c"), record(6, station="a")])
    assert [found.station for found in latest_since(connection, 4)] == ["b", "a"]
    assert [found.station for found in latest_since(connection, -1)] == ["c", "b", "a"]


def test_the_newest_score_of_a_detector_replaces_its_former(connection: Connection) -> None:
    def score(pos: int, value: float, *, shadow: bool = False) -> ScoreRecord:
        return ScoreRecord(
            station="116", sensor="main", detector="rise", version="1", at=T0, score=value, reason="", shadow=shadow,
            pos=pos,
        )  # fmt: skip

    upsert_scores(connection, [score(1, 0.1)])
    upsert_scores(connection, [score(2, 0.2), score(3, 0.3, shadow=True)])
    upsert_scores(connection, [])
    assert scores_since(connection, -1) == [score(3, 0.3, shadow=True)]
    assert scores_since(connection, 3) == []
