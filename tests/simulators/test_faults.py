from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pantau.city import City
from pantau.errors import ConfigError
from simulators.emission import Emission, emissions, in_sending_order, payload_of, topic_of
from simulators.fault_text import OPTIONS, parse_faults
from simulators.faults import ACTIONS, Fault, Injected, inject
from simulators.row import Row

MINUTE = 60_000
START = 1_767_322_800_000  # 2026-01-02T03:00Z, 11:00 in contoh


def healthy(city: City, count: int = 40) -> list[Emission]:
    rows = [
        Row(START + n * MINUTE, station, "water_level", float(n * 10 + place))
        for n in range(count)
        for place, station in enumerate(("awan-1", "awan-2"))
    ]
    return list(emissions(rows, city))


def broken(
    city: City, text: str, seed: int = 0, count: int = 40
) -> tuple[list[Emission], list[Emission], list[Injected]]:
    before, truth = healthy(city, count), list[Injected]()
    after = list(inject(before, parse_faults(text, city, START), seed=seed, truth=truth))
    return before, after, truth


def content(stream: list[Emission]) -> Counter[tuple[str, int, float, str]]:
    return Counter((e.station, e.observed_at, e.value, e.unit) for e in stream)


def test_every_fault_has_a_grammar() -> None:
    assert OPTIONS.keys() == ACTIONS.keys()


def test_a_healthy_stream_is_sent_when_it_was_so_with_counters_from_one(contoh: City) -> None:
    stream = healthy(contoh)
    assert all(e.send_at == e.observed_at for e in stream)
    assert [e.seq for e in stream if e.station == "awan-2"] == list(range(1, 41))
    assert topic_of(contoh, stream[0]) == "pantau/v1/contoh/water_level/awan-1"
    assert payload_of(stream[0]) == b'{"observed_at":1767322800000,"value":0.0,"unit":"cm","seq":1}'


def test_dropped_messages_are_the_ones_noted_and_leave_a_hole_in_seq(contoh: City) -> None:
    before, after, truth = broken(contoh, "drop:p=0.3")
    assert 0 < len(truth) < len(before)
    assert len(after) == len(before) - len(truth)
    assert {(e.station, e.seq) for e in before} - {(e.station, e.seq) for e in after} == {
        (one.station, one.seq) for one in truth
    }


