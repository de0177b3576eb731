"""``pantau evaluate forecast``: the table, the keys, the file; what others need to score the forecasts themselves."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from app.evaluations.forecast import rule_of
from pantau.errors import ConfigError
from tests.models.river import past_and_later, river, write
from tests.recordings import recordings

KEYS = [
    "model", "lead_h", "mae", "nse", "pi", "pod", "far", "csi", "onset_pod", "onset_far", "coverage",
]  # fmt: skip
CITY = Path(__file__).resolve().parents[2] / "cities" / "jakarta"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return past_and_later(tmp_path_factory.mktemp("river"), 260)


def run(*arguments: str | Path) -> list[dict[str, object]]:
    result = CliRunner().invoke(make_cli(), ["evaluate", "forecast", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_model_and_lead_has_a_row_and_the_file_gives_the_same_figures(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    past, later = files
    out = tmp_path / "forecasts.csv"
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
        "--leads",
        "1,3",
        "--out",
        out,
    )
    assert [list(row) for row in rows] == [KEYS] * 8
    assert [(row["model"], row["lead_h"]) for row in rows] == [
        (model, lead) for model in ("persistence", "upstream_rule", "ridge", "pantau") for lead in (1.0, 3.0)
    ]
    told = pd.read_csv(out)
    assert set(told["limit"]) == {480.0}, "whoever scores it later has to know what yes means"
    for row in rows:
        mine = told[
            (told["model"] == row["model"]) & (told["lead_h"] == row["lead_h"]) & told["observed"].notna()
        ]
        if row["model"] == "upstream_rule":  # no city knows this river
            assert row == dict.fromkeys(KEYS, None) | {"model": "upstream_rule", "lead_h": row["lead_h"]}
            continue
        assert np.abs(mine["observed"] - mine["q50"]).mean() == pytest.approx(row["mae"], abs=1e-5)
        came, yes = mine["observed"] >= 480, mine["yes"] == 1
        assert (came & yes).sum() / (came | yes).sum() == pytest.approx(row["csi"], abs=1e-5)
        onset = mine["value_now"] < 480
        missed = (came & yes & onset).sum() / (came & onset).sum()
        assert missed == pytest.approx(row["onset_pod"], abs=1e-5)
        if row["model"] == "pantau":
            inside = (mine["q05"] <= mine["observed"]) & (mine["observed"] <= mine["q95"])
            assert inside.mean() == pytest.approx(row["coverage"], abs=1e-5)
            assert 0.85 <= inside.mean() <= 0.95
        else:
            assert row["coverage"] is None
    by = {(row["model"], row["lead_h"]): row for row in rows}
    assert by["persistence", 3.0]["pi"] == 0.0
    assert float(str(by["pantau", 3.0]["mae"])) < 0.8 * float(str(by["persistence", 3.0]["mae"]))
    lead = pd.to_datetime(told["target_at"]) - pd.to_datetime(told["issued_at"])
    assert (lead.dt.total_seconds() == told["lead_h"] * 3600).all()


def test_without_training_files_only_the_time_after_the_first_two_fifths_is_scored(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    _, later = files
    out = tmp_path / "forecasts.csv"
    run(later, "--target", "down", "--upstream", "up", "--limit", "480", "--leads", "2", "--out", out)
    times = pd.to_datetime(pd.read_csv(later)["time"])
    issued = pd.to_datetime(pd.read_csv(out)["issued_at"])
    assert issued.min() >= times.min() + 0.4 * (times.max() - times.min())
    assert issued.max() == times.max()


def test_what_comes_later_in_the_file_changes_no_forecast(files: tuple[Path, Path], tmp_path: Path) -> None:
    past, later = files
    rows = pd.read_csv(later)
    cut = rows["time"].iloc[40 * 24]
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
            "--leads",
            "1,3",
            "--out",
            out,
        )
        found = pd.read_csv(out)
        told.append(found[found["issued_at"] <= cut].drop(columns="observed").reset_index(drop=True))
    pd.testing.assert_frame_equal(told[0], told[1])


def test_what_is_a_rare_step_of_another_unit_is_not_learnt_from_what_comes_later(tmp_path: Path) -> None:
    past, later = past_and_later(tmp_path, 300)
    train, rows = pd.read_csv(past), pd.read_csv(later)
    for table in (train, rows):
        table.loc[table["station"] == "up", "unit"] = "m3/s"
    times = sorted(set(rows["time"]))
    typo, cut = times[30 * 24], times[40 * 24]
    rows.loc[(rows["station"] == "up") & (rows["time"] == typo), "value"] += 900
    wild = rows.copy()
    after = wild["time"] > cut
    wild.loc[after, "value"] = np.random.default_rng(1).normal(500, 4000, int(after.sum())).round()
    told = []
    train.to_csv(past, index=False)
    for name, table in (("as_it_was", rows), ("wild", wild)):
        file, out = tmp_path / f"{name}.csv", tmp_path / f"{name}.out.csv"
        table.to_csv(file, index=False)
        options = ("--target", "down", "--upstream", "up", "--limit", "480", "--leads", "3", "--out", out)
        run(file, "--train", past, *options)
        found = pd.read_csv(out)
        told.append(found[found["issued_at"] <= cut].drop(columns="observed").reset_index(drop=True))
    pd.testing.assert_frame_equal(told[0], told[1])


def test_a_target_that_never_moves_is_no_flood_to_come(tmp_path: Path) -> None:
    series = river(60)
    series["down"][:] = 400.0
    file = write(tmp_path / "still.csv", series)
    row = run(file, "--target", "down", "--upstream", "up", "--limit", "480", "--leads", "3")[-1]
    assert (row["model"], row["mae"], row["far"], row["coverage"]) == ("pantau", 0, None, 1)


def test_learning_from_the_scored_period_or_in_another_unit_is_told(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    past, later = files
    table = pd.read_csv(past)
    table["unit"] = "m3/s"
    table.to_csv(tmp_path / "flow.csv", index=False)
    for train, complaint in (
        (later, "nothing to learn from"),
        (tmp_path / "flow.csv", "is in m3/s where it is learnt"),
    ):
        words = [str(later), "--train", str(train), "--target", "down", "--limit", "480"]
        result = CliRunner().invoke(make_cli(), ["evaluate", "forecast", *words])
        assert isinstance(result.exception, ConfigError)
        assert complaint in str(result.exception)


def test_another_unit_of_the_same_water_gives_the_same_forecasts(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    past, later = files
    mm = []
    for file in (past, later):
        table = pd.read_csv(file)
        table["value"], table["unit"] = table["value"] * 10, "mm"
        mm.append(tmp_path / file.name)
        table.to_csv(mm[-1], index=False)
    options = ("--target", "down", "--upstream", "up", "--limit", "480", "--leads", "3")
    assert run(mm[1], "--train", mm[0], *options) == run(later, "--train", past, *options)


def test_a_lone_gauge_with_gaps_and_half_hours_ahead(tmp_path: Path) -> None:
    series = river(60, step_ms=1_800_000)
    lone = {"down": series["down"][np.random.default_rng(2).random(len(series["down"])) > 0.2]}
    rows = run(write(tmp_path / "lone.csv", lone), "--target", "down", "--limit", "480", "--leads", "0.5,1")
    assert rows[-1]["lead_h"] == 1.0
    assert rows[-2]["lead_h"] == 0.5
    assert rows[-2]["mae"] is not None


def test_the_operators_rule_takes_limit_and_travel_time_from_the_city() -> None:
    rule = rule_of(CITY, "Manggarai", ("Depok", "Katulampa"))
    assert rule is not None
    assert (rule.station, rule.limit_at(1_700_000_000_000), rule.travel_ms) == ("Depok", 200.0, 7 * 3_600_000)
    assert rule_of(CITY, "Manggarai", ()) is None
    assert rule_of(CITY, "Manggarai", ("Seine",)) is None
    far = rule_of(CITY, "nowhere", ("Depok",))
    assert far is not None
    assert far.travel_ms is None


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--target", "sideways", "--limit", "480"), "'sideways' is not in the recording"),
        (("--target", "down", "--limit", "480", "--leads", "0"), "--leads is '0'"),
        (("--target", "down", "--limit", "480", "--leads", "soon"), "--leads is 'soon'"),
        (("--target", "down", "--limit", "480", "--leads", "1,nan"), "--leads is '1,nan'"),
        (("--target", "down", "--limit", "nan"), "--limit is nan"),
    ],
)
def test_mistakes_are_told(files: tuple[Path, Path], arguments: tuple[str, ...], complaint: str) -> None:
    result = CliRunner().invoke(make_cli(), ["evaluate", "forecast", str(files[0]), *arguments])
    assert result.exit_code != 0
    assert isinstance(result.exception, ConfigError)
    assert complaint in str(result.exception)


def test_on_a_recorded_river_it_beats_ridge_and_the_operators_rule_stands_beside_it() -> None:
    file = recordings() / "water_ciliwung" / "ciliwung_2021-10_2024-05.csv"
    from models.evaluations.forecast import evaluate
    from models.forecast_fit import Settings
    from models.forecast_story import Question
    from simulators.series import read_series

    series = read_series(file)
    split = int(pd.Timestamp("2023-06-01", tz="UTC").timestamp() * 1000)
    past = {name: one[one.index < split] for name, one in series.items()}
    later = {name: one[one.index >= split] for name, one in series.items()}
    upstream = ("Depok", "Katulampa")
    question = Question(
        "Manggarai", upstream, Settings((750.0,), (21_600_000,)), rule_of(CITY, "Manggarai", upstream)
    )
    persistence, rule, ridge, mine = evaluate(later, question, past)[0]
    assert mine["mae"] < 0.8 * persistence["mae"]  # measured 0.73, ridge 0.84
    assert mine["mae"] < ridge["mae"]
    assert mine["csi"] > 0.55 > persistence["csi"]
    assert 0.88 <= mine["coverage"] <= 0.92
    assert rule["mae"] is None
    assert rule["pod"] > 0
