"""A sweep: everything that changed is written, in pieces, and it is known up to where."""

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from app.sweep import Sweep


class Stopwatch:
    """Time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_sweep_begins_at_its_interval_and_takes_no_more_than_its_share_of_time() -> None:
    watch = Stopwatch()
    sweep: Sweep[int] = Sweep(1.0, watch, fewest=2)
    sweep.fresh.update(a=1, b=2, c=3)
    assert len(sweep.take(7)) == 2
    watch.now += 0.010
    assert sweep.written() is None
    assert not sweep.due()  # ten milliseconds of work are followed by 90 of rest
    watch.now += 0.095
    assert len(sweep.take(8)) == 1
    assert sweep.written() == 7  # what changed since is not in it
    sweep.fresh["a"] = 4
    watch.now += 0.5
    assert not sweep.due()
    watch.now += 0.5
    assert sweep.take(9) == {"a": 4}
    assert sweep.written() == 9


def test_at_leisure_a_sweep_that_has_begun_goes_on_at_once_but_none_begins_before_its_time() -> None:
    watch = Stopwatch()
    sweep: Sweep[int] = Sweep(1.0, watch, fewest=1)
    sweep.fresh.update(a=1, b=2)
    sweep.take(1)
    watch.now += 0.010
    sweep.written()
    assert sweep.under_way
    assert not sweep.take(2)
    assert len(sweep.take(2, at_leisure=True)) == 1
    assert sweep.written() == 1
    sweep.fresh["a"] = 3
    assert not sweep.due(at_leisure=True)


def test_what_changes_again_in_mid_sweep_is_written_as_it_is_now() -> None:
    sweep: Sweep[int] = Sweep(1e-9, Stopwatch(), fewest=1)
    sweep.fresh.update(a=1, b=2)
    [first] = sweep.take(1)
    sweep.written()
    other = "b" if first == "a" else "a"
    sweep.fresh[other] = 9
    assert sweep.get(other) == 9
    assert sweep.take(2) == {other: 9}
    assert sweep.written() == 1
    assert not sweep.fresh


def test_without_an_interval_everything_is_written_with_every_batch() -> None:
    sweep: Sweep[int] = Sweep(0)
    sweep.fresh.update({str(n): n for n in range(1, 1001)})
    assert len(sweep.take(1)) == 1000
    assert sweep.written() == 1


def test_an_infinite_interval_never_comes() -> None:
    sweep: Sweep[int] = Sweep(inf)
    sweep.fresh["a"] = 1
    assert not sweep.due()


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcde"), max_size=5), st.booleans()), max_size=30))
def test_up_to_the_position_it_names_every_change_was_written(batches: list[tuple[set[str], bool]]) -> None:
    watch = Stopwatch()
    sweep: Sweep[int] = Sweep(1.0, watch, fewest=2)
    changed: dict[str, list[int]] = {}
    kept: dict[str, int] = {}
    upto = 0
    for pos, (keys, late) in enumerate(batches, start=1):
        sweep.fresh.update(dict.fromkeys(keys, pos))
        for key in keys:
            changed.setdefault(key, []).append(pos)
        watch.now += 5.0 if late else 0.001
        if piece := sweep.take(pos):
            kept.update(piece)
            upto = sweep.written() or upto
        for key, at in changed.items():
            assert kept.get(key, 0) >= max((one for one in at if one <= upto), default=0)
            assert sweep.get(key) == at[-1] or kept[key] == at[-1]
