"""The kept alerts: what a transition makes of a record, and how records are found again."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError

from alerts.store import alerts as store
from alerts.store import service
from alerts.store.tables import transitions
from pantau.alert import Occasion, update
from pantau.event import Transition
from pantau.record import AlertRecord
from tests.alerts.town import MINUTE, TOWN, WARNED, Life, emptied, fresh_engine, key_of

SHARED = fresh_engine()


def test_a_raise_opens_an_alert_with_the_areas_it_warns(engine: Engine) -> None:
    life = Life(engine)
    change = life.says(2, value=160.5)[0]
    with engine.connect() as conn:
        record = store.alert(conn, change.record.id)
    assert record == change.record
    assert record is not None
    assert (record.areas, record.value, record.raised_at, record.worst) == (WARNED, 160.5, life.at, 2)
    assert record.closed_at is None


@pytest.mark.parametrize(
    ("station", "areas"),
    [("hilir", ("99.01.01.1012",)), ("tengah", WARNED[6:]), ("laut", ("99.01.01.1001",))],
)
def test_a_station_that_warns_no_area_warns_its_own(
    engine: Engine, station: str, areas: tuple[str, ...]
) -> None:
    assert Life(engine, key_of(station)).says(1)[0].record.areas == areas


def test_an_alert_about_an_area_warns_that_area(engine: Engine) -> None:
    made = Life(engine).says(1)[0].transition
    for number, (scope, areas) in enumerate(
        {"99.01.01.1003": ("99.01.01.1003",), "system:broker": ()}.items()
    ):
        own = msgspec.structs.replace(made, alert=f"other{number}", scope=scope, station="")
        with engine.begin() as conn:
            assert store.apply(conn, [own], TOWN, 9)[0].record.areas == areas


def test_a_jump_counts_for_the_worst_only_once_it_is_confirmed(engine: Engine) -> None:
    life = Life(engine)
    pending = life.says(0, 3)[0].record
    assert (pending.severity, pending.confirmed, pending.confirmed_severity, pending.worst) == (
        3,
        False,
        0,
        0,
    )
    confirmed = life.says(2)[0].record
    assert (confirmed.severity, confirmed.confirmed, confirmed.worst) == (2, True, 2)


def test_the_end_of_the_condition_closes_even_what_nobody_has_acknowledged(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    closed = life.says(0)[0].record
    assert (closed.state, closed.closed_at, closed.worst) == ("returned_unacknowledged", life.at, 2)
    ended = life.at
    acknowledged = life.does("acknowledge")[0].record
    assert (acknowledged.state, acknowledged.closed_at) == ("normal", ended)
    assert acknowledged.acknowledged_at == ended + MINUTE


def test_what_grew_worse_since_is_not_acknowledged(engine: Engine) -> None:
    life = Life(engine)
    life.says(1)
    assert life.does("acknowledge")[0].record.acknowledged_at == life.at
    assert life.says(2)[0].record.acknowledged_at is None


def test_an_operators_act_does_not_wipe_out_the_value(engine: Engine) -> None:
    life = Life(engine)
    life.says(1, value=99.0)
    assert life.does("acknowledge")[0].record.value == 99.0


def test_a_change_tells_what_was_confirmed_before_within_one_batch_too(engine: Engine) -> None:
    life = Life(engine)
    life.says(0, 1)
    changes = life.says(3)
    assert [(c.transition.what, c.confirmed_before, c.record.confirmed_severity) for c in changes] == [
        ("confirmed", 0, 1),
        ("raised", 1, 3),
    ]


def test_one_alert_may_close_and_the_next_open_in_one_batch(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    first = transitions_of(life, 0)
    life.alert = None
    second = transitions_of(life, 1)
    with engine.begin() as conn:
        store.apply(conn, [*first, *second], TOWN, 5)
        assert [record.id for record in store.open_alerts(conn)] == [second[0].alert]


def transitions_of(life: Life, confirmed: int) -> list[Transition]:
    """What the machine says, without keeping it."""
    occasion = Occasion(at=life.at + MINUTE, now=life.at + MINUTE)
    return update(life.city.id, life.key, life.alert, confirmed, 0, occasion)[1]


def test_the_same_transition_twice_is_an_error_and_not_a_second_alert(engine: Engine) -> None:
    change = Life(engine).says(1)[0]
    with pytest.raises(IntegrityError), engine.begin() as conn:
        store.apply(conn, [change.transition], TOWN, 2)


def test_two_open_alerts_of_one_condition_cannot_be(engine: Engine) -> None:
    change = Life(engine).says(1)[0]
    twin = msgspec.structs.replace(change.transition, alert="twin")
    with pytest.raises(IntegrityError), engine.begin() as conn:
        store.apply(conn, [twin], TOWN, 2)


def test_the_timeline_keeps_every_step_with_its_reason(engine: Engine) -> None:
    life = Life(engine)
    life.says(0, 2, why={"limits": [80, 150, None], "flag_reason": "melompat 60 cm"})
    life.says(2)
    life.does("acknowledge", by="Sari")
    assert life.alert is not None
    with engine.connect() as conn:
        steps = store.timeline(conn, life.alert.id)
        assert store.timeline(conn, "nobody") == []
    assert [(step.n, step.what, step.by) for step in steps] == [
        (1, "raised", ""), (2, "confirmed", ""), (3, "acknowledged", "Sari"),
    ]  # fmt: skip
    assert steps[0].why == {"limits": [80, 150, None], "flag_reason": "melompat 60 cm"}


def test_nothing_is_written_for_a_batch_without_transitions(engine: Engine) -> None:
    with engine.begin() as conn:
        assert store.apply(conn, [], TOWN, 7) == []
        assert conn.execute(select(transitions)).all() == []
        assert store.newest_pos(conn) == 0


def fill(engine: Engine) -> list[str]:
    """Five alerts, the first two of the same instant, the last one closed; ids newest first by (raised_at, id)."""
    lives = [Life(engine, key_of(station)) for station in ("hulu", "tengah", "hilir", "laut", "alun")]
    for number, life in enumerate(lives):
        life.at += max(0, number - 1) * MINUTE
        life.pos = 10 * number
        life.says(1)
    lives[-1].says(0)
    return [record.id for record in sorted((life.changes[-1].record for life in lives), key=age)]


def age(record: AlertRecord) -> tuple[int, str]:
    return (-record.raised_at, "".join(chr(0x10FFFF - ord(character)) for character in record.id))


def test_pages_list_everything_once_newest_first(engine: Engine) -> None:
    expected = fill(engine)
    for size in (1, 2, 3, 5, 6):
        got: list[str] = []
        cursor: str | None = None
        with engine.connect() as conn:
            while True:
                page, cursor = store.listing(conn, state="all", cursor=cursor, limit=size)
                got += [record.id for record in page]
                if cursor is None:
                    break
        assert got == expected


def test_a_listing_can_be_narrowed(engine: Engine) -> None:
    fill(engine)
    with engine.connect() as conn:

        def stations(**wanted: object) -> set[str]:
            return {record.station for record in store.listing(conn, **wanted)[0]}  # type: ignore[arg-type]

        assert stations() == {"hulu", "tengah", "hilir", "laut"}
        assert stations(state="all", hazard="density") == {"alun"}
        assert stations(area="99.01.01.1012") == {"hulu", "tengah", "hilir"}
        assert stations(area="99.01.01.101") == set()
        assert stations(area="%") == set()
        newest = max(record.changed_at for record in store.open_alerts(conn))
        assert stations(since=newest) == {"laut"}
        with pytest.raises(ValueError, match="active or all"):
            stations(state="closed")
        for wrong in ("", "xx", "!", "é"):
            with pytest.raises(ValueError, match="none of ours"):
                stations(cursor=wrong)


def test_readers_follow_by_change_number(engine: Engine) -> None:
    fill(engine)
    with engine.connect() as conn:
        assert store.newest_pos(conn) == 42
        assert [record.pos for record in store.changed_since(conn, 11)] == [21, 31, 42]
        assert store.changed_since(conn, 42) == []


@given(value=st.none() | st.floats(allow_nan=False, allow_infinity=False), note=st.text(), code=st.text())
def test_what_is_written_is_read(value: float | None, note: str, code: str) -> None:
    engine = emptied(SHARED)
    why = {"note": note.replace("\0", ""), "code": code.encode("utf-8", "ignore").decode()}
    change = Life(engine).says(1, value=value, why=why)[0]
    with engine.connect() as conn:
        assert store.alert(conn, change.record.id) == change.record
        assert store.timeline(conn, change.record.id)[0].why == why


def test_stations_under_repair_are_kept_with_the_note(engine: Engine) -> None:
    with engine.begin() as conn:
        service.take_out(conn, "hulu", since=1, by="Sari", note="kabel putus", pos=1)
        service.take_out(conn, "hulu", since=2, by="Sari", note="diganti", pos=2)
        service.take_out(conn, "hilir", since=2, by="Sari", note="", pos=2)
        service.put_back(conn, "hilir")
        assert service.under_repair(conn) == {"hulu": "diganti"}
