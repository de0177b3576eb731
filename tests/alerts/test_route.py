"""Who hears of what: the rules one by one, and what must hold for every life an alert can have."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from alerts.news import OPERATORS, Change, News, news_for
from alerts.route import route
from alerts.suppress import is_suppressed
from pantau.alert import AlertKey
from pantau.city import Recipient
from tests.alerts.town import TOWN, Life, emptied, fresh_engine, key_of, one_change

STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 3), st.integers(0, 3)),
        st.tuples(st.just("wrong"), st.integers(0, 3)),
        st.sampled_from(["acknowledge", "shelve", "unshelve", "unconfirmed", "retold"]),
    ),
    max_size=12,
)
SHARED = fresh_engine()
AUDIENCE = {recipient.role: recipient.audience for recipient in TOWN.recipients}


def roles(change: Change) -> set[str]:
    return set() if is_suppressed(change) else {recipient.role for recipient in route(change, TOWN)}


def live(steps: list[object], key: AlertKey | None = None) -> list[Change]:
    """A life in which all this happens, as far as the machine allows it."""
    life = Life(emptied(SHARED), key or key_of())
    for step in steps:
        match step:
            case ("wrong", int(confirmed)):
                life.says(min(confirmed, life.alert.confirmed if life.alert else 0), wrong=True, by="Sari")
            case (int(confirmed), int(tentative)):
                life.says(confirmed, tentative if tentative > confirmed else 0)
            case str(word) if life.alert is not None and life.alert.is_open:
                if word in {"unconfirmed", "retold"}:
                    life.notes(word)
                else:
                    life.does(word)
    return life.changes


@given(steps=STEPS)
def test_a_pending_jump_is_told_to_operators_only(steps: list[object]) -> None:
    for change in live(steps):
        for role in roles(change):
            if AUDIENCE[role] != OPERATORS:
                # Whatever it is, it is about the confirmed part: that moved, or is told late.
                moved = change.confirmed_before != change.record.confirmed_severity
                assert moved or change.transition.what in {"retold", "in_service"}


@given(steps=STEPS)
def test_whoever_heard_a_raise_hears_the_end(steps: list[object]) -> None:
    heard: dict[str, set[str]] = {}
    for change in live(steps):
        told, own = roles(change), change.transition.alert
        for role in told:
            news = news_for(change, AUDIENCE[role])
            if news in {News.RAISED, News.CONFIRMED, News.RETOLD, News.UNCONFIRMED}:
                heard.setdefault(own, set()).add(role)
        if change.transition.severity == 0 and change.transition.what in {"closed", "lowered", "withdrawn"}:
            waiting = {
                role
                for role in heard.get(own, set())
                if AUDIENCE[role] == OPERATORS or change.confirmed_before > 0
            }
            assert waiting <= told


@given(worst=st.integers(1, 3), way_down=st.permutations([0, 1, 2]))
def test_a_confirmed_raise_and_its_all_clear_reach_the_same_roles(worst: int, way_down: list[int]) -> None:
    changes = live(
        [(worst, 0), *((severity, 0) for severity in sorted(way_down, reverse=True) if severity < worst)]
    )
    assert roles(changes[0]) == roles(changes[-1])
    assert changes[-1].transition.severity == 0


@given(steps=STEPS, cause=st.sampled_from(["main", "second"]))
def test_trouble_with_our_own_data_is_for_operators(steps: list[object], cause: str) -> None:
    for change in live(steps, key_of("hulu", cause, "data")):
        assert {AUDIENCE[role] for role in roles(change)} <= {OPERATORS}


def test_a_raise_goes_to_those_whose_limit_it_reaches(engine: Engine) -> None:
    everybody = {"operator", "posko", "camat_hulu", "lurah_l", "public"}
    assert roles(Life(engine).says(1)[0]) == everybody
    assert roles(Life(engine, key_of("tengah")).says(2)[0]) == everybody - {"camat_hulu"} | {"sekda"}
    assert roles(Life(engine, key_of("hilir")).says(3)[0]) == everybody - {"camat_hulu"} | {
        "sekda",
        "governor",
    }


def test_areas_are_matched_by_code_and_by_any_name() -> None:
    change = one_change()
    for wanted, hears in (("99.01.01.1012", True), ("kampung c", True), ("HILIR", True), ("Kota Contoh", True),
                          ("99.01.01.9999", False), ("Kota Lain", False), ("", False)):  # fmt: skip
        city = msgspec.structs.replace(
            TOWN,
            recipients=(Recipient(role="x", audience="command", channels=("webhook",), areas=(wanted,)),),
        )
        assert bool(route(change, city)) == hears, wanted


def test_an_alert_of_no_known_area_is_not_for_those_who_named_areas() -> None:
    change = one_change()
    nowhere = msgspec.structs.replace(change, record=msgspec.structs.replace(change.record, areas=()))
    assert roles(change) - roles(nowhere) == {"camat_hulu", "lurah_l"}


def test_crowds_are_not_told_to_those_who_asked_for_floods(engine: Engine) -> None:
    told = roles(Life(engine, key_of("alun")).says(3)[0])
    assert "crowd_control" in told
    assert not told & {"sekda", "governor"}


@pytest.mark.parametrize("what", ["acknowledged", "shelved", "unshelved", "out_of_service", "something_new"])
def test_what_only_stands_on_the_timeline_is_told_to_nobody(what: str) -> None:
    assert roles(one_change(what=what)) == set()


def test_a_late_change_is_told_to_nobody_and_retold_later(engine: Engine) -> None:
    life = Life(engine)
    assert roles(life.says(2, late=True)[0]) == set()
    assert roles(life.notes("retold")[0]) == roles(one_change())


def test_a_confirmed_lesser_severity_is_what_the_public_hears(engine: Engine) -> None:
    life = Life(engine)
    assert roles(life.says(0, 3)[0]) == {"operator"}
    told = roles(life.says(2)[0])
    assert {"sekda", "public"} <= told
    assert "governor" not in told


def test_a_reading_marked_wrong_is_corrected_to_all_who_heard_of_it(engine: Engine) -> None:
    life = Life(engine)
    raised = life.says(3)[0]
    corrected = life.says(0, wrong=True, by="Sari")[0]
    assert roles(corrected) == roles(raised)
    assert {news_for(corrected, audience) for audience in ("operators", "command")} == {News.CORRECTED}


def test_a_shelf_silences_steps_down_and_lets_worse_and_the_end_through(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    life.does("shelve")
    assert roles(life.says(1)[0]) == set()
    assert "public" in roles(life.says(3)[0])
    life.does("shelve")
    assert {"public", "governor"} <= roles(life.says(0)[0])


def test_a_jump_that_was_shelved_is_public_once_it_is_confirmed(engine: Engine) -> None:
    life = Life(engine)
    life.says(0, 2)
    life.does("shelve")
    assert "public" in roles(life.says(2)[0])


def test_nothing_of_a_station_under_repair_is_told(engine: Engine) -> None:
    life = Life(engine)
    assert roles(life.says(2, out_of_service=True)[0]) == set()
    assert roles(life.says(3)[0]) == set()
    assert roles(life.says(0)[0]) == set()


def test_what_a_station_says_after_its_repair_is_told(engine: Engine) -> None:
    life = Life(engine)
    life.says(2, out_of_service=True)
    back = life.does("in_service")[0]
    assert "public" in roles(back)
    assert news_for(back, "public") is News.RETOLD


def test_an_operator_may_end_the_alert_of_a_station_under_repair(engine: Engine) -> None:
    life = Life(engine)
    life.says(2)
    life.does("out_of_service")
    closed = life.says(0, value=None, by="Sari")[0]
    assert "public" in roles(closed)
    assert news_for(closed, "public") is News.CLOSED
