"""NAB's rule against cases computed by hand, a slow reading of it row by row, and what must hold for any scores."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluations.nab import (
    PROFILES,
    SILENT,
    Marked,
    Profile,
    best,
    judge,
    probation,
    scaled_sigmoid,
    windows_at,
)
from models.evaluations.nab_held_out import held_out

STANDARD, LOW_FP, LOW_FN = PROFILES
ROWS = 20
WINDOW = (10, 13)
"""Four rows; the first three of the file are its probation."""


def marked(*hits: int, rows: int = ROWS, windows: tuple[tuple[int, int], ...] = (WINDOW,)) -> Marked:
    """A file whose score is 1 at some rows and 0 elsewhere."""
    scores = np.zeros(rows)
    scores[list(hits)] = 1.0
    return Marked(scores, windows)


def points(*hits: int, profile: Profile = STANDARD) -> float:
    return judge([marked(*hits)], profile, 0.5)


# --- by hand --------------------------------------------------------------------------------------------------------


def test_the_weights_are_those_of_numentas_profiles() -> None:
    assert [(p.name, p.false_positive, p.missed) for p in PROFILES] == [
        ("standard", 0.11, 1.0),
        ("low_fp", 0.22, 1.0),
        ("low_fn", 0.11, 2.0),
    ]


@pytest.mark.parametrize(
    ("position", "worth"),
    [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661), (3.0, -1.0), (3.01, -1.0), (800.0, -1.0)],
)
def test_the_sigmoid_has_the_published_values(position: float, worth: float) -> None:
    assert scaled_sigmoid(np.array([position]))[0] == pytest.approx(worth, abs=1e-5)


@pytest.mark.parametrize(
    ("rows", "quiet"), [(0, 0), (6, 0), (7, 1), (20, 3), (4032, 604), (5000, 750), (15902, 750)]
)
def test_the_first_15_percent_but_at_most_750_rows_are_not_scored(rows: int, quiet: int) -> None:
    assert probation(rows) == quiet


@pytest.mark.parametrize("profile", PROFILES)
def test_silence_is_0_and_every_window_at_its_first_row_is_100(profile: Profile) -> None:
    assert points(profile=profile) == 0.0
    assert points(10, profile=profile) == pytest.approx(100.0)


def test_half_way_into_the_window_0_860_of_its_worth_is_left() -> None:
    worth = 0.84828 / 0.98661
    assert points(12) == pytest.approx(100 * (worth + 1) / 2, abs=1e-3)
    assert points(12, profile=LOW_FN) == pytest.approx(100 * (worth + 2) / 3, abs=1e-3)


def test_the_last_row_of_a_window_still_counts_as_found() -> None:
    assert points(13) == pytest.approx(100 * (0.55460 / 0.98661 + 1) / 2, abs=1e-3)


def test_of_all_detections_in_a_window_only_the_first_counts() -> None:
    assert points(11, 12, 13) == points(11)


def test_a_false_one_before_the_first_window_costs_all_of_its_weight() -> None:
    assert points(5) == pytest.approx(-100 * 0.11 / 2)
    assert points(5, profile=LOW_FP) == pytest.approx(-100 * 0.22 / 2)
    assert points(5, profile=LOW_FN) == pytest.approx(-100 * 0.11 / 3)


def test_a_false_one_right_behind_a_window_costs_less() -> None:
    third = 2 / (1 + math.exp(5 / 3)) - 1
    assert points(14) == pytest.approx(100 * 0.11 * third / 2)
    assert points(5) < points(14) < 0


def test_a_false_one_far_behind_costs_all_of_it() -> None:
    file = marked(13 + 10, rows=60)
    assert judge([file], STANDARD, 0.5) == pytest.approx(-5.5)


def test_probation_costs_nothing_and_finds_nothing() -> None:
    assert points(0, 1, 2) == 0.0
    assert points(3) < 0.0


def test_a_window_that_begins_in_probation_is_found_in_its_rest() -> None:
    file = marked(1, 3, windows=((1, 4),))
    assert judge([file], STANDARD, 0.5) == pytest.approx(
        100 * (float(scaled_sigmoid(np.array([-0.5]))[0]) / 0.9866143 + 1) / 2
    )


def test_a_window_wholly_in_probation_cannot_be_found_but_is_demanded_as_numenta_does() -> None:
    files = [marked(10, windows=((0, 1), WINDOW))]
    assert judge(files, STANDARD, 0.5) == pytest.approx(100 * (1 + 1) / (2 + 1))


def test_a_window_of_one_row_is_full_or_missed() -> None:
    file = marked(10, windows=((10, 10),))
    assert judge([file], STANDARD, 0.5) == pytest.approx(100.0)


def test_a_score_on_the_threshold_is_a_detection() -> None:
    assert judge([marked(10)], STANDARD, 1.0) == pytest.approx(100.0)
    assert judge([marked(10)], STANDARD, 1.0 + 1e-9) == 0.0


def test_without_windows_nothing_is_defined() -> None:
    assert math.isnan(judge([marked(5, windows=())], STANDARD, 0.5))
    assert math.isnan(best([], STANDARD).score)


def test_the_threshold_is_one_for_all_files_and_each_profile_has_its_own() -> None:
    """Two windows found at 0.9 and 0.4; between them five false ones that only the low-FP profile minds."""
    first, second = np.zeros(100), np.zeros(100)
    first[20], second[20], second[40:60:2] = 0.9, 0.4, 0.5
    files = [Marked(first, [(20, 29)]), Marked(second, [(20, 29)])]
    assert best(files, STANDARD).threshold == 0.4
    assert best(files, LOW_FP).threshold == 0.9
    assert best(files, LOW_FP).score == pytest.approx(50.0)


def test_who_is_best_silent_stays_silent() -> None:
    assert best([marked(40, 50, 60, rows=400)], STANDARD) == (0.0, SILENT)


def test_held_out_a_folder_is_scored_at_the_others_threshold() -> None:
    """Alone each folder is perfect; the other's threshold is too high for the first and lets a false one in."""
    first, second = np.zeros(100), np.zeros(100)
    first[20], second[20], second[90] = 0.4, 0.9, 0.5
    files = {"a/x.csv": Marked(first, [(20, 29)]), "b/y.csv": Marked(second, [(20, 29)])}
    result = held_out(files, STANDARD)
    assert result.score == pytest.approx(100 * (0 + 2 - 0.11) / 4)
    assert (result.low, result.high) == pytest.approx((0.0, 100 * 1.89 / 2))
    with pytest.raises(ValueError, match="one folder"):
        held_out({"a/x.csv": files["a/x.csv"]}, STANDARD)


