"""``pantau evaluate quality FILE``: a table, one object a line, and a CSV of every flag."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from pantau.errors import ConfigError
from tests.detector_bench import tide

KEYS = ["model", "fault", "size", "recall", "precision", "flags_per_1000", "rises_withheld"]
ROWS = 3 * 12


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


def test_what_is_no_water_level_or_too_short_is_left_out_and_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no station with 500 water levels"):
        CliRunner().invoke(
            make_cli(), ["evaluate", "quality", str(recording(tmp_path, 2))], catch_exceptions=False
        )
    with pytest.raises(ConfigError, match="units are cm, mm, m"):
        CliRunner().invoke(
            make_cli(), ["evaluate", "quality", str(recording(tmp_path, unit="m3/s"))], catch_exceptions=False
        )