def test_a_station_and_a_time_limit_whom_a_fault_hits(contoh: City) -> None:
    _, after, truth = broken(contoh, "drop:station=Awan Weir;from=11:10;for=5m")
    assert [(one.station, (one.observed_at - START) // MINUTE) for one in truth] == [
        ("awan-1", n) for n in range(10, 15)
    ]
    assert len(after) == 75


def test_a_spike_at_a_time_is_one_reading_of_the_station(contoh: City) -> None:
    before, after, truth = broken(contoh, "spike:station=awan-1;size=300;at=11:07")
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert [(a.station, b.value - a.value, a.observed_at) for a, b in changed] == [
        ("awan-1", 300, START + 7 * MINUTE)
    ]
    assert (truth[0].fault, truth[0].detail, truth[0].value) == ("spike", "+300", 70.0)


def test_a_frozen_sensor_goes_on_sending_its_first_value(contoh: City) -> None:
    _, after, truth = broken(contoh, "freeze:station=awan-1;from=11:10;for=10m")
    values = [e.value for e in after if e.station == "awan-1"]
    assert values[10:20] == [100.0] * 10
    assert (values[9], values[20]) == (90.0, 200.0)
    assert len(truth) == 9


def test_each_frozen_sensor_has_its_own_value(contoh: City) -> None:
    _, after, _ = broken(contoh, "freeze:for=10m")
    assert {(e.station, e.value) for e in after if e.observed_at < START + 10 * MINUTE} == {
        ("awan-1", 0.0),
        ("awan-2", 1.0),
    }


def test_a_backlog_of_a_sensor_comes_at_once_and_in_wrong_order(contoh: City) -> None:
    _, after, truth = broken(contoh, "reorder:station=awan-1;n=4")
    times = [(e.observed_at - START) // MINUTE for e in after if e.station == "awan-1"]
    groups = [times[n : n + 4] for n in range(0, 40, 4)]
    assert [sorted(group) for group in groups] == [list(range(n, n + 4)) for n in range(0, 40, 4)]
    assert any(group != sorted(group) for group in groups)
    assert len(truth) == sum(time != place for place, time in enumerate(times))
    assert {e.send_at for e in after if e.station == "awan-1"} == {
        START + n * MINUTE for n in range(3, 40, 4)
    }


def test_a_drifting_clock_moves_the_time_sent_and_not_the_sending(contoh: City) -> None:
    before, after, _ = broken(contoh, "clock_drift:station=awan-2;by=-5s;per_h=60s")
    shifts = [
        b.observed_at - a.observed_at for a, b in zip(before, after, strict=True) if a.station == "awan-2"
    ]
    assert shifts[:3] == [-5000, -4000, -3000]
    assert [e.send_at for e in after] == [e.send_at for e in before]


def test_a_delay_keeps_the_content_and_sends_later(contoh: City) -> None:
    before, after, truth = broken(contoh, "delay:p=0.5;by=3m;to=9m")
    assert content(after) == content(before)
    late = [e.send_at - e.observed_at for e in after if e.send_at != e.observed_at]
    assert len(late) == len(truth)
    assert min(late) >= 3 * MINUTE
    assert max(late) <= 9 * MINUTE


def test_garbage_replaces_the_payload_only(contoh: City) -> None:
    _, after, truth = broken(contoh, "garbage:p=0.2")
    assert len([e for e in after if e.raw is not None]) == len(truth) > 0
    assert all(payload_of(e) == e.raw for e in after if e.raw is not None)


def test_a_wrong_unit_can_be_told_or_silent(contoh: City) -> None:
    _, told, _ = broken(contoh, "wrong_unit:station=awan-1")
    assert {e.unit for e in told if e.station == "awan-1"} == {"furlong"}
    before, silent, _ = broken(contoh, "wrong_unit:station=awan-1;factor=10")
    assert {e.unit for e in silent} == {"cm"}
    assert [b.value for b in silent if b.station == "awan-1"] == [
        a.value * 10 for a in before if a.station == "awan-1"
    ]


def test_faults_work_one_after_the_other(contoh: City) -> None:
    _, after, truth = broken(contoh, "drop:station=awan-1, duplicate:times=2")
    assert Counter(one.fault for one in truth) == {"drop": 40, "duplicate": 80}
    assert len(after) == 120


SEED = st.integers(0, 2**32)
CHANCE = st.floats(0, 1)


@given(SEED, CHANCE, st.integers(1, 3))
def test_duplicates_only_add(contoh: City, seed: int, p: float, times: int) -> None:
    before, after, truth = broken(contoh, f"duplicate:p={p:f};by=1s;to=30m;times={times}", seed)
    added = content(after) - content(before)
    assert content(before) <= content(after)
    assert added.total() == len(truth) == len(after) - len(before)


@given(SEED, CHANCE, st.integers(1, 9), st.integers(0, 40))
def test_reordering_is_a_permutation(contoh: City, seed: int, p: float, n: int, count: int) -> None:
    before, after, _ = broken(contoh, f"reorder:p={p:f};n={n}", seed, count)
    assert content(after) == content(before)


TEXTS = (
    "drop:p={p}",
    "delay:p={p};by=0s;to=20m",
    "duplicate:p={p};by=1m",
    "reorder:p={p};n=4",
    "spike:p={p}",
    "freeze:from=11:05",
    "clock_drift:by=1h",
    "garbage:p={p}",
    "wrong_unit:p={p}",
)


@given(SEED, CHANCE, st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4))
def test_the_same_seed_injects_the_same_and_nothing_is_sent_before_its_time(
    contoh: City, seed: int, p: float, texts: list[str]
) -> None:
    text = ",".join(texts).replace("{p}", f"{p:f}")
    first, second = broken(contoh, text, seed), broken(contoh, text, seed)
    assert first == second
    sent = [e.send_at for e in first[1]]
    assert sent == sorted(sent)
    reached = {(e.station, e.seq): e.send_at for e in first[0]}
    assert all(e.send_at >= reached[e.station, e.seq] for e in first[1])


def test_another_seed_injects_otherwise(contoh: City) -> None:
    assert broken(contoh, "drop:p=0.5", 1)[2] != broken(contoh, "drop:p=0.5", 2)[2]


def test_a_stream_without_end_can_be_broken_without_reading_all_of_it(contoh: City) -> None:
    def forever() -> object:
        n = 0
        while True:
            yield Row(START + n * MINUTE, "awan-1", "water_level", 1.0)
            n += 1

    stream = emissions(forever(), contoh)  # type: ignore[arg-type]
    faults = parse_faults("delay:by=1m;to=5m,reorder:n=3,duplicate:by=2m", contoh, START)
    broken_stream = inject(stream, faults, seed=1, truth=[])
    assert len([next(broken_stream) for _ in range(100)]) == 100


def test_sending_order_is_by_time_and_of_one_instant_as_they_came(contoh: City) -> None:
    def sent(at: int, seq: int) -> Emission:
        return Emission(at, "awan-1", "water_level", "main", 0, 0.0, "cm", seq)

    stream = [(1, sent(5, 1)), (2, sent(2, 2)), (3, sent(5, 3)), (5, sent(5, 4)), (6, sent(6, 5))]
    assert [e.seq for e in in_sending_order(stream)] == [2, 1, 3, 4, 5]


def test_what_should_have_gone_already_goes_at_once(contoh: City) -> None:
    late, next_one = healthy(contoh)[0], healthy(contoh)[-1]
    assert list(in_sending_order([(START + MINUTE, late), (START + 2 * MINUTE, next_one)])) == [
        late,
        next_one,
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("melt", "there are drop, delay"),
        ("drop:q=1", "expected one of"),
        ("drop:p", "expected one of"),
        ("drop:p=1.5", "expected 0 to 1"),
        ("drop:p=x", "no number"),
        ("spike:size=nan", "finite"),
        ("drop:station=Atlantis", "not in city"),
        ("freeze:for=long", "duration is 'long'"),
        ("freeze:from=noon", "local time"),
        ("spike:at=11:00;p=0.5", "one reading"),
        ("reorder:n=0", "whole number"),
    ],
)
def test_a_fault_that_cannot_be_read_is_told(contoh: City, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        parse_faults(text, contoh, START)


def test_all_faults_that_cannot_be_read_are_told_together(contoh: City) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_faults("melt,drop:p=0.1,boil", contoh, START)
    assert len(caught.value.problems) == 2


def test_a_local_time_that_has_passed_means_tomorrow(contoh: City) -> None:
    fault = parse_faults("freeze:from=10:59;for=1.5h", contoh, START)[0]
    assert fault.begin == START + (24 * 60 - 1) * MINUTE
    assert fault.end - fault.begin == 90 * MINUTE


def test_without_options_a_fault_has_its_own_default(contoh: City) -> None:
    spike, delay, drift = parse_faults("spike,delay,clock_drift", contoh, START)
    assert (spike.size, delay.by_ms, drift.per_h_ms) == (100.0, 10 * MINUTE, 10_000)
    assert parse_faults("", contoh, START) == []
    assert parse_faults("drop", contoh, START) == [Fault(name="drop")]
