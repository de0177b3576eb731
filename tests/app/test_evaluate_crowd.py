"""``pantau evaluate crowd`` from a file to a table, objects and scores."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from pantau.errors import ConfigError

KEYS = ["model", "false_per_week", "recall_x15", "recall_x2", "recall_x3", "recall_night"]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve invented weeks of two cameras, one of them in another unit."""
    path = tmp_path_factory.mktemp("crowd") / "counts.csv"
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["time", "station", "value", "unit"])
        for hour in range(12 * 168):
            day, clock = divmod(hour, 24)
            time = f"2026-{1 + day // 28:02}-{1 + day % 28:02}T{clock:02}:00:00Z"
            count = 20 + 180 * (8 <= clock <= 20) + hour * 7919 % 31
            writer.writerow([time, "square", count, "persons/h"])
            writer.writerow([time, "gate", count // 2, "people"])
    return path


def _run(*words: str) -> str:
    result = CliRunner().invoke(make_cli(), ["evaluate", "crowd", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_prints_one_object_a_model_with_the_products_own_first(counts: Path) -> None:
    rows = [json.loads(line) for line in _run(str(counts), "--surges", "20", "--json").splitlines()]
    assert [list(row) for row in rows] == [KEYS] * 4
    assert [row["model"] for row in rows] == ["pantau", "raw_threshold", "hour_of_week_fixed", "seasonal_ew"]
    assert all(0 <= row[key] <= 1 for row in rows for key in KEYS[2:])
    assert rows[0]["recall_x3"] >= 0.95
    assert rows[0]["recall_night"] > rows[1]["recall_night"]


def test_by_station_names_them_and_the_table_has_the_same_columns(counts: Path) -> None:
    head, *lines = _run(str(counts), "--surges", "5", "--by-station").splitlines()
    assert head.split() == ["model", "station", *KEYS[1:]]
    assert [line.split()[1] for line in lines] == ["gate", "square"] * 4


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(counts: Path, tmp_path: Path) -> None:
    outs = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        _run(str(counts), "--surges", "3", "--seed", seed, "--out", str(tmp_path / name))
        outs.append((tmp_path / name).read_bytes())
    assert outs[0] == outs[1] != outs[2]


def test_every_score_is_written_so_that_somebody_else_can_count(counts: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    arguments = (str(counts), "--surges", "10", "--timezone", "Asia/Jakarta")
    told = [json.loads(line) for line in _run(*arguments, "--out", str(out), "--json").splitlines()]
    with out.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["model", "station", "time", "value", "score", "injected", "threshold"]
    for row in told:
        mine = [line for line in rows if line["model"] == row["model"]]
        assert sum(line["injected"] == "" for line in mine) == 2 * 12 * 168
        found: dict[tuple[str, str], bool] = {}
        for line in mine:
            if line["injected"].startswith("x2-"):
                key = (line["station"], line["injected"])
                found[key] = found.get(key, False) or float(line["score"]) >= float(line["threshold"])
        assert len(found) == 20
        assert row["recall_x2"] == pytest.approx(sum(found.values()) / 20)


def test_a_crowd_of_more_than_a_million_is_written_to_the_last_person(tmp_path: Path) -> None:
    path, out = tmp_path / "counts.csv", tmp_path / "scores.csv"
    rows = [f"2026-01-{1 + h // 24:02}T{h % 24:02}:00:00Z,a,{1_234_567 + h},persons" for h in range(96)]
    path.write_text("\n".join(["time,station,value,unit", *rows]), encoding="utf-8")
    _run(str(path), "--surges", "1", "--out", str(out))
    with out.open(encoding="utf-8", newline="") as lines:
        assert next(csv.DictReader(lines))["value"] == "1234567"


def test_a_station_that_is_too_short_is_left_out_and_named(counts: Path, tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    path.write_text(counts.read_text(encoding="utf-8") + "2026-01-01T00:00:00Z,new,1,persons\n", "utf-8")
    told = CliRunner().invoke(make_cli(), ["evaluate", "crowd", str(path), "--surges", "2", "--by-station"])
    assert (told.exit_code, "new: left out, it has 1 readings in less than two days" in told.stderr) == (
        0,
        True,
    )
    assert {line.split()[1] for line in told.stdout.splitlines()[1:]} == {"gate", "square"}


def test_where_nobody_ever_is_no_recall_is_defined(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    rows = [f"2026-01-{1 + h // 24:02}T{h % 24:02}:00:00Z,a,0,persons" for h in range(240)]
    path.write_text("\n".join(["time,station,value,unit", *rows]), encoding="utf-8")
    for line in _run(str(path), "--surges", "2", "--json").splitlines():
        row = json.loads(line)
        assert [row[key] for key in KEYS[1:]] == [0, None, None, None, None]


def test_the_threshold_is_the_products_alone(counts: Path) -> None:
    low, high = (
        [
            json.loads(line)
            for line in _run(str(counts), "--surges", "5", "--json", "--threshold", at).splitlines()
        ]
        for at in ("0.01", "1")
    )
    assert low[0]["false_per_week"] > high[0]["false_per_week"] == 0
    assert low[1:] == high[1:]


@pytest.mark.parametrize(
    ("words", "found"),
    [(["--timezone", "Mars/Olympus"], "'Mars/Olympus' is no time zone"), ([], "give weeks of them")],
)
def test_mistakes_say_what_to_do(tmp_path: Path, words: list[str], found: str) -> None:
    path = tmp_path / "short.csv"
    path.write_text("time,station,value,unit\n2026-01-01T00:00:00Z,a,1,persons\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=found):
        _run(str(path), *words)
