"""What a device lost before us is counted; what only looks like a loss is not."""

import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.sequence import PARTS, Numbering, Sequences, part_of
from pantau.reading import Reading

MIN = 60_000
T0 = 1_767_225_600_000


def sent(seq: int | None, minute: float, *, station: str = "awan-1", **more: object) -> Reading:
    at = T0 + round(minute * MIN)
    fields = {"received_at": at, "seq": seq, **more}
    return Reading(station, "water_level", 1.0, at, **fields)  # type: ignore[arg-type]


def counted(*readings: Reading) -> Numbering:
    sequences = Sequences()
    sequences.note(readings)
    [numbering] = sequences
    assert (sequences.missing, sequences.resets) == (numbering.missing, numbering.resets)
    return numbering


def run(seqs: Iterable[int], begin: float = 0) -> list[Reading]:
    """One message a minute."""
    return [sent(seq, begin + index) for index, seq in enumerate(seqs)]


def facts(numbering: Numbering) -> tuple[int, int, int, int]:
    return numbering.last_seq, numbering.received, numbering.missing, numbering.resets


def test_a_device_that_loses_nothing_has_no_gap() -> None:
    assert facts(counted(*run(range(7, 107)))) == (106, 100, 0, 0)


def test_a_gap_is_what_lies_between_two_numbers_and_bears_the_time_of_the_second() -> None:
    found = counted(*run([1, 2, 6, 7, 9]))
    assert facts(found) == (9, 5, 4, 0)
    assert found.last_gap_at == T0 + 4 * MIN


def test_readings_without_a_number_are_not_devices_that_count() -> None:
    sequences = Sequences()
    sequences.note([sent(None, minute) for minute in range(5)])
    assert len(sequences) == 0
    assert sequences.dump_changed() == {}


def test_the_first_number_is_where_counting_begins_whatever_it_is() -> None:
    assert facts(counted(sent(4_000_000_000_000, 0))) == (4_000_000_000_000, 1, 0, 0)


def test_a_message_twice_and_several_readings_of_one_message_count_once() -> None:
    assert facts(counted(sent(1, 0), sent(2, 1), sent(2, 1), sent(2, 1.5), sent(1, 0), sent(3, 2))) == (
        3,
        3,
        0,
        0,
    )


def test_messages_in_another_order_leave_no_gap() -> None:
    order = [0, 3, 1, 2, 4, 7, 6, 5, 8]
    assert facts(counted(*[sent(n, n) for n in order])) == (8, 9, 0, 0)


def test_a_gateways_late_batch_closes_the_gap_it_left_hours_ago() -> None:
    live, late = run(range(100)), run(range(100, 700), begin=100)
    after = run(range(700, 720), begin=700)
    assert facts(counted(*live, *after)) == (719, 120, 600, 0)
    assert facts(counted(*live, *after, *late)) == (719, 720, 0, 0)
    assert facts(counted(*live, *after, *reversed(late), *late)) == (719, 720, 0, 0)


def test_a_late_batch_of_before_the_first_message_changes_nothing() -> None:
    found = counted(*run(range(500, 520), begin=500), *run(range(500)))
    assert facts(found) == (519, 20, 0, 0)


def test_a_device_that_starts_again_has_lost_nothing() -> None:
    assert facts(counted(*run([*range(30_000, 30_050), *range(20)]))) == (19, 70, 0, 1)


def test_a_device_that_starts_again_after_three_messages_is_seen() -> None:
    assert facts(counted(*run([0, 1, 2, 0, 1, 2, 3]))) == (3, 7, 0, 1)


def test_what_was_sent_before_a_restart_and_comes_after_it_is_not_counted_as_a_leap() -> None:
    before, after = run(range(1000)), run(range(20), begin=1000)
    late = [before[985], before[990]]
    assert facts(counted(*before[:980], *after, *late)) == (19, 1000, 0, 1)


def test_a_gap_of_before_a_restart_stays() -> None:
    assert facts(counted(*run([*range(50), *range(60, 200), *range(10)]))) == (9, 200, 10, 1)


@pytest.mark.parametrize("wrap", [1 << 16, 1 << 32])
def test_a_counter_that_wraps_neither_restarts_nor_loses(wrap: int) -> None:
    assert facts(counted(*run(n % wrap for n in range(wrap - 20, wrap + 20)))) == (19, 40, 0, 0)
    assert facts(
        counted(*run(n % wrap for n in range(wrap - 20, wrap + 20) if n not in {wrap - 1, wrap}))
    ) == (
        19,
        38,
        2,
        0,
    )


def test_a_message_of_before_the_wrap_may_come_after_it() -> None:
    wrap = 1 << 16
    order = [wrap - 3, wrap - 2, wrap, wrap - 1, wrap + 2, wrap + 1, wrap - 2, wrap + 3]
    assert facts(counted(*[sent(n % wrap, n) for n in order])) == (3, 7, 0, 0)


def test_a_repeat_that_a_gateway_stamps_anew_is_no_restart() -> None:
    assert facts(counted(*run(range(100, 130)), sent(120, 31), sent(129, 32), sent(130, 33))) == (
        130,
        31,
        0,
        0,
    )


def test_a_device_that_numbers_in_another_way_has_not_lost_a_billion_messages() -> None:
    assert facts(counted(*run([5, 6, 7, 1_767_225_600, 1_767_225_601]))) == (1_767_225_601, 5, 0, 1)


