"""The alert machine: what voices say becomes transitions, and ISA-18.2 decides what operators may do."""

import pytest

from pantau.alert import TABLE, AlertKey, AlertState, Occasion, next_state, operate, update
from pantau.event import Transition

KEY = AlertKey("116", "flood", "level", "116")


class Machine:
    """One alert under test."""

    def __init__(self) -> None:
        self.alert: AlertState | None = None
        self.at = 0

    def say(
        self, confirmed: int, tentative: int = 0, *, wrong: bool = False, late: bool = False
    ) -> list[Transition]:
        self.at += 1
        occasion = Occasion(at=self.at, now=self.at, wrong=wrong, late=late, remind_at=self.at + 15)
        self.alert, transitions = update("contoh", KEY, self.alert, confirmed, tentative, occasion)
        return transitions

    def operate(self, trigger: str, until: int = 0) -> Transition | None:
        assert self.alert is not None
        return operate(self.alert, trigger, Occasion(at=self.at, now=self.at, by="sari"), until=until)


def told(transitions: list[Transition]) -> list[tuple[str, int, bool]]:
    return [(transition.what, transition.severity, transition.confirmed) for transition in transitions]


def test_a_raise_a_fall_and_the_end() -> None:
    machine = Machine()
    assert told(machine.say(1)) == [("raised", 1, True)]
    assert told(machine.say(3)) == [("raised", 3, True)]
    assert told(machine.say(3)) == []
    assert told(machine.say(2)) == [("lowered", 2, True)]
    assert told(machine.say(0)) == [("closed", 0, True)]
    assert machine.alert is not None
    assert machine.alert.state == "returned_unacknowledged"


def test_a_jump_opens_unconfirmed_and_the_next_reading_confirms_it() -> None:
    machine = Machine()
    assert told(machine.say(0, 2)) == [("raised", 2, False)]
    assert told(machine.say(2)) == [("confirmed", 2, True)]


def test_the_lesser_severity_is_confirmed() -> None:
    machine = Machine()
    machine.say(0, 3)
    assert told(machine.say(1)) == [("confirmed", 1, True)]


def test_what_lies_above_the_confirmed_jump_is_a_raise_of_its_own() -> None:
    machine = Machine()
    machine.say(0, 1)
    assert told(machine.say(2)) == [("confirmed", 1, True), ("raised", 2, True)]


def test_a_further_jump_is_pending_again() -> None:
    machine = Machine()
    machine.say(0, 1)
    assert told(machine.say(1, 3)) == [("confirmed", 1, True), ("raised", 3, False)]
    assert told(machine.say(1)) == [("withdrawn", 1, True)]
    assert told(machine.say(0)) == [("closed", 0, True)]


def test_a_jump_that_returned_is_withdrawn_and_needs_no_acknowledgement() -> None:
    machine = Machine()
    machine.say(0, 3)
    assert told(machine.say(0)) == [("withdrawn", 0, False)]
    assert machine.alert is not None
    assert (machine.alert.is_open, machine.alert.state) == (False, "normal")


def test_a_wrong_reading_is_withdrawn_not_lowered() -> None:
    machine = Machine()
    machine.say(2)
    assert told(machine.say(0, wrong=True)) == [("withdrawn", 0, True)]


def test_the_same_condition_later_is_another_alert_with_another_id() -> None:
    machine = Machine()
    first = machine.say(1)[0].alert
    machine.say(0)
    assert machine.say(1)[0].alert != first


def test_ids_are_the_same_on_every_machine() -> None:
    assert Machine().say(1)[0].alert == Machine().say(1)[0].alert


def test_acknowledge_then_return_is_normal() -> None:
    machine = Machine()
    machine.say(1)
    acknowledged = machine.operate("acknowledge")
    assert acknowledged is not None
    assert (acknowledged.what, acknowledged.by, acknowledged.state) == (
        "acknowledged",
        "sari",
        "acknowledged",
    )
    assert machine.say(0)[0].state == "normal"


def test_only_a_worsening_asks_for_a_new_acknowledgement() -> None:
    machine = Machine()
    machine.say(2)
    machine.operate("acknowledge")
    assert machine.say(1)[0].state == "acknowledged"
    assert machine.say(3)[0].state == "unacknowledged"


def test_a_shelf_hides_but_not_a_worsening() -> None:
    machine = Machine()
    machine.say(1)
    machine.operate("shelve", until=99)
    assert machine.alert is not None
    assert machine.alert.due == 99
    assert machine.say(2)[0].state == "unacknowledged"
    assert machine.alert.shelved_until == 0


def test_what_isa_does_not_allow_does_not_happen() -> None:
    machine = Machine()
    machine.say(1)
    machine.operate("acknowledge")
    assert machine.operate("acknowledge") is None


def test_an_unconfirmed_alert_wants_to_be_told_again() -> None:
    machine = Machine()
    machine.say(0, 1)
    assert machine.alert is not None
    assert machine.alert.due == 16
    machine.say(1)
    assert machine.alert.due == 0


def test_transitions_are_numbered_without_a_hole() -> None:
    machine = Machine()
    seen = machine.say(0, 1) + machine.say(1, 3) + machine.say(2) + machine.say(0)
    assert [transition.n for transition in seen] == list(range(1, len(seen) + 1))


@pytest.mark.parametrize("pair", sorted(TABLE))
def test_every_state_of_the_table_can_be_left(pair: tuple[str, str]) -> None:
    assert next_state(*pair) in {state for state, _ in TABLE}
