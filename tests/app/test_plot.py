"""``pantau plot``: pictures that repeat, are small, and refuse in words what they cannot draw."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from app.cli import make_cli
from app.drawings.scored import instant, read_scored
from app.drawings.sheet import thinned, traced
from pantau.errors import ConfigError
from tests.app.plotting import (
    HOUR,
    ROOT,
    START,
    a_forecast_file,
    a_nab_file,
    a_recording,
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


@pytest.fixture
def nab(tmp_path: Path) -> Path:
    return a_nab_file(tmp_path)


def test_the_same_data_give_the_same_bytes_without_a_date(
    recording: Path, forecasts: Path, nab: Path, tmp_path: Path
) -> None:
    calls: list[tuple[str | Path, ...]] = [
        ("hydrograph", recording, forecasts, "--target", "Hilir"),
        ("reliability", forecasts, "--limit", "750"),
        ("scores", nab, "--series", "real/a.csv"),
    ]
    for call in calls:
        for suffix in ("svg", "png"):
            one, two = (tmp_path / f"{name}.{suffix}" for name in "ab")
            plot(*call, "--out", one)
            plot(*call, "--out", two)
            assert one.read_bytes() == two.read_bytes()
        drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
        assert "<dc:date>" not in drawn
        assert "Matplotlib" not in drawn
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_long_series_makes_a_small_picture_that_keeps_its_peak(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(50, 10, 40_000).round(2)
    noise[12_345] = 777
    rows = [
        f"pantau,a.csv,{pd.Timestamp('2014-01-01') + pd.Timedelta(minutes=n)},{v},{n % 100 / 100}"
        for n, v in enumerate(noise)
    ]
    file, out = written(tmp_path / "n.csv", "model,file,timestamp,value,score", *rows), tmp_path / "n.svg"
    plot("scores", file, "--out", out)
    assert out.stat().st_size < 80_000
    assert 12_345 in thinned(noise)


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=300), st.integers(8, 100))
def test_thinning_keeps_ends_peaks_and_order(values: list[float], most: int) -> None:
    array = np.array(values)
    kept = thinned(array, most)
    assert (kept[0], kept[-1]) == (0, len(array) - 1)
    assert all(a < b for a, b in pairwise(kept.tolist()))
    assert len(kept) <= max(most, 4) or len(array) <= most
    if np.isfinite(array).any():
        assert np.nanmax(array[kept]) == np.nanmax(array)
        assert np.nanmin(array[kept]) == np.nanmin(array)


def test_a_file_is_refused_by_line_and_column(tmp_path: Path) -> None:
    wanted = {"model": "text", "a|b": "number", "at": "time"}
    good = written(
        tmp_path / "g.csv", "at,b,model", "2024-01-01T07:00:00+07:00,,x", "2024-01-01 01:00:00,2.5,x"
    )
    table = read_scored(good, wanted)
    assert list(table.columns) == ["model", "b", "at", "zoned"]
    assert list(table["at"]) == [START, START + HOUR]
    assert list(table["zoned"]) == [True, False]
    assert np.isnan(table["b"].iloc[0])
    bad = written(
        tmp_path / "b.csv",
        "at,b,model",
        "noon,1,x",
        "2024-01-01T00:00:00Z,much,x",
        "2024-01-01T00:00:00Z,inf,y",
    )
    with pytest.raises(ConfigError) as refused:
        read_scored(bad, wanted)
    assert set(refused.value.problems) == {
        f"{bad}:2: at is 'noon', expected a time such as 2026-01-02T03:04:05Z",
        f"{bad}:3: b is 'much', expected a finite number or nothing",
        f"{bad}:4: b is 'inf', expected a finite number or nothing",
    }
    for text, words in (
        ("at,c,model\n", ":1: column a or b missing; found at,c,model"),
        ("at,b,model\n", "has no rows"),
    ):
        with pytest.raises(ConfigError, match=words):
            read_scored(written(tmp_path / "c.csv", text.strip()), wanted)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_scored(tmp_path / "none.csv", wanted)


def test_a_line_is_broken_where_readings_are_missing() -> None:
    hours = np.array([0, 1, 2, 3, 30, 31, 32]) * HOUR
    times, values = traced(hours, np.arange(7.0))
    assert [int(one) for one in times.astype("int64") // HOUR] == [0, 1, 2, 3, 30, 30, 31, 32]
    assert np.flatnonzero(np.isnan(values)).tolist() == [4]
    whole, _ = traced(np.array([0]), np.array([1.0]))
    assert len(whole) == 1


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2024-01-01T00:00:00Z", START),
        ("2024-01-01T07:00:00+07:00", START),
        ("2024-01-01 01:00:00.000000", START + HOUR),
    ],
)
def test_a_time_without_a_zone_is_taken_as_utc(text: str, ms: int) -> None:
    assert instant(text, where="x") == ms


def test_only_svg_and_png_into_a_folder_that_is_there(forecasts: Path, tmp_path: Path) -> None:
    usual = ("reliability", forecasts, "--limit", "750", "--out")
    assert refusal(*usual, tmp_path / "r.jpg").endswith("r.jpg: the suffix is '.jpg', expected .svg or .png")
    assert "cannot be written (No such file or directory)" in refusal(*usual, tmp_path / "no" / "r.svg")


def call(code: str, *, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "", "PYTHONPATH": f"{path}:{ROOT}" if path else str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=ROOT, check=False
    )


def test_without_matplotlib_it_says_what_to_install(forecasts: Path, tmp_path: Path) -> None:
    """A package that is found first and is not there stands for one that is not installed."""
    away = tmp_path / "away" / "matplotlib"
    away.mkdir(parents=True)
    (away / "__init__.py").write_text(
        "raise ModuleNotFoundError('No module named matplotlib', name='matplotlib')\n"
    )
    words = [
        "pantau",
        "plot",
        "reliability",
        str(forecasts),
        "--limit",
        "750",
        "--out",
        str(tmp_path / "r.svg"),
    ]
    done = call(f"import sys; sys.argv = {words!r}; from app.cli import main; main()", path=away.parent)
    assert done.returncode == 2
    assert done.stderr.startswith("error: matplotlib is not installed")
    assert "pantau[plot]" in done.stderr
    assert not (tmp_path / "r.svg").exists()


def test_the_command_is_listed_without_pandas_and_matplotlib_and_draws_without_a_screen(
    forecasts: Path, tmp_path: Path
) -> None:
    listed = "[name for name in ('pandas', 'numpy', 'matplotlib') if name in sys.modules]"
    assert (
        call(
            f"import sys, typer; from app.commands import plot; plot.register(typer.Typer()); print({listed})"
        ).stdout
        == "[]\n"
    )
    draw = (
        "import sys; from pathlib import Path; from app.drawings.reliability import draw; "
        f"draw(Path({str(forecasts)!r}), Path({str(tmp_path / 'r.png')!r}), "
        "limit=750, lead=None, model='pantau', bins=10); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    done = call(draw)
    assert done.stdout == "False\n", done.stderr


def evaluated(*arguments: str | Path) -> None:
    done = CliRunner().invoke(make_cli(), ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_what_an_evaluation_of_forecasts_writes_can_be_drawn(tmp_path: Path) -> None:
    """Sixty days of a river with a flood each five days that takes four hours from Hulu to Hilir."""
    hours = np.arange(24 * 60)
    floods = np.arange(60, len(hours), 110)
    level = 100 + 150 * np.exp(-(((hours[:, None] - floods) / 5) ** 2)).sum(axis=1)
    rows = [
        f"{utc(START + int(hour) * HOUR)},{name},{value:.0f},cm"
        for name, values in (("Hulu", level), ("Hilir", 400 + 2 * np.roll(level, 4)))
        for hour, value in zip(hours, values, strict=True)
    ]
    levels = written(tmp_path / "levels.csv", "time,station,value,unit", *rows)
    out, picture = tmp_path / "forecasts.csv", tmp_path / "p.svg"
    evaluated(
        "forecast",
        levels,
        "--target",
        "Hilir",
        "--upstream",
        "Hulu",
        "--limit",
        "750",
        "--leads",
        "3",
        "--out",
        out,
    )
    plot("hydrograph", levels, out, "--target", "Hilir", "--limits", "750", "--out", picture)
    assert "5 to 95 %" in texts(picture)
    assert "came true" in plot("reliability", out, "--lead", "3", "--out", picture)
    assert "level at or above 750 cm" in texts(picture)


def test_what_an_evaluation_of_crowds_writes_can_be_drawn(tmp_path: Path) -> None:
    counts = np.random.default_rng(1).poisson(50 + 40 * np.sin(np.arange(24 * 60) * 2 * np.pi / 24))
    rows = [f"{utc(START + hour * HOUR)},alun,{count},persons" for hour, count in enumerate(counts)]
    file, out = written(tmp_path / "c.csv", "time,station,value,unit", *rows), tmp_path / "scores.csv"
    evaluated("crowd", file, "--surges", "5", "--out", out)
    said = plot("scores", out, "--injected", "x2", "--out", tmp_path / "p.svg")
    assert said.endswith(f"{len(counts)} scores of pantau, 5 stretches shaded\n")
    assert {"injected x2", "time (UTC)"} <= set(texts(tmp_path / "p.svg").split(" | "))
