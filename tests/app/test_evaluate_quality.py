"""``pantau evaluate quality FILE``: a table, one object a line, and a CSV of every flag."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from pantau.errors import ConfigError
from tests.detector_bench import tide

KEYS = ["model", "fault", "size", "recall", "precision", "flags_per_1000", "rises_withheld"]
ROWS = 3 * 12
CITIES = Path(__file__).resolve().parents[2] / "cities"


def recording(folder: Path, days: float = 12, *, unit: str = "cm") -> Path:
    from pantau.forms import rfc3339

    path = folder / "levels.csv"
    lines = [f"{rfc3339(at)},uji-1,{value:.1f},{unit}" for at, value in tide(days)]
    path.write_text("\n".join(["time,station,value,unit", *lines]) + "\n", encoding="utf-8")
    return path


def test_each_line_is_an_object_with_the_keys_that_were_promised(tmp_path: Path) -> None:
    result = CliRunner().invoke(make_cli(), ["evaluate", "quality", str(recording(tmp_path)), "--json"])
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == ROWS
    assert all(list(row)[: len(KEYS)] == KEYS for row in rows)
    assert {row["model"] for row in rows} == {"pantau", "qartod_step", "qartod_spike"}
    again = CliRunner().invoke(make_cli(), ["evaluate", "quality", str(recording(tmp_path)), "--json"])
    assert again.stdout == result.stdout
    other = CliRunner().invoke(
        make_cli(), ["evaluate", "quality", str(recording(tmp_path)), "--json", "--seed", "2"]
    )
    assert other.stdout != result.stdout


def test_every_flag_is_written_so_that_somebody_else_can_count(tmp_path: Path) -> None:
    out = tmp_path / "flags.csv"
    path = recording(tmp_path, 5)
    result = CliRunner().invoke(make_cli(), ["evaluate", "quality", str(path), "--out", str(out)])
    assert result.exit_code == 0
    assert result.stdout.split()[:3] == ["model", "fault", "size"]
    with out.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == ROWS * 720
    spikes = [row for row in rows if (row["model"], row["fault"], row["size"]) == ("pantau", "spike", "100")]
    assert {row["flag"] for row in spikes if row["injected"] == "1"} <= {"3", "4"}
    assert all(row["reason"] for row in spikes if row["flag"] in {"3", "4"})
    assert rows[0] == {
        "model": "pantau", "fault": "none", "size": "", "station": "uji-1", "time": "2026-01-01T00:00:00.000Z",
        "value": rows[0]["value"], "injected": "0", "flag": "1", "pending": "1", "reason": "",
    }  # fmt: skip


def test_a_city_that_ties_the_gauges_lets_the_neighbour_check_take_part(tmp_path: Path) -> None:
    from pantau.forms import rfc3339

    path, out = tmp_path / "levels.csv", tmp_path / "flags.csv"
    lines = [
        f"{rfc3339(at)},{name},{value:.1f},cm"
        for at, value in tide(30, every_ms=3_600_000)
        for name in ("awan-1", "Middle Awan")  # by id, and by an alias
    ]
    path.write_text("\n".join(["time,station,value,unit", *lines]) + "\n", encoding="utf-8")
    asked = ["evaluate", "quality", str(path), "--json", "--out", str(out), "--city"]
    tied = CliRunner().invoke(make_cli(), [*asked, str(CITIES / "contoh")])
    assert "2 of 2 gauges have a neighbour in the file by city" in tied.stderr
    drift = rows_of(tied.stdout)["pantau", "drift", 50]
    assert (drift["faults"], drift["recall"], drift["false_per_30d"]) == (2, 1, 0)
    with out.open(encoding="utf-8", newline="") as told:
        alarms = [row for row in csv.DictReader(told) if row["model"] == "neighbour"]
    assert {row["station"] for row in alarms} == {"awan-1", "awan-2"}
    assert {(row["injected"], row["reason"]) for row in alarms} == {("1", "alarm")}
    alone = CliRunner().invoke(make_cli(), [*asked, str(CITIES / "jakarta")])
    assert (
        "0 of 2 gauges have a neighbour in the file by city jakarta: drift and datum are not" in alone.stderr
    )
    assert rows_of(alone.stdout)["pantau", "drift", 50]["recall"] is None


def rows_of(stdout: str) -> dict[tuple[str, str, float], dict[str, Any]]:
    rows = [json.loads(line) for line in stdout.splitlines()]
    return {(row["model"], row["fault"], row["size"]): row for row in rows}


def test_what_is_no_water_level_or_too_short_is_left_out_and_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no station with 500 water levels"):
        CliRunner().invoke(
            make_cli(), ["evaluate", "quality", str(recording(tmp_path, 2))], catch_exceptions=False
        )
    with pytest.raises(ConfigError, match="units are cm, mm, m"):
        CliRunner().invoke(
            make_cli(), ["evaluate", "quality", str(recording(tmp_path, unit="m3/s"))], catch_exceptions=False
        )
