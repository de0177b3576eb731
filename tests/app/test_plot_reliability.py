"""``pantau plot reliability``: counts, shares and intervals by hand."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.drawings.reliability import bins_of, brier, wilson
from tests.app.plotting import FORECAST, ROOT, a_forecast_file, plot, refusal, texts, written


@pytest.fixture
def forecasts(tmp_path: Path) -> Path:
    return a_forecast_file(tmp_path)


def test_bins_tell_what_was_said_and_what_came_true() -> None:
    said = np.array([0.0, 0.1, 0.2, 0.9, 1.0, 1.0])
    came = np.array([False, False, True, True, True, False])
    low, high = bins_of(said, came, np.arange(6), 2)
    assert low[:3] == pytest.approx((3, 0.1, 1 / 3))
    assert high[:3] == pytest.approx((3, 2.9 / 3, 2 / 3))
    for one, true in ((low, 1), (high, 2)):
        assert one.low <= wilson(true, 3)[0] < one.came < wilson(true, 3)[1] <= one.high


def test_an_empty_bin_is_left_out_and_a_certain_forecast_is_in_the_last() -> None:
    found = bins_of(np.array([0.05, 1.0]), np.array([False, True]), np.array([1, 2]), 10)
    assert [(one.cases, one.said) for one in found] == [(1, 0.05), (1, 1.0)]


@pytest.mark.parametrize(
    ("true", "cases", "low", "high"), [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)]
)
def test_wilsons_interval_is_the_published_one(true: int, cases: int, low: float, high: float) -> None:
    assert wilson(true, cases) == pytest.approx((low, high), abs=5e-5)


def test_hours_of_one_flood_count_less_than_as_many_single_ones() -> None:
    """200 forecasts of 10 weeks; half of the weeks come true as a whole, or half of the hours of each."""
    weeks = np.repeat(np.arange(10), 20)
    said = np.full(200, 0.5)
    (lumped,) = bins_of(said, weeks % 2 == 0, weeks, 1)
    (spread,) = bins_of(said, np.arange(200) % 2 == 0, weeks, 1)
    assert lumped.came == spread.came == 0.5
    assert (spread.low, spread.high) == wilson(100, 200)
    assert lumped.high - lumped.low > 3 * (spread.high - spread.low)


def test_briers_score_by_hand() -> None:
    assert brier(np.array([0.5, 1.0, 0.0]), np.array([True, True, True])) == pytest.approx((0.25 + 0 + 1) / 3)


@pytest.mark.parametrize("limit", ["700", "850"])
def test_a_limit_that_the_probabilities_were_not_made_for_is_refused(
    forecasts: Path, tmp_path: Path, limit: str
) -> None:
    out = tmp_path / "r.svg"
    said = refusal("reliability", forecasts, "--limit", limit, "--out", out)
    assert f"made for a limit of 750, --limit is {limit}; give that limit" in said
    assert not out.exists()


def test_the_limit_stands_in_the_file_and_of_several_one_is_named(forecasts: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.svg"
    assert plot("reliability", forecasts, "--out", out) == plot(
        "reliability", forecasts, "--limit", "750", "--out", out
    )
    assert "level at or above 750 cm" in texts(out)
    lines = forecasts.read_text(encoding="utf-8").splitlines()
    higher = [line.removesuffix(",750") + ",800" for line in lines[1:]]
    both = written(tmp_path / "both.csv", *lines, *higher)
    assert "its limits are 750, 800; name one with --limit" in refusal("reliability", both, "--out", out)
    of_both, alone = (plot("reliability", file, "--limit", "750", "--out", out) for file in (both, forecasts))
    assert of_both == alone
    assert plot("reliability", both, "--limit", "800", "--out", out) != alone


def test_a_file_from_before_limits_were_written_says_what_is_missing(forecasts: Path, tmp_path: Path) -> None:
    lines = [line.rpartition(",")[0] for line in forecasts.read_text(encoding="utf-8").splitlines()]
    old = written(tmp_path / "old.csv", *lines)
    said = refusal("reliability", old, "--limit", "750", "--out", tmp_path / "r.svg")
    assert "old.csv:1: column limit missing" in said


def test_a_file_is_read_only_once(forecasts: Path, tmp_path: Path) -> None:
    """What is given through a pipe is gone when it was read."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(forecasts.read_bytes()), daemon=True)
    writer.start()
    pantau = [sys.executable, "-c", "from app.cli import main; main()"]
    done = subprocess.run(
        [*pantau, "plot", "reliability", pipe, "--out", tmp_path / "r.svg"],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert "came true" in done.stdout, done.stderr


def test_a_reliability_diagram_tells_counts_base_rate_and_score(forecasts: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.svg"
    said = plot("reliability", forecasts, "--limit", "750", "--lead", "3", "--out", out)
    table = pd.read_csv(forecasts)
    mine = table[(table.model == "pantau") & (table.lead_h == 3)]
    came = mine.observed >= 750
    score = float(((mine.probability - came) ** 2).mean())
    assert f"{len(mine)} forecasts, {came.sum()} came true; Brier score {score:.4f}" in said
    found = texts(out)
    for words in ("pantau: level at or above 750 cm, 3 h ahead", "UTC", f"base rate {came.mean():.3f}",
                  str((mine.probability > 0.5).sum()), "forecast probability (0 to 1)"):  # fmt: skip
        assert words in found
    everything = plot("reliability", forecasts, "--limit", "750", "--out", out)
    assert f"{3 * len(mine)} forecasts" in everything
    assert "all leads" in texts(out)


def test_a_reliability_diagram_refuses_what_it_cannot_count(forecasts: Path, tmp_path: Path) -> None:
    usual = ("--limit", "750", "--out", tmp_path / "r.svg")
    assert refusal("reliability", forecasts, *usual, "--lead", "4").endswith(
        "no lead_h is 4; there are 1, 3, 6"
    )
    lines = forecasts.read_text(encoding="utf-8").splitlines()
    lines[5] = lines[5].replace(",0.05,", ",1.5,")
    assert refusal("reliability", written(tmp_path / "b.csv", *lines), *usual).endswith(
        "b.csv:6: probability is 1.5, expected 0 to 1"
    )
    empty = [
        lines[0],
        *(line.replace(",0.05,", ",,").replace(",0.9,", ",,").replace(",1.5,", ",,") for line in lines[1:]),
    ]
    assert "nothing to draw" in refusal("reliability", written(tmp_path / "b.csv", *empty), *usual)


def test_a_level_at_the_limit_has_reached_it(tmp_path: Path) -> None:
    row = "pantau,2024-01-01T00:00:00Z,2024-01-01T03:00:00Z,3,700,,,,0.5,1"
    file = written(tmp_path / "f.csv", FORECAST, f"{row},750.0,750", f"{row},749.9,750", f"{row},750.1,750")
    assert "3 forecasts, 2 came true" in plot(
        "reliability", file, "--limit", "750", "--out", tmp_path / "r.svg"
    )
