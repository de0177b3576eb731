"""``pantau plot scores``: labelled windows and injected surges beside the score."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from app.drawings.scores import stretches
from tests.app.plotting import (
    HOUR,
    START,
    a_nab_file,
    plot,
    refusal,
    texts,
    utc,
    written,
)


@pytest.fixture
def nab(tmp_path: Path) -> Path:
    return a_nab_file(tmp_path)


def test_scores_are_drawn_with_windows_and_threshold(nab: Path, tmp_path: Path) -> None:
    out, windows = tmp_path / "s.svg", tmp_path / "windows.json"
    windows.write_text(
        json.dumps({"real/b.csv": [["2014-02-01 09:00:00.000000", "2014-02-01 11:00:00.000000"]]})
    )
    usual = ("scores", nab, "--out", out)
    said = plot(*usual, "--series", "real/b.csv", "--windows", windows, "--threshold", "0.5")
    assert said == f"{out}: 1200 scores of pantau, 1 stretches shaded\n"
    found = texts(out)
    for words in (
        "real/b.csv: score by pantau",
        "labelled window",
        "threshold 0.5",
        "zone not stated",
        "score (0 to 1)",
    ):
        assert words in found
    assert "UTC" not in found
    assert "give one with --series" in refusal(*usual)
    assert "has no entry 'real/a.csv'" in refusal(*usual, "--series", "real/a.csv", "--windows", windows)
    assert "no file is 'c'; there are 'real/a.csv', 'real/b.csv'" in refusal(*usual, "--series", "c")


def crowd_lines() -> Iterator[str]:
    for n in range(200):
        yield f"pantau,alun,{utc(START + n * HOUR)},{10 + n % 24},0.1,"
    for kind, first in (("x2", 50), ("x2", 53), ("x3", 100)):
        for n in range(first, first + 3):
            yield f"pantau,alun,{utc(START + n * HOUR)},{2 * (10 + n % 24)},0.8,{kind}-{first}"


def test_injected_surges_are_drawn_beside_the_untouched_series(tmp_path: Path) -> None:
    crowd, out = (
        written(tmp_path / "c.csv", "model,station,time,value,score,injected", *crowd_lines()),
        tmp_path / "s.svg",
    )
    assert plot("scores", crowd, "--out", out) == f"{out}: 200 scores of pantau, 3 stretches shaded\n"
    found = texts(out)
    assert {"injected x2", "injected x3", "time (UTC)"} <= set(found.split(" | "))
    week = f"{utc(START + 90 * HOUR)}/{utc(START + 120 * HOUR)}"
    assert (
        plot("scores", crowd, "--out", out, "--period", week)
        == f"{out}: 31 scores of pantau, 1 stretches shaded\n"
    )
    assert "injected x2" not in texts(out)
    plot("scores", crowd, "--out", out, "--injected", "x2")
    assert "injected x3" not in texts(out)
    assert "no such surge of 'alun'; there are 'x2', 'x3'" in refusal(
        "scores", crowd, "--out", out, "--injected", "x9"
    )
    assert "the earlier one first" in refusal(
        "scores", crowd, "--out", out, "--period", "2025-01-01/2024-01-01"
    )
    assert "has no value" in refusal("scores", crowd, "--out", out, "--period", "2025-01-01/2025-01-02")


def test_surges_are_told_apart_by_kind_and_by_the_readings_between_them() -> None:
    real = [(n, 1.0, 0.0, "") for n in range(10)]
    surges = [
        (2, 5.0, 0.5, "x2"),
        (3, 5.0, 0.5, "x2"),
        (5, 5.0, 0.5, "x2"),
        (6, 5.0, 0.5, "night"),
        (3, 5.0, 0.5, "night"),
    ]
    table = pd.DataFrame([*real, *surges], columns=["time", "value", "score", "injected"])
    untouched, found = stretches(table)
    assert list(untouched["time"]) == list(range(10))
    assert [(one.start, one.end, one.kind) for one in found] == [
        (2, 3, "x2"),
        (5, 5, "x2"),
        (6, 6, "night"),
        (3, 3, "night"),
    ]
