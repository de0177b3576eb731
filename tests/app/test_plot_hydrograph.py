"""``pantau plot hydrograph``: forecasts beside what came, with zone, unit and issue times."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.drawings.hydrograph import chosen_issues
from tests.app.plotting import (
    HOUR,
    HOURS,
    START,
    a_forecast_file,
    a_recording,
    level_at,
    plot,
    refusal,
    texts,
    utc,
    written,
)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return a_recording(tmp_path)


@pytest.fixture
def forecasts(tmp_path: Path) -> Path:
    return a_forecast_file(tmp_path)


def test_a_hydrograph_tells_place_model_issue_times_limits_units_and_zone(
    recording: Path, forecasts: Path, tmp_path: Path
) -> None:
    out = tmp_path / "h.svg"
    said = plot("hydrograph", recording, forecasts, "--target", "Hilir", "--limits", "750,850", "--out", out)
    assert said == f"{out}: 3 forecasts of pantau\n"
    found = texts(out)
    for words in (
        "Hilir: level and forecasts by pantau",
        "time (UTC)",
        "level (cm)",
        "limit 750 cm",
        "limit 850 cm",
    ):
        assert words in found
    for issued in ("2024-01-21 11:00", "2024-01-21 14:00", "2024-01-21 17:00"):
        hour = pd.Timestamp(issued).floor("3h")  # forecasts are made every three hours
        assert f"issued {hour:%Y-%m-%d %H:%M}" in found
    assert found.count("5 to 95 %") == 1


def test_forecasts_are_those_before_the_highest_level_or_those_asked_for(recording: Path) -> None:
    hours = np.arange(HOURS)
    level = pd.Series([level_at(int(hour)) for hour in hours], index=START + hours * HOUR)
    issued = pd.Series(START + hours[::3] * HOUR)
    default = chosen_issues(level, issued, [], where="x")
    assert [(one - START) // HOUR for one in default] == [489, 492, 495]
    hourly = chosen_issues(level, pd.Series(level.index), [], where="x")
    assert [(one - START) // HOUR for one in hourly] == [490, 493, 496]
    assert chosen_issues(level, issued, [START + 6 * HOUR, START], where="x") == [START, START + 6 * HOUR]
    typo = level.copy()
    typo.iloc[100] = 9_999
    assert chosen_issues(typo, issued, [], where="x") == default


def test_forecasts_of_another_station_are_refused_with_its_name(forecasts: Path, tmp_path: Path) -> None:
    lines = [
        f"{utc(START + hour * HOUR)},{name},{level_at(hour) - below},cm"
        for hour in range(HOURS)
        for name, below in (("Hilir", 0), ("Hulu", 500))
    ]
    both = written(tmp_path / "both.csv", "time,station,value,unit", *lines)
    out = tmp_path / "h.svg"
    said = refusal("hydrograph", both, forecasts, "--target", "Hulu", "--out", out)
    assert "value_now is the level of 'Hilir'" in said
    assert "not of 'Hulu' (500.0 apart)" in said
    assert not out.exists()
    assert "3 forecasts" in plot("hydrograph", both, forecasts, "--target", "Hilir", "--out", out)


def test_an_issue_time_without_a_forecast_is_refused_with_its_neighbours(
    recording: Path, forecasts: Path, tmp_path: Path
) -> None:
    said = refusal(
        "hydrograph", recording, forecasts, "--target", "Hilir", "--out", tmp_path / "h.svg",
        "--at", "2024-01-05T04:00:00Z",
    )  # fmt: skip
    assert said == (
        f"{forecasts}: no forecast was issued at 2024-01-05T04:00:00Z (--at); nearest 2024-01-05T03:00:00Z "
        "and 2024-01-05T06:00:00Z"
    )


def test_a_model_without_a_band_is_drawn_as_a_line(recording: Path, forecasts: Path, tmp_path: Path) -> None:
    out = tmp_path / "h.svg"
    at = "2024-01-09T06:00:00Z"
    plot(
        "hydrograph",
        recording,
        forecasts,
        "--target",
        "Hilir",
        "--out",
        out,
        "--model",
        "persistence",
        "--at",
        at,
    )
    assert "issued 2024-01-09 06:00" in texts(out)
    assert "5 to 95 %" not in texts(out)


def test_a_hydrograph_refuses_what_does_not_fit(recording: Path, forecasts: Path, tmp_path: Path) -> None:
    out = tmp_path / "h.svg"
    usual = ("--target", "Hilir", "--out", out)
    assert refusal("hydrograph", recording, forecasts, "--target", "Hulu", "--out", out) == (
        f"{recording}: has no station 'Hulu'; there are 'Hilir'"
    )
    assert refusal("hydrograph", recording, forecasts, *usual, "--model", "oracle") == (
        f"{forecasts}: no model is 'oracle'; there are 'pantau', 'persistence'"
    )
    assert "--limits '7a': expected numbers" in refusal(
        "hydrograph", recording, forecasts, *usual, "--limits", "7a"
    )
    assert "--at: found 'noon'" in refusal("hydrograph", recording, forecasts, *usual, "--at", "noon")
    other = written(tmp_path / "o.csv", "time,station,value,unit", "2019-01-01T00:00:00Z,Hilir,1,cm")
    assert "give the recording that was forecast" in refusal("hydrograph", other, forecasts, *usual)
    assert not out.exists()
