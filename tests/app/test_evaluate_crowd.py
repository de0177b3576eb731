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
    row = json.loads(_run(*arguments, "--out", str(out), "--json").splitlines()[0])
    with out.open(encoding="utf-8", newline="") as lines:
        rows = [line for line in csv.DictReader(lines) if line["model"] == "pantau"]
    assert list(rows[0]) == ["model", "station", "time", "value", "score", "injected"]
    assert sum(line["injected"] == "" for line in rows) == 2 * 12 * 168
    found: dict[tuple[str, str], float] = {}
    for line in rows:
        if line["injected"].startswith("x2-"):
            key = (line["station"], line["injected"])
            found[key] = max(found.get(key, 0.0), float(line["score"]))
    assert len(found) == 20
    assert row["recall_x2"] == pytest.approx(sum(score >= 0.5 for score in found.values()) / 20)


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
    [(["--timezone", "Mars/Olympus"], "'Mars/Olympus' is no time zone"), ([], "less than two days")],
)
def test_mistakes_say_what_to_do(tmp_path: Path, words: list[str], found: str) -> None:
    path = tmp_path / "short.csv"
    path.write_text("time,station,value,unit\n2026-01-01T00:00:00Z,a,1,persons\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=found):
        _run(str(path), *words)
