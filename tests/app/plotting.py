"""What the tests of ``pantau plot`` share: small recordings, and calls of the command."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from pantau.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3_600_000
START = 1_704_067_200_000  # 2024-01-01T00:00Z
HOURS = 24 * 30
FORECAST = "model,issued_at,target_at,lead_h,value_now,q05,q50,q95,probability,yes,observed,limit"


def utc(ms: int) -> str:
    return f"{pd.Timestamp(ms, unit='ms'):%Y-%m-%dT%H:%M:%SZ}"


def level_at(hour: int) -> float:
    """Two floods of 250 cm on a base of 600 cm, the highest at hour 500."""
    return round(
        600 + sum(top * float(np.exp(-(((hour - at) / 8) ** 2))) for at, top in ((200, 240), (500, 250)))
    )


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def a_recording(folder: Path) -> Path:
    lines = (f"{utc(START + hour * HOUR)},Hilir,{level_at(hour)},cm" for hour in range(HOURS))
    return written(folder / "recording.csv", "time,station,value,unit", *lines)


def forecast_lines() -> Iterator[str]:
    for model, error in (("pantau", 5), ("persistence", 0)):
        for hour in range(0, HOURS - 6, 3):
            for lead in (1, 3, 6):
                now, then = level_at(hour), level_at(hour + lead)
                middle = then + error if model == "pantau" else now
                said = 0.9 if middle >= 750 else 0.05
                band = f"{middle - 20},{middle},{middle + 20}" if model == "pantau" else f",{middle},"
                at = START + hour * HOUR
                yield (
                    f"{model},{utc(at)},{utc(at + lead * HOUR)},{lead},{now},{band},{said},"
                    f"{int(middle >= 750)},{then},750"
                )


def a_forecast_file(folder: Path) -> Path:
    return written(folder / "forecasts.csv", FORECAST, *forecast_lines())


def a_nab_file(folder: Path) -> Path:
    rows = (
        f"pantau,real/{name}.csv,2014-02-01 {n // 60:02}:{n % 60:02}:00,{n % 7 + 30 * (n == 600)},{0.9 * (n == 600)}"
        for name in "ab"
        for n in range(1200)
    )
    return written(folder / "nab.csv", "model,file,timestamp,value,score", *rows)


def plot(*arguments: str | Path) -> str:
    """What the command prints; a refusal is raised."""
    done = CliRunner().invoke(make_cli(), ["plot", *map(str, arguments)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def refusal(*arguments: str | Path) -> str:
    with pytest.raises(ConfigError) as refused:
        plot(*arguments)
    return str(refused.value)


def texts(picture: Path) -> str:
    """All words of an SVG picture, which must be well-formed."""
    return " | ".join(ET.fromstring(picture.read_text(encoding="utf-8")).itertext())
