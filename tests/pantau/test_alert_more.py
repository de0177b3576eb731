"""The alert machine in its corners: ids, shelves, late beginnings, orders of several steps at once."""

import pytest

from pantau.alert import AlertKey, AlertState, Occasion, alert_id, note, operate, update
from pantau.event import Transition

KEY = AlertKey("116", "flood", "level", "116")


def say(
    alert: AlertState | None, confirmed: int, tentative: int = 0, *, at: int = 1, after: int = 0, late: bool = False,
    wrong: bool = False, out_of_service: bool = False,
) -> tuple[AlertState, list[Transition]]:  # fmt: skip
    occasion = Occasion(
        at=at, now=at + 5, late=late, wrong=wrong, out_of_service=out_of_service, remind_at=at + 15
    )
    found, transitions = update("contoh", KEY, alert, confirmed, tentative, occasion, after)
    assert found is not None
    return found, transitions


def test_nothing_said_about_nothing_is_no_alert() -> None:
    assert update("contoh", KEY, None, 0, 0, Occasion(at=1, now=1)) == (None, [])


def test_an_id_depends_on_city_scope_hazard_cause_and_beginning() -> None:
    others = [
        AlertKey("117", "flood", "level"),
        AlertKey("116", "tidal", "level"),
        AlertKey("116", "flood", "rise"),
    ]
    ids = {alert_id("contoh", KEY, 1), alert_id("contoh", KEY, 2), alert_id("jakarta", KEY, 1)}
    ids |= {alert_id("contoh", other, 1) for other in others}
    assert len(ids) == 6
    assert {len(one) for one in ids} == {20}


@pytest.mark.parametrize(("at", "after", "opened_at"), [(9, 0, 9), (9, 8, 9), (9, 9, 10), (9, 20, 21)])
def test_no_two_alerts_of_a_key_open_at_one_instant(at: int, after: int, opened_at: int) -> None:
    alert, [raised] = say(None, 1, at=at, after=after)
    assert (alert.opened_at, raised.opened_at, raised.at) == (opened_at, opened_at, at)
    assert alert.id == alert_id("contoh", KEY, opened_at)


def test_an_alert_under_repair_begins_out_of_service_and_returns_to_normal() -> None:
    alert, [raised] = say(None, 2, out_of_service=True)
    assert raised.state == "out_of_service"
    assert say(alert, 3)[1][0].state == "out_of_service"
    assert say(alert, 0)[1][0].state == "normal"


def test_a_confirmation_of_less_with_a_new_jump_is_three_steps_in_their_order() -> None:
    alert, _ = say(None, 0, 2)
    _, steps = say(alert, 1, 3)
    assert [(s.what, s.severity, s.confirmed) for s in steps] == [
        ("confirmed", 1, True),
        ("raised", 3, False),
    ]
    _, steps = say(alert, 0, wrong=True)
    assert [(s.what, s.severity) for s in steps] == [("withdrawn", 1), ("withdrawn", 0)]


def test_a_jump_that_returns_while_the_confirmed_part_falls_is_both() -> None:
    alert, _ = say(None, 2)
    say(alert, 2, 3)
    _, steps = say(alert, 1)
    assert [(s.what, s.severity) for s in steps] == [("withdrawn", 2), ("lowered", 1)]


def test_when_one_of_two_jumps_returns_the_other_keeps_the_alert_open() -> None:
    alert, _ = say(None, 0, 1)
    say(alert, 0, 2)
    _, [withdrawn] = say(alert, 0, 1)
    assert (withdrawn.what, withdrawn.severity, withdrawn.confirmed) == ("withdrawn", 1, False)
    assert (alert.is_open, alert.state) == (True, "unacknowledged")
    assert [(s.what, s.severity) for s in say(alert, 1)[1]] == [("confirmed", 1)]


def test_a_confirmation_is_no_reason_to_acknowledge_again() -> None:
    alert, _ = say(None, 0, 2)
    operate(alert, "acknowledge", Occasion(at=2, now=2))
    _, [confirmed] = say(alert, 2)
    assert (confirmed.what, confirmed.state) == ("confirmed", "acknowledged")


def test_a_lesser_raise_after_a_confirmation_of_less_does_not_wake_anybody() -> None:
    alert, _ = say(None, 0, 3)
    operate(alert, "acknowledge", Occasion(at=2, now=2))
    _, steps = say(alert, 1, 2)
    assert [(s.what, s.severity, s.state) for s in steps] == [
        ("confirmed", 1, "acknowledged"),
        ("raised", 2, "unacknowledged"),
    ]


@pytest.mark.parametrize("worse", [False, True])
def test_a_shelf_keeps_its_end_until_it_gets_worse(worse: bool) -> None:
    alert, _ = say(None, 2)
    operate(alert, "shelve", Occasion(at=2, now=2), until=99)
    say(alert, 3 if worse else 1)
    assert (alert.state, alert.shelved_until) == (("unacknowledged", 0) if worse else ("shelved", 99))


def test_the_next_timer_is_the_earlier_one_and_an_ended_alert_has_none() -> None:
    alert, _ = say(None, 0, 2)
    operate(alert, "shelve", Occasion(at=2, now=2), until=99)
    assert alert.due == 16
    alert.remind_at = 200
    assert alert.due == 99
    say(alert, 0)
    assert alert.due == 0


def test_a_late_beginning_is_untold_until_it_ends() -> None:
    alert, [raised] = say(None, 1, late=True)
    assert (raised.late, alert.untold) == (True, True)
    say(alert, 2)
    assert alert.untold
    say(alert, 0)
    assert not alert.untold


def test_a_late_fall_does_not_make_an_alert_untold() -> None:
    alert, _ = say(None, 2)
    say(alert, 1, late=True)
    assert not alert.untold


def test_once_vouched_for_an_ended_alert_says_so() -> None:
    alert, _ = say(None, 1)
    _, [further] = say(alert, 1, 3)
    assert not further.confirmed
    _, steps = say(alert, 0)
    assert [(s.what, s.confirmed) for s in steps] == [("withdrawn", True), ("closed", True)]


def test_a_note_changes_nothing_but_the_number() -> None:
    alert, _ = say(None, 2)
    told = note(alert, "retold", alert.severity, Occasion(at=3, now=4, by="sari"))
    assert (told.n, told.what, told.severity, told.previous, told.by, told.state) == (
        2,
        "retold",
        2,
        2,
        "sari",
        alert.state,
    )


@pytest.mark.parametrize(
    ("trigger", "words"),
    [("shelve", "shelved"), ("out_of_service", "out_of_service"), ("acknowledge", "acknowledged")],
)
def test_what_an_operator_did_is_told_in_the_past_tense(trigger: str, words: str) -> None:
    alert, _ = say(None, 2)
    done = operate(alert, trigger, Occasion(at=3, now=4, by="sari"), until=9)
    assert done is not None
    assert (done.what, done.by, done.previous, done.severity) == (words, "sari", 2, 2)
