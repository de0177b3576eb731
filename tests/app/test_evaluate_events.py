"""``pantau evaluate events``: floods warned of and false alarms, with intervals, from the past alone."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from pantau.errors import ConfigError
from tests.models.river import past_and_later

KEYS = [
    "model", "events",
    "warned", "warned_low", "warned_high",
    "warned_2h", "warned_2h_low", "warned_2h_high",
    "false_per_30d", "false_per_30d_low", "false_per_30d_high",
]  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return past_and_later(tmp_path_factory.mktemp("river"), 245)


def run(*arguments: str | Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(make_cli(), ["evaluate", "events", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_model_has_a_row_with_intervals_and_the_file_tells_when_it_was_on(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    past, later = files
    out = tmp_path / "signals.csv"
    rows = run(
        later,
        "--train",
        past,
        "--target",
        "down",
        "--upstream",
        "up",
        "--limit",
        "480",
        "--horizon",
        "3",
        "--out",
        out,
    )
    assert [list(row) for row in rows] == [KEYS] * 4
    assert [row["model"] for row in rows] == ["own_trend", "upstream_rule", "ridge", "pantau"]
    own, rule, ridge, mine = rows
    assert rule["warned"] is None
    assert rule["false_per_30d"] is None
    for row in (own, ridge, mine):
        assert row["events"] >= 3
        assert 0 <= row["warned_low"] <= row["warned"] <= row["warned_high"] <= 1
        assert row["false_per_30d_low"] <= row["false_per_30d"] <= row["false_per_30d_high"]
        assert row["warned_2h"] <= row["warned"]
    assert mine["warned"] >= 0.8
    told = pd.read_csv(out)
    assert told.groupby("model")["flood"].sum().to_dict() == {row["model"]: row["events"] for row in rows}
    assert set(told["model"]) == {"own_trend", "upstream_rule", "ridge", "pantau"}
    mine_on = told[(told["model"] == "pantau") & (told["active"] == 1)]
    assert (mine_on["signal"] >= 0.49 * mine_on["cut"]).all()


def test_an_alarm_at_a_typing_error_is_false(files: tuple[Path, Path], tmp_path: Path) -> None:
    past, later = files
    asked = ("--train", past, "--target", "down", "--upstream", "up", "--limit", "480", "--horizon", "3")
    out, wrong = tmp_path / "signals.csv", tmp_path / "wrong.csv"
    (before, *_) = run(later, *asked, "--out", out)
    told = pd.read_csv(out)
    own = told[told["model"] == "own_trend"]
    near = own["active"].rolling(49, center=True, min_periods=1).max()
    first = own.index[(near == 0) & (own["value_now"] < 420)][10]
    calm = own.loc[first : first + 1, "at"]  # two in a row: the second is believed until they are gone
    rows = pd.read_csv(later)
    rows.loc[rows["time"].isin(calm) & (rows["station"] == "down"), "value"] = 700.0
    rows.to_csv(wrong, index=False)
    (after, *_) = run(wrong, *asked)
    assert after["events"] == before["events"]
    assert after["false_per_30d"] > before["false_per_30d"]


def test_alarms_do_not_know_what_comes_later(files: tuple[Path, Path], tmp_path: Path) -> None:
    past, later = files
    rows = pd.read_csv(later)
    cut = rows["time"].iloc[20 * 24]
    short = tmp_path / "short.csv"
    rows[rows["time"] <= cut].to_csv(short, index=False)
    told = []
    for file in (later, short):
        out = tmp_path / f"{file.stem}.out.csv"
        run(
            file,
            "--train",
            past,
            "--target",
            "down",
            "--upstream",
            "up",
            "--limit",
            "480",
            "--horizon",
            "3",
            "--out",
            out,
        )
        found = pd.read_csv(out)
        told.append(found[found["at"] <= cut].drop(columns="flood").reset_index(drop=True))
    pd.testing.assert_frame_equal(told[0], told[1])


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--horizon", "0"), "--horizon is 0"),
        (("--budget", "0"), "--budget is 0"),
        (("--budget", "nan"), "--budget is nan"),
    ],
)
def test_mistakes_are_told(files: tuple[Path, Path], arguments: tuple[str, ...], complaint: str) -> None:
    options = ["evaluate", "events", str(files[0]), "--target", "down", "--limit", "480", *arguments]
    result = CliRunner().invoke(make_cli(), options)
    assert isinstance(result.exception, ConfigError)
    assert complaint in str(result.exception)
