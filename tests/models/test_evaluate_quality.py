"""``pantau evaluate quality``: what is counted, by hand; baselines against ``ioos_qc``; a short run on a real river."""

from collections.abc import Sequence

import numpy as np
import pytest
from ioos_qc.qartod import (  # type: ignore[import-untyped]
    flat_line_test,
    gross_range_test,
    rate_of_change_test,
    spike_test,
)

from models.evaluations.quality import NONE, Counts, Gauge, Tally, Trial, count, gauge, trials
from models.evaluations.quality_faults import FAULTS, Fault, Injected, inject
from models.evaluations.quality_models import (
    MODELS,
    Judged,
    flat_line,
    gross_range,
    pantau,
    rate_of_change,
    spike,
)
from tests.recordings import series

MIN = 60_000
T0 = 1_700_000_000_000
TIMES = T0 + 10 * MIN * np.arange(6_000)


def river(seed: int = 1, size: int = 6_000) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Centimetres to 1 mm: a tide, a slow flood, some scatter."""
    noise = np.random.default_rng(seed)
    steps = np.arange(size)
    level = 200 + 20 * np.sin(steps / 12) + 300 * np.exp(-(((steps - 2_000) / 80) ** 2))
    return np.asarray(np.round(level + noise.normal(0, 0.3, size), 1), dtype=np.float64)


def judged(*flags: int, withheld: Sequence[int] = ()) -> Judged:
    kept = np.zeros(len(flags), dtype=bool)
    kept[list(withheld)] = True
    return Judged(np.array(flags), np.zeros(len(flags), dtype=bool), kept, ("",) * len(flags))


def trial(fault: Fault, spans: tuple[tuple[int, int], ...], now: Judged, before: Judged) -> Trial:
    """Ten readings, of which the first two are only learnt from, the last stands in a long run, the second rises."""
    still, rises = np.arange(10) == 9, np.arange(10) == 1
    one = Gauge("a", TIMES[:10], np.zeros(10), 2, still, rises)
    return Trial("pantau", fault, one, Injected(np.zeros(10), spans), now, before)


def test_readings_are_counted_as_by_hand() -> None:
    now = judged(4, 1, 3, 4, 1, 1, 3, 1, 1, 3, withheld=[1, 3])
    before = judged(1, 1, 3, 1, 1, 1, 1, 1, 1, 1)
    found = count(trial(Fault("spike", 30.0), ((4, 4), (6, 6)), now, before))
    # faults 4 and 6, of which 6 is flagged; clean are 2, 3, 5, 7, 8: flagged 2 (as before) and 3 (new)
    assert found == Counts(faults=2, found=1, hits=1, wrong=1, flagged=2, clean=5, withheld=1)


def test_a_fault_that_lasts_is_found_once_and_not_by_a_flag_that_was_there_before() -> None:
    now, before = judged(1, 1, 1, 3, 3, 1, 3, 1, 1, 1), judged(1, 1, 1, 3, 1, 1, 3, 1, 1, 1)
    found = count(trial(Fault("stuck", 12.0), ((3, 4), (6, 7)), now, before))
    assert (found.faults, found.found, found.hits, found.withheld) == (2, 1, 3, 0)


def test_a_row_divides_what_was_counted_and_leaves_open_what_is_not_defined() -> None:
    tally = Tally()
    tally.add(trial(NONE, (), judged(*[1] * 9, 3), judged(*[1] * 10)))
    now = judged(4, 1, 3, 4, 1, 1, 3, 1, 1, 3, withheld=[1, 3])
    tally.add(trial(Fault("spike", 30.0), ((4, 4), (6, 6)), now, judged(1, 1, 3, *[1] * 7)))
    tally.add(trial(Fault("drift", 50.0), ((4, 6),), now, judged(*[1] * 10)))
    plain, spikes, drifts = tally.rows()
    assert plain == {
        "model": "pantau", "fault": "none", "size": None, "recall": None, "precision": None, "flags_per_1000": 0.0,
        "rises_withheld": 0, "faults": 0, "precision_strict": None, "delay_h": None, "false_per_30d": None,
    }  # fmt: skip
    assert (spikes["recall"], spikes["precision"], spikes["precision_strict"]) == (0.5, 0.5, 1 / 3)
    assert (spikes["flags_per_1000"], spikes["rises_withheld"]) == (400.0, 1)
    assert (drifts["recall"], drifts["precision"]) == (None, None)


def test_a_rise_counts_as_true_when_half_of_it_is_still_there_two_readings_later() -> None:
    values = np.array(
        [10.0] * 300 + [10.0, 90.0, 85.0, 70.0, 40.0] + [10.0] * 300 + [90.0, 10.0] + [10.0] * 300
    )
    assert np.flatnonzero(gauge("a", TIMES[: len(values)], values).rises).tolist() == [301]


def test_readings_of_runs_longer_than_most_are_not_clean() -> None:
    values = np.concatenate([np.arange(400.0), [7.0] * 50, np.arange(400.0)])
    assert np.flatnonzero(gauge("a", TIMES[: len(values)], values).still).tolist() == list(range(400, 450))


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}-{fault.size:g}")
def test_faults_are_put_where_they_are_said_to_be_by_the_seed_alone(fault: Fault) -> None:
    values = river()
    one, again = (inject(fault, TIMES, values, 900, 7) for _ in range(2))
    assert np.array_equal(one.values, again.values)
    assert one.spans == again.spans
    assert len(one.spans) > 0
    assert not np.array_equal(one.values, inject(fault, TIMES, values, 900, 8).values)
    changed = one.values != values
    assert not changed[~one.mask].any()
    assert not changed[:900].any()
    assert changed[one.mask].mean() > 0.9
    assert all(behind[0] > before[1] + 1 for before, behind in zip(one.spans, one.spans[1:], strict=False))


def test_a_spike_has_its_size_and_a_drift_grows_to_it() -> None:
    values = river()
    spikes = inject(Fault("spike", 30.0), TIMES, values, 900, 7)
    assert np.allclose(np.abs(spikes.values - values)[spikes.mask], 30)
    assert {last - first for first, last in spikes.spans} == {0, 1}
    drift = inject(Fault("drift", 50.0), TIMES, values, 0, 7)
    first, last = drift.spans[0]
    off = np.abs(drift.values - values)
    assert off[first] == 0
    assert off[first + (last - first) // 3] == pytest.approx(25, abs=1)
    assert off[last] == pytest.approx(50)


# --- baselines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_baselines_tests_are_those_of_ioos_qc(seed: int) -> None:
    noise = np.random.default_rng(seed)
    values = np.round(noise.normal(0, 1, 400).cumsum() * 2) / 2 + np.where(noise.random(400) < 0.02, 40, 0)
    times = TIMES[:400]
    seconds = times / 1000
    assert np.array_equal(gross_range(values, -5, 12), gross_range_test(values, (-5, 12)).data == 4)
    ours = spike(values, 3.0)
    assert np.array_equal(ours[1:-1], (spike_test(values, suspect_threshold=3.0).data == 3)[1:-1])
    theirs = rate_of_change_test(values, seconds, threshold=6.25 / 600).data == 3
    assert np.array_equal(rate_of_change(values, 6.25), theirs)
    flat = flat_line_test(values, seconds, suspect_threshold=1_800, fail_threshold=10**7, tolerance=0.01)
    assert np.array_equal(flat_line(times, values, 1_800_000), np.asarray(flat) == 3)


# --- pantau ---------------------------------------------------------------------------------------------------------


def test_a_spike_beyond_ioos_qcs_limit_is_one_for_pantau_too() -> None:
    """Where both look at a lone value between calm neighbours, they agree."""
    values = river()
    spikes = inject(Fault("spike", 100.0), TIMES, values, 900, 3)
    lone = [first for first, last in spikes.spans if first == last]
    theirs = np.flatnonzero(spike_test(spikes.values, suspect_threshold=60).data == 3)
    ours = np.flatnonzero(pantau(TIMES, spikes.values, 900).flags >= 3)
    assert set(lone) <= set(theirs)
    assert set(lone) <= set(ours)


def test_pantau_learns_from_the_past_only() -> None:
    values = river()
    half = len(values) // 2
    whole, part = pantau(TIMES, values, 0), pantau(TIMES[:half], values[:half], 0)
    assert whole.flags[: half - 3].tolist() == part.flags[: half - 3].tolist()


def test_every_model_judges_every_fault() -> None:
    found = list(trials(gauge("a", TIMES, river()), 1))
    assert len(found) == len(MODELS) * (1 + len(FAULTS))
    tally = Tally()
    for one in found:
        tally.add(one)
    rows = {(row["model"], row["fault"], row["size"]): row for row in tally.rows()}
    assert rows["pantau", "spike", 30.0]["recall"] >= 0.95
    assert rows["pantau", "spike", 30.0]["precision"] >= 0.95
    assert rows["pantau", "none", None]["flags_per_1000"] <= 1
    assert rows["pantau", "none", None]["rises_withheld"] == 0


@pytest.mark.parametrize(
    ("file", "station", "factor", "most"),
    [
        ("water_hanriver/han_2018.csv", "jamsu", 1.0, 1.0),
        ("water_occitanie_2020/occitanie_2020-01.csv", "Y1232010", 0.1, 5.0),
        ("water_ciliwung/ciliwung_2021-10_2024-05.csv", "Depok", 1.0, 5.0),
    ],
)
def test_no_true_rise_of_a_real_river_is_withheld_and_little_is_doubted(
    file: str, station: str, factor: float, most: float
) -> None:
    found = series(file, factor)[station]
    times, values = (np.array(column) for column in zip(*found, strict=True))
    one = gauge(station, times, np.round(values, 3))
    judgement = pantau(one.times, one.values, one.start)
    total = count(Trial("pantau", NONE, one, Injected(one.values, ()), judgement, judgement))
    assert one.rises.sum() > 20
    assert total.withheld == 0
    assert 1_000 * total.flagged / total.clean <= most
