"""Timers against the simplest thing that could be right: a dict that is searched."""

from hypothesis import given
from hypothesis import strategies as st

from models.timers import Timer, Timers

names = st.sampled_from("abcd").map(lambda name: (name, "main", "silent"))
steps = st.one_of(st.tuples(names, st.one_of(st.none(), st.integers(0, 50))), st.integers(0, 50))


@given(st.lists(steps, max_size=60))
def test_timers_come_due_as_a_searched_dict_says(found: list[tuple[Timer, int | None] | int]) -> None:
    timers, waiting = Timers(), dict[Timer, int]()
    for step in found:
        if isinstance(step, tuple):
            timer, due = step
            timers.set(timer, due)
            waiting.pop(timer, None)
            if due is not None:
                waiting[timer] = due
        else:
            expected = sorted((due, timer) for timer, due in waiting.items() if due <= step)
            popped = []
            while (popped_timer := timers.pop(step)) is not None:
                popped.append(popped_timer)
                del waiting[popped_timer]
            assert popped == [timer for _, timer in expected]
        assert timers.next_due() == min(waiting.values(), default=None)


def test_a_timer_that_is_always_moved_on_stays_one_entry() -> None:
    timers = Timers()
    for due in range(1_000):
        timers.set(("a", "main", "silent"), due)
    assert len(timers) == 1
