"""The evaluation of drift: false and found alerts counted by hand on invented readings."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from app.evaluations import drift as command
from models.baseline import DAY_MS, baseline_of
from models.evaluations.drift import FAULTS, figures, told
from pantau.errors import ConfigError
from tests.detector_bench import MIN, T0

HOUR = 60 * MIN


def readings(days: int, base: float = 100.0) -> "pd.Series[float]":
    """Hourly; each day from its base up by ten and back, the base in a yearly wave of twenty."""
    times = [T0 + hour * HOUR for hour in range(days * 24)]
    values = [
        base
        + 20 * math.sin(math.tau * (at // DAY_MS) / 365)
        + 10 * math.sin(math.pi * (at // HOUR % 24) / 23)
        for at in times
    ]
    return pd.Series(values, index=pd.Index(times, dtype="int64"), name="cm")


def test_a_calm_sensor_is_never_told_and_every_large_fault_is() -> None:
    rows = {row["fault"]: row for row in figures({"s": readings(1000)})}
    assert rows.keys() == FAULTS.keys()
    assert (rows["none"]["alerts_per_year"], rows["none"]["found"]) == (0, None)
    assert rows["none"]["years"] == pytest.approx(386 / 365, abs=0.06)
    assert [rows[name]["found"] for name in ("zero_one_width", "unit_x10", "unit_x0.1")] == [1, 1, 1]
    assert all(0 < rows[name]["median_delay_days"] <= 14 for name in ("unit_x10", "unit_x0.1"))
    assert rows["zero_quarter_width"]["found"] == 0


def test_each_beginning_is_told_once() -> None:
    calm = readings(1000)
    known = baseline_of(zip(calm.index.tolist(), calm.tolist(), strict=True))
    assert known is not None
    wrong = calm.copy()
    for first in (100, 300):
        span = (wrong.index >= T0 + first * DAY_MS) & (wrong.index < T0 + (first + 60) * DAY_MS)
        wrong[span] += 500
    starts, judged = told(known, wrong)
    assert len(starts) == 2
    assert judged == 1000 - 1 - 13


def test_what_is_too_short_is_an_error(tmp_path: Path) -> None:
    cli = typer.Typer()
    command.register(cli)
    file = tmp_path / "short.csv"
    file.write_text("time,station,value,unit\n2026-01-01T00:00:00Z,s,1,cm\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="four months to watch"):
        CliRunner().invoke(cli, [str(file)], catch_exceptions=False)


def test_the_command_tells_one_row_a_fault(tmp_path: Path) -> None:
    cli = typer.Typer()
    command.register(cli)
    file = tmp_path / "long.csv"
    rows = [
        f"{pd.Timestamp(int(at), unit='ms', tz='UTC').isoformat()},s,{value},cm"
        for at, value in zip(readings(400).index.tolist(), readings(400).tolist(), strict=True)
    ]
    file.write_text("\n".join(["time,station,value,unit", *rows]), encoding="utf-8")
    result = CliRunner().invoke(cli, [str(file), "--json"], catch_exceptions=False)
    assert [json.loads(line)["fault"] for line in result.stdout.splitlines()] == list(FAULTS)
