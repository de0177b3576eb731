"""Quality control in the stream: flags, reasons, pending jumps, revisions."""

from pantau.quality import Limits, Past, Revision, judge
from pantau.reading import Flag, Reading

MIN = 60_000
T0 = 1_700_000_000_000
LIMITS = Limits(
    low=-100, high=1000, step=40, spike=25, flat_ms=12 * 60 * MIN, flat_above=None, gap_ms=30 * MIN, unit="cm"
)


def run(
    values: list[float],
    *,
    every_min: int = 10,
    limits: Limits = LIMITS,
    past: Past | None = None,
    start: int = T0,
) -> list[tuple[Reading, bool, list[Revision]]]:
    past = Past() if past is None else past
    out = []
    for index, value in enumerate(values):
        at = start + index * every_min * MIN
        reading = Reading("s", "water_level", value, at, at)
        pending, _gap, revision = judge(past, reading, limits)
        out.append((reading, pending, revision))
    return out


def flags(results: list[tuple[Reading, bool, list[Revision]]]) -> list[int]:
    return [reading.flag for reading, _, _ in results]


def test_the_first_reading_is_not_evaluated_and_waits() -> None:
    first, second = run([50, 51])
    assert first[0].flag == Flag.NOT_EVALUATED
    assert "first reading" in first[0].reason
    assert first[1]
    assert second[2] == [Revision(T0, 50, T0, int(Flag.GOOD), "")]
    assert not second[1]


def test_a_value_outside_the_range_fails_and_is_forgotten() -> None:
    results = run([50, 51, 5000, 52])
    assert flags(results)[2:] == [Flag.FAIL, Flag.GOOD]
    assert "outside the range -100 to 1000" in results[2][0].reason
    assert not results[3][1]


def test_a_jump_is_suspect_and_waits_then_stands_when_the_next_reading_agrees() -> None:
    results = run([50, 51, 110, 112, 113])
    assert results[2][0].flag == Flag.SUSPECT
    assert "jump of +59 cm in 10 min" in results[2][0].reason
    assert results[2][1]
    assert results[3][2] == [Revision(T0 + 20 * MIN, 110, T0 + 20 * MIN, int(Flag.GOOD), "")]
    assert flags(results)[3:] == [Flag.GOOD, Flag.GOOD]


def test_a_jump_that_returns_was_a_spike_and_the_return_is_good() -> None:
    results = run([50, 51, 686, 52, 53])
    [revision] = results[3][2]
    assert revision.flag == Flag.FAIL
    assert "spike of +635 cm" in revision.reason
    assert not results[3][1]
    assert flags(results)[3:] == [Flag.GOOD, Flag.GOOD]


def test_a_dropout_to_zero_is_a_spike_too() -> None:
    results = run([635, 640, 0, 642])
    assert results[2][1]
    assert [revision.flag for revision in results[3][2]] == [Flag.FAIL]


def test_a_flash_flood_that_goes_on_jumping_stands_and_each_jump_waits_for_its_own_successor() -> None:
    results = run([50, 51, 110, 170, 240, 245])
    assert [pending for _, pending, _ in results] == [True, False, True, True, True, False]
    assert [[revision.flag for revision in revisions] for _, _, revisions in results[3:]] == [[Flag.GOOD]] * 3


def test_exactly_the_step_is_no_jump() -> None:
    assert not run([50, 50, 90])[2][1]
    assert run([50, 50, 90.1])[2][1]


def test_after_a_gap_the_past_says_nothing() -> None:
    past = Past()
    run([50, 51], past=past)
    after = run([60, 61], past=past, start=T0 + 51 * MIN)
    assert after[0][1]
    assert "gap of 0.7 h" in after[0][0].reason
    assert [revision.flag for revision in after[1][2]] == [Flag.GOOD]
    assert not after[1][1]


def test_three_cadences_are_not_yet_a_gap() -> None:
    past = Past()
    run([50, 51], past=past)
    assert not run([52], past=past, start=T0 + 40 * MIN)[0][1]


def test_a_small_spike_between_agreeing_neighbours_becomes_suspect_afterwards() -> None:
    results = run([50, 50, 80, 51])
    assert not results[2][1]
    [revision] = results[3][2]
    assert (revision.observed_at, revision.flag) == (T0 + 20 * MIN, Flag.SUSPECT)


def test_a_real_crest_is_no_spike() -> None:
    assert all(not revisions for _, _, revisions in run([50, 50, 80, 75])[2:])


def test_a_flat_line_is_suspect_after_its_limit_and_the_limit_learns() -> None:
    past = Past()
    values = [100.0] * 80 + [110.0]
    results = run(values, past=past)
    flagged = [index for index, flag in enumerate(flags(results)) if flag == Flag.SUSPECT]
    assert flagged[0] == 73  # 12 h and one reading later
    assert "unchanged at 100 cm for 12.2 h" in results[73][0].reason
    again = run([120.0] * 125, past=past, start=T0 + len(values) * 10 * MIN)
    assert flags(again).index(Flag.SUSPECT) == 109  # by half as much: 6 h are now what hardly a run exceeds


def test_a_gap_ends_a_flat_run() -> None:
    past = Past()
    run([100.0] * 60, past=past)
    after = run([100.0] * 60, past=past, start=T0 + (60 * 10 + 60) * MIN)
    assert Flag.SUSPECT not in flags(after)


def test_an_empty_square_may_stay_empty() -> None:
    crowd = Limits(
        low=0, high=1e6, step=None, spike=None, flat_ms=MIN, flat_above=5, gap_ms=30 * MIN, unit="persons"
    )
    assert set(flags(run([0.0] * 10, limits=crowd))[1:]) == {Flag.GOOD}
    assert Flag.SUSPECT in flags(run([80.0] * 10, limits=crowd))


def by_hand(past: Past, value: float, at: int, *, vouched: bool = False) -> tuple[bool, int]:
    reading = Reading("s", "water_level", value, at, at, source="operator:sari", vouched=vouched)
    return judge(past, reading, LIMITS)[0], reading.flag


def test_a_manual_jump_may_be_a_slip_of_the_keyboard_unless_the_operator_vouches_for_it() -> None:
    past = Past()
    run([50, 51], past=past)
    assert by_hand(past, 300, T0 + 20 * MIN) == (True, Flag.SUSPECT)
    past = Past()
    run([50, 51], past=past)
    assert by_hand(past, 300, T0 + 20 * MIN, vouched=True) == (False, Flag.GOOD)


def test_a_manual_reading_after_a_gap_needs_no_successor_but_is_still_compared() -> None:
    past = Past()
    assert by_hand(past, 50, T0) == (False, Flag.GOOD)
    assert by_hand(past, 60, T0 + 600 * MIN) == (False, Flag.GOOD)
    assert by_hand(past, 600, T0 + 1200 * MIN) == (True, Flag.SUSPECT)


def test_negative_levels_are_values_like_any_other() -> None:
    assert flags(run([-60, -61, -62]))[1:] == [Flag.GOOD, Flag.GOOD]
