"""What a sensor teaches quality control, and what it must never be taught: floods stay floods, spikes stay spikes."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pantau.kinds.crowd_count import KIND as CROWD
from pantau.kinds.water_level import KIND as LEVEL
from pantau.learnt import LEAST_LEAP, LEAST_NOTABLE, is_warm, step_of
from pantau.quality import Limits, Past, Revision, judge, takes_ordinary
from pantau.reading import Flag, Reading
from pantau.station import Station

MIN = 60_000
HOUR = 60 * MIN
T0 = 1_700_000_000_000
GAUGE = Station(id="a", name="a", kind="water_level", hazard="flood", group="g", cadence_ms=10 * MIN)
SQUARE = replace(GAUGE, kind="crowd_count", hazard="density", capacity=100, area_m2=40.0)
LIMITS = Limits.of(GAUGE, LEVEL)
GOOD, SUSPECT, FAIL = int(Flag.GOOD), int(Flag.SUSPECT), int(Flag.FAIL)


class Stream:
    """One sensor as the fast lane judges it; ``flags`` are final, ``waits`` as each reading came."""

    def __init__(self, limits: Limits = LIMITS, past: Past | None = None, at: int = T0) -> None:
        self.limits, self.past, self.at = limits, past or Past(), at
        self.flags: dict[int, int] = {}
        self.waits: dict[int, bool] = {}
        self.reasons: dict[int, str] = {}

    def read(self, *values: float, every: int = 10 * MIN) -> list[int]:
        """Take values; the instants they stand at."""
        return [self._one(value, every) for value in values]

    def _one(self, value: float, every: int) -> int:
        self.at += every
        reading = Reading("a", "water_level", value, self.at, self.at)
        pending, revisions = False, list[Revision]()
        if not takes_ordinary(self.past, reading, self.limits):
            pending, _, revisions = judge(self.past, reading, self.limits)
        for revision in revisions:
            self.flags[revision.observed_at] = revision.flag
            self.reasons[revision.observed_at] = revision.reason
        self.flags[self.at], self.reasons[self.at] = reading.flag, reading.reason
        self.waits[self.at] = pending
        return self.at

    def final(self, instants: list[int]) -> list[int]:
        """Flags as they are now."""
        return [self.flags[at] for at in instants]


def calm(days: float, seed: int = 1, *, scatter: float = 0.3) -> list[float]:
    """A level of 10-minute readings that hardly moves, to 1 mm."""
    noise = np.random.default_rng(seed)
    count = round(days * 144)
    return [float(round(value, 1)) for value in 200 + noise.normal(0, scatter, count)]


def warm(days: float = 10, *, scatter: float = 0.3) -> Stream:
    """A sensor that has taught its limits."""
    stream = Stream()
    stream.read(*calm(days, scatter=scatter))
    assert is_warm(stream.past, stream.limits)
    return stream


# --- floods ---------------------------------------------------------------------------------------------------------


def test_a_flash_flood_of_265_cm_in_ten_minutes_opens_at_once_and_stands_with_the_next_reading() -> None:
    """The Gardon, 19 September 2020."""
    stream = warm()
    first, second, third = stream.read(465.0, 490.0, 500.0)
    assert stream.waits[first]
    assert stream.final([first, second, third]) == [GOOD, GOOD, GOOD]


def test_a_level_997_cm_higher_after_a_gap_of_45_hours_opens_at_once_and_stands_with_the_next() -> None:
    """The Hérault, 19 September 2020."""
    stream = warm()
    [first] = stream.read(1197.0, every=45 * HOUR)
    assert stream.waits[first]
    assert stream.flags[first] == Flag.NOT_EVALUATED
    [second] = stream.read(1190.0)
    assert stream.final([first, second]) == [GOOD, GOOD]


@settings(max_examples=150)
@given(
    rises=st.lists(st.floats(0, 400), min_size=1, max_size=8),
    falls=st.floats(0, 0.05),
    trained=st.booleans(),
)
def test_a_true_rise_that_stays_is_never_failed_nor_kept_waiting_for_long(
    rises: list[float], falls: float, trained: bool
) -> None:
    """Staying: each reading afterwards is lower by a twentieth of the last rise at most.

    Water that has taken back the whole of its last rise by the next reading cannot be told from a typing error on it.
    """
    stream = Stream(past=msgspec.convert(msgspec.to_builtins(TRAINED), Past)) if trained else Stream()
    stream.at = stream.past.at or T0
    stream.read(200.0, 200.1, 200.0)
    level, climbed = 200.0, []
    for rise in rises:
        level += rise
        climbed += stream.read(round(level, 1))
    climbed += stream.read(*(round(level - rises[-1] * falls * n, 1) for n in range(1, 4)))
    assert FAIL not in stream.final(climbed)
    assert not any(stream.waits[at] and stream.flags[at] == SUSPECT for at in climbed[: len(rises)])


TRAINED = warm().past


@settings(max_examples=100)
@given(
    size=st.floats(30, 2_000),
    sign=st.sampled_from([-1, 1]),
    length=st.sampled_from([1, 2]),
    where=st.integers(5, 60),
)
def test_a_spike_of_30_cm_never_ends_as_good(size: float, sign: int, length: int, where: int) -> None:
    stream = Stream(past=msgspec.convert(msgspec.to_builtins(TRAINED), Past), at=TRAINED.at)
    stream.read(*calm(where / 144, seed=where))
    off = stream.read(*[round(200 + sign * size, 1)] * length)
    back = stream.read(200.0, 200.1, 200.0, 199.9)
    assert all(flag in {SUSPECT, FAIL} for flag in stream.final(off))
    assert all(flag in {GOOD, int(Flag.NOT_EVALUATED)} for flag in stream.final(back))


def test_a_crest_on_a_rise_that_was_under_way_is_the_waters_own() -> None:
    """Depok, 9 October 2022, by the hour: 310, 350, 300 on the way down again."""
    stream = Stream(Limits.of(replace(GAUGE, cadence_ms=HOUR), LEVEL))
    seen = stream.read(120, 120, 210, 310, 350, 300, 230, 190, every=HOUR)
    assert FAIL not in stream.final(seen)
    assert stream.flags[seen[4]] == GOOD


def test_a_rise_on_the_way_does_not_wait_at_each_reading_but_a_jump_above_the_kinds_step_does() -> None:
    stream = warm()
    assert step_of(stream.past, LIMITS) < 35
    seen = stream.read(235.0, 268.0, 300.0, 345.0, 346.0)
    assert [stream.waits[at] for at in seen] == [True, False, False, True, False]


# --- what is learnt -------------------------------------------------------------------------------------------------

PATHS = st.lists(
    st.tuples(
        st.sampled_from([MIN, 10 * MIN, 30 * MIN, 6 * HOUR]), st.integers(-120, 120) | st.floats(-900, 900)
    ),
    max_size=80,
)


@given(PATHS)
def test_nothing_learnt_exceeds_the_kinds_limits_nor_falls_below_their_share(
    path: list[tuple[int, float]],
) -> None:
    stream = Stream(past=msgspec.convert(msgspec.to_builtins(TRAINED), Past), at=TRAINED.at)
    assert LIMITS.step is not None
    assert LIMITS.spike is not None
    for wait, value in path:
        stream.read(value, every=wait)
        assert LEAST_LEAP * LIMITS.step <= step_of(stream.past, LIMITS) <= LIMITS.step
        assert LEAST_NOTABLE * LIMITS.spike <= stream.past.notable <= LIMITS.spike


@settings(max_examples=60)
@given(PATHS, st.integers(1, 79))
def test_a_memory_that_was_kept_and_read_back_judges_alike(path: list[tuple[int, float]], cut: int) -> None:
    whole = Stream(past=msgspec.convert(msgspec.to_builtins(TRAINED), Past), at=TRAINED.at)
    parts = Stream(past=msgspec.convert(msgspec.to_builtins(TRAINED), Past), at=TRAINED.at)
    for index, (wait, value) in enumerate(path):
        whole.read(value, every=wait)
        if index % cut == 0:
            parts.past = msgspec.msgpack.decode(msgspec.msgpack.encode(parts.past), type=Past)
        parts.read(value, every=wait)
    assert (whole.flags, whole.waits, whole.reasons) == (parts.flags, parts.waits, parts.reasons)
    assert len(msgspec.msgpack.encode(whole.past)) < 600


def test_a_memory_from_before_limits_were_learnt_is_read_and_goes_on() -> None:
    old = msgspec.msgpack.encode(msgspec.to_builtins(TRAINED)[:14])
    stream = Stream(past=msgspec.msgpack.decode(old, type=Past), at=TRAINED.at)
    seen = stream.read(200.0, 200.1, 465.0, 466.0)
    assert stream.final(seen) == [GOOD] * 4
    assert stream.past.low == TRAINED.value
    assert stream.past.high == 466.0


def test_a_quiet_sensor_learns_to_see_small_spikes_and_a_scattering_one_does_not_cry() -> None:
    quiet, wild = warm(), warm(scatter=4.0)
    [small] = quiet.read(210.0)
    quiet.read(200.0)
    assert quiet.flags[small] == SUSPECT
    assert wild.past.notable > 2 * quiet.past.notable
    [small] = wild.read(210.0)
    wild.read(200.0)
    assert wild.flags[small] == GOOD


@pytest.mark.parametrize(("scatters", "flag"), [(7, SUSPECT), (5, GOOD)])
def test_a_spike_counts_from_six_times_the_usual_scatter_on(scatters: int, flag: int) -> None:
    stream = warm(20, scatter=1.5)
    stream.read(200.0, 200.1)
    noise = stream.past.noise
    assert LEAST_NOTABLE * 20 < 5 * noise < 7 * noise < 20
    [off] = stream.read(200.0 + scatters * noise)
    stream.read(200.0, 200.1)
    assert stream.flags[off] == flag


def test_a_sensor_that_never_rests_is_called_stuck_after_hours_and_one_read_by_eye_is_not() -> None:
    restless, by_eye = warm(30), Stream(Limits.of(replace(GAUGE, cadence_ms=HOUR), LEVEL))
    stuck = restless.read(*[200.0] * 60)
    assert SUSPECT in restless.final(stuck)[:36]
    assert "unchanged at 200 cm" in restless.reasons[stuck[-1]]
    for week in range(8):
        by_eye.read(*[100.0 + 10 * (week % 2)] * (12 + 4 * week), every=HOUR)
    again = by_eye.read(*[100.0] * 30, every=HOUR)
    assert SUSPECT not in by_eye.final(again)


def test_a_stuck_sensor_that_ends_with_a_jump_teaches_nothing() -> None:
    stream = warm(30)
    before = stream.past.flat
    stream.read(*[200.0] * 100)
    stream.read(290.0, 291.0)
    assert stream.past.flat <= before


# --- broken sensors -------------------------------------------------------------------------------------------------


def test_a_sensor_that_falls_out_of_everything_seen_is_not_used_until_it_stays_there_for_hours() -> None:
    stream = warm()
    fallen = stream.read(*[0.0, 0.3] * 18)
    assert set(stream.final(fallen)) == {FAIL}
    assert "below everything seen" in stream.reasons[fallen[0]]
    moved = stream.read(*[0.0, 0.3] * 4)
    assert stream.flags[moved[-1]] == GOOD


def test_a_sensor_that_shows_9999_is_pending_once_and_never_confirmed_by_the_same_value() -> None:
    stream = warm()
    shown = stream.read(*[9_999.0] * 5)
    assert [stream.waits[at] for at in shown] == [True, False, False, False, False]
    assert stream.final(shown)[1:] == [FAIL] * 4
    assert "has not moved since" in stream.reasons[shown[1]]
    stream.read(200.0)
    assert stream.flags[shown[0]] == FAIL


def test_a_sensor_that_never_rests_and_stands_still_after_a_fall_is_not_used() -> None:
    stream = warm(30)
    fallen = stream.read(*[165.0] * 4)
    assert stream.final(fallen) == [SUSPECT, FAIL, FAIL, FAIL]
    moving = Stream(past=msgspec.convert(msgspec.to_builtins(warm(30).past), Past), at=stream.at - 40 * MIN)
    assert moving.final(moving.read(165.0, 164.5, 164.0))[1:] == [GOOD, GOOD]


def test_a_fresh_sensor_is_never_shut_out_by_its_first_wrong_reading() -> None:
    stream = Stream()
    seen = stream.read(9_999.0, 100.0, 101.0, 102.0)
    assert stream.final(seen)[-1] == GOOD


# --- counts ---------------------------------------------------------------------------------------------------------


def crowd() -> Stream:
    return Stream(Limits.of(SQUARE, CROWD))


def test_more_people_than_can_stand_there_fail_and_far_more_than_the_capacity_are_doubted() -> None:
    stream = crowd()
    seen = stream.read(80, 85, 481, 90)
    assert stream.final(seen)[2:] == [FAIL, GOOD]
    assert "outside the range 0 to 480" in stream.reasons[seen[2]]
    wide = Stream(Limits.of(replace(SQUARE, area_m2=None), CROWD))
    seen = wide.read(80, 85, 501, 502)
    assert wide.final(seen)[2:] == [SUSPECT, SUSPECT]
    assert "more than 500 persons" in wide.reasons[seen[3]]


def test_a_crowd_that_is_gone_at_once_is_doubted_until_it_stays_away() -> None:
    stream = crowd()
    seen = stream.read(80, 85, 0, 84)
    assert stream.waits[seen[2]]
    assert stream.final(seen)[2:] == [FAIL, GOOD]
    seen = stream.read(85, 0, 0, 0)
    assert stream.final(seen) == [GOOD, GOOD, GOOD, GOOD]


def test_a_few_people_may_all_have_left() -> None:
    stream = crowd()
    seen = stream.read(20, 29, 0)
    assert not stream.waits[seen[2]]
    assert stream.flags[seen[2]] == GOOD


def test_negative_counts_fail() -> None:
    stream = crowd()
    assert stream.final(stream.read(20, 29, -1))[2] == FAIL


def test_the_same_number_for_hours_is_doubted_above_a_floor_only() -> None:
    for count, doubted in ((60.0, True), (3.0, False)):
        stream = crowd()
        seen = stream.read(*[count] * 60)
        assert (SUSPECT in stream.final(seen)) is doubted


@pytest.mark.parametrize("kind", [CROWD, LEVEL])
def test_limits_of_a_kind_hold_before_a_station_has_taught_its_own(kind: object) -> None:
    limits = Limits.of(GAUGE, LEVEL) if kind is LEVEL else Limits.of(SQUARE, CROWD)
    stream = Stream(limits)
    stream.read(100.0, 100.0)
    assert not is_warm(stream.past, limits)
    assert step_of(stream.past, limits) == (LEVEL.step if kind is LEVEL else float("inf"))