def test_what_the_broker_kept_says_nothing() -> None:
    assert facts(counted(*run(range(100, 110)), sent(3, 20, retained=True), *run([110], begin=21))) == (
        110,
        11,
        0,
        0,
    )


def test_history_closes_gaps_but_is_never_a_restart() -> None:
    found = counted(*run([100, 101, 104]), sent(102, 9, historical=True), sent(2, 9, historical=True))
    assert facts(found) == (104, 4, 1, 0)


def test_a_clock_that_is_ahead_does_not_hide_the_restart() -> None:
    ahead = Reading("awan-1", "water_level", 1.0, T0 + 900 * MIN, T0 + MIN, seq=11)
    assert facts(counted(sent(10, 0), ahead, sent(0, 2), sent(1, 3))) == (1, 4, 0, 1)


def test_each_sensor_counts_for_itself() -> None:
    sequences = Sequences()
    sequences.note(
        [
            sent(1, 0),
            sent(40, 0, sensor="b"),
            sent(1, 0, station="batu-1"),
            sent(2, 1),
            sent(43, 1, sensor="b"),
        ]
    )
    assert {(n.station, n.sensor): n.missing for n in sequences} == {
        ("awan-1", "main"): 0,
        ("awan-1", "b"): 2,
        ("batu-1", "main"): 0,
    }
    assert sequences.missing == 2


def test_more_gaps_than_are_remembered_stay_counted() -> None:
    seen = run(range(0, 200, 2))
    assert facts(counted(*seen))[2] == 99
    late = [sent(n, n / 2) for n in range(1, 199, 2)]
    assert facts(counted(*seen, *late))[1:3] == (100 + 32, 99 - 32)


def test_a_restart_whose_number_falls_into_a_gap_is_a_restart() -> None:
    first = [sent(100 + n, n) for n in range(300) if n != 185]
    assert facts(counted(*first, *(sent(285 + n, 1000 + n) for n in range(3))))[2:] == (1, 1)


@settings(max_examples=200)
@given(
    lost=st.sets(st.integers(1, 298), max_size=12),
    late=st.sets(st.integers(1, 298), max_size=18),
    twice=st.sets(st.integers(0, 299), max_size=60),
    restarts=st.lists(st.integers(100, 40_000), max_size=2),
    begin=st.integers(2, 70_000),
    seed=st.integers(0, 99),
)
def test_what_a_device_lost_is_found_however_the_rest_arrives(
    lost: set[int], late: set[int], twice: set[int], restarts: list[int], begin: int, seed: int
) -> None:
    """Epochs of 300 messages; some lost, some late, some twice, each epoch beginning far from where the last ended."""
    rng = random.Random(seed)
    arriving: list[Reading] = []
    for epoch, first in enumerate([begin + 100_000, *restarts]):
        start = 1000 * epoch
        messages = [sent(first + n, start + n) for n in range(300)]
        now = [message for n, message in enumerate(messages) if n not in lost | late]
        now += [messages[n] for n in sorted(late - lost, key=lambda _: rng.random())]
        arriving += now + [messages[n] for n in sorted(twice - lost - late)]
    restarted = sum(b < a + 299 - 64 for a, b in zip([begin + 100_000, *restarts], restarts, strict=False))
    if restarted < len(restarts):
        return  # the second restart does not fall: that is a gap, and other tests are about gaps
    found = counted(*arriving)
    epochs = 1 + len(restarts)
    assert (found.received, found.missing, found.resets) == (
        epochs * (300 - len(lost)),
        epochs * len(lost),
        len(restarts),
    )


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1)
            | st.integers(-3, 70_000)
            | st.integers(2**16 - 300, 2**16 + 300),
            st.integers(-5_000_000, 5_000_000),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_no_numbers_however_mad_break_the_count_or_its_copy(sent_: list[tuple[int, int, bool]]) -> None:
    sequences, copied = Sequences(), Sequences()
    for index, (seq, at, historical) in enumerate(sent_):
        reading = Reading("awan-1", "rain", 0.0, T0 + at, T0 + index * MIN, seq=seq, historical=historical)
        sequences.note([reading])
        copied.note([reading])
        again = Sequences()
        for body in copied.dump_changed().values():
            again.load(body)
        assert list(again) == list(sequences)
        assert (again.missing, again.resets) == (sequences.missing, sequences.resets)
        copied = again
        copied._changed[part_of("awan-1")] = 1
        [numbering] = sequences
        assert numbering.missing >= sum(last - first + 1 for first, last in numbering.holes) >= 0
        assert numbering.received >= 1
        assert all(first <= last < numbering.last for first, last in numbering.holes)


def test_only_parts_that_changed_are_dumped_again_and_again_until_they_are_saved() -> None:
    sequences = Sequences()
    sequences.note([sent(1, 0, station=f"s-{n}") for n in range(2000)])
    assert len(sequences.dump_changed()) == PARTS
    sequences.saved()
    assert sequences.dump_changed() == {}
    sequences.note([sent(2, 1, station="s-7")])
    assert list(sequences.dump_changed()) == [part_of("s-7")]
    sequences.note([sent(2, 1, station="s-8")])
    assert set(sequences.dump_changed()) == {part_of("s-7"), part_of("s-8")}
    sequences.saved()
    assert sequences.dump_changed() == {}


def test_a_part_of_another_version_is_an_error_the_store_knows() -> None:
    with pytest.raises(msgspec.DecodeError):
        Sequences().load(b"\xc1")
    with pytest.raises(msgspec.DecodeError):
        Sequences().load(msgspec.msgpack.encode([["awan-1", "main"]]))