# --- windows --------------------------------------------------------------------------------------------------------


def test_windows_are_found_by_the_times_of_their_first_and_last_row() -> None:
    times = np.arange(10) * 60_000
    assert windows_at(times, [(300_000, 420_000), (60_000, 120_000)]) == [(1, 2), (5, 7)]


def test_limits_between_rows_shrink_to_the_rows_inside() -> None:
    assert windows_at(np.arange(10) * 10, [(11, 39)]) == [(2, 3)]


def test_of_two_rows_of_one_time_the_first_is_meant() -> None:
    assert windows_at(np.array([0, 10, 10, 20, 20, 30]), [(10, 20)]) == [(1, 3)]


@pytest.mark.parametrize("limits", [[(11, 19)], [(100, 200)], [(30, 10)], [(10, 30), (20, 40)]])
def test_a_window_without_rows_or_over_another_is_an_error(limits: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match=r"holds no row|overlaps"):
        windows_at(np.arange(10) * 10, limits)


# --- any scores -----------------------------------------------------------------------------------------------------


def slowly(files: list[Marked], profile: Profile, threshold: float) -> float:
    """The rule once more, one row after the other, as the paper words it."""

    def sigmoid(position: float) -> float:
        return -1.0 if position > 3 else 2 / (1 + math.exp(5 * position)) - 1

    got, null, perfect = 0.0, 0.0, 0
    for scores, windows in files:
        quiet = min(math.floor(0.15 * len(scores)), 750)
        found: dict[tuple[int, int], float] = {}
        for row in range(quiet, len(scores)):
            window = next((w for w in windows if w[0] <= row <= w[1]), None)
            past = [w for w in windows if w[1] < row]
            if window is not None:
                found.setdefault(window, -profile.missed)
            if scores[row] < threshold:
                continue
            if window is not None and found[window] == -profile.missed:
                length = window[1] - window[0] + 1
                found[window] = sigmoid(-(window[1] - row + 1) / length) / sigmoid(-1)
            elif window is None and past:
                first, last = past[-1]
                got += profile.false_positive * sigmoid((row - last) / max(last - first, 1))
            elif window is None:
                got -= profile.false_positive
        got += sum(found.values())
        null -= profile.missed * len(found)
        perfect += len(windows)
    return 100 * (got - null) / (perfect - null)


@st.composite
def corpora(draw: st.DrawFn) -> list[Marked]:
    files = []
    for _ in range(draw(st.integers(1, 3))):
        rows = draw(st.integers(12, 60))
        edges = sorted(draw(st.sets(st.integers(0, rows - 1), min_size=2, max_size=6)))
        windows = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=False)]
        levels = st.sampled_from([0.0, 0.0, 0.0, 0.1, 0.25, 0.5, 0.9, 1.0])
        files.append(Marked(np.array(draw(st.lists(levels, min_size=rows, max_size=rows))), windows))
    return files


thresholds = st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0, 1.1])
profiles = st.sampled_from(PROFILES)


@given(corpora(), thresholds, profiles)
def test_it_is_the_rule_read_row_by_row(files: list[Marked], threshold: float, profile: Profile) -> None:
    assert judge(files, profile, threshold) == pytest.approx(slowly(files, profile, threshold))


@given(corpora(), profiles)
def test_no_threshold_is_better_than_the_best(files: list[Marked], profile: Profile) -> None:
    result = best(files, profile)
    assert judge(files, profile, result.threshold) == pytest.approx(result.score)
    tried = [judge(files, profile, threshold) for threshold in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0, SILENT)]
    assert result.score == pytest.approx(max(tried))
    assert 0.0 <= result.score <= 100.0 + 1e-9


@given(corpora(), thresholds, profiles, st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(
    files: list[Marked], threshold: float, profile: Profile, luck: "np.random.Generator"
) -> None:
    shuffled = files[:]
    luck.shuffle(shuffled)
    assert judge(shuffled, profile, threshold) == pytest.approx(judge(files, profile, threshold))
    assert best(shuffled, profile).score == pytest.approx(best(files, profile).score)


@given(corpora(), thresholds.filter(bool), profiles, st.data())
def test_a_false_detection_never_helps_and_a_true_one_never_harms(
    files: list[Marked], threshold: float, profile: Profile, data: st.DataObject
) -> None:
    which = data.draw(st.integers(0, len(files) - 1))
    scores, windows = files[which]
    row = data.draw(st.integers(0, len(scores) - 1))
    more = scores.copy()
    more[row] = 1.2
    changed = [*files[:which], Marked(more, windows), *files[which + 1 :]]
    before, after = judge(files, profile, threshold), judge(changed, profile, threshold)
    if any(first <= row <= last for first, last in windows):
        assert after >= before - 1e-9
    else:
        assert after <= before + 1e-9
