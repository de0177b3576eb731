"""``pantau train`` from the command line to a live score."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.commands import train as command
from app.database import migrate, open_engine
from ingest.store.embedded import EmbeddedStore
from models.artifact import Shelf
from models.detectors.forest import Forest
from pantau.errors import ConfigError
from pantau.reading import Flag, Reading
from tests.detector_bench import Runner, tide

CITY = Path(__file__).parents[2] / "cities" / "contoh"
STATION = "awan-1"


@pytest.fixture
def cli() -> typer.Typer:
    found = typer.Typer()
    command.register(found)
    return found


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "awan.csv"
    _write(path, days=6)
    return path


def _write(path: Path, *, days: float, seed: int = 1) -> None:
    from datetime import UTC, datetime

    rows = [
        f"{datetime.fromtimestamp(at / 1000, UTC).isoformat()},{STATION},{value:.1f},cm"
        for at, value in tide(days, seed=seed)
    ]
    path.write_text("\n".join(["time,station,value,unit", *rows]), encoding="utf-8")


def _train(cli: typer.Typer, *words: str | Path, catch: bool = False) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in (*words, "--city", CITY)], catch_exceptions=catch)
    assert catch or result.exit_code == 0, result.output
    return result


def test_from_a_recording_to_a_live_score(cli: typer.Typer, recording: Path, tmp_path: Path) -> None:
    told = json.loads(_train(cli, recording, "--out", tmp_path / "models", "--promote", "--json").stdout)
    assert (told["kind"], told["live"], told["readings"], told["sensors"]) == ("water_level", True, 864, 1)
    forest = Forest()
    forest.configure(tmp_path)
    answers = [answer for answer in Runner(forest).run(tide(1)) if answer]
    assert answers[-1].version == f"1+{told['version']}"


def test_a_first_version_is_live_only_when_promoted(
    cli: typer.Typer, recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "models"
    told = json.loads(_train(cli, recording, "--out", out, "--json").stdout)
    assert (told["live"], told["remark"]) == (False, "the rules run alone until a promotion")
    forest = Forest()
    forest.configure(tmp_path)
    assert not any(Runner(forest).run(tide(1))), "the rules run alone"
    line = _train(cli, recording, "--out", out).stdout
    assert (
        f"not live: look at its card, then `pantau model promote forest/water_level {told['version']}`"
        in line
    )
    assert Shelf(out, "forest", "water_level").history() == []


def test_a_first_version_may_run_in_shadow_beside_the_rules(
    cli: typer.Typer, recording: Path, tmp_path: Path
) -> None:
    told = json.loads(_train(cli, recording, "--out", tmp_path / "models", "--shadow", "--json").stdout)
    assert (told["live"], told["challenger"]) == (False, True)
    rival = Forest().challenger(tmp_path)
    assert rival is not None
    assert all(answer.shadow for answer in Runner(rival).run(tide(1)) if answer)


def test_a_later_version_is_live_only_when_promoted(
    cli: typer.Typer, recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "models"
    first = json.loads(_train(cli, recording, "--out", out, "--promote", "--json").stdout)["version"]
    _write(recording, days=6, seed=2)
    second = json.loads(_train(cli, recording, "--out", out, "--json").stdout)
    assert not second["live"]
    assert Shelf(out, "forest", "water_level").current() == first
    assert (
        f"`pantau model promote forest/water_level {second['version']}`"
        in _train(cli, recording, "--out", out).stdout
    )
    assert json.loads(_train(cli, recording, "--out", out, "--promote", "--json").stdout)["live"]
    assert Shelf(out, "forest", "water_level").current() == second["version"]
    assert Shelf(out, "forest", "water_level").versions() == sorted([first, second["version"]])


def test_training_again_on_the_same_readings_is_the_same_version(
    cli: typer.Typer, recording: Path, tmp_path: Path
) -> None:
    lines = {
        _train(cli, recording, "--out", tmp_path / str(n), "--json").stdout.split('"folder"')[0]
        for n in range(2)
    }
    assert len(lines) == 1


def test_the_store_teaches_what_a_file_with_the_same_readings_teaches(
    cli: typer.Typer, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'pantau.db'}"
    monkeypatch.setenv("PANTAU_DATABASE_URL", url)
    engine = open_engine(url)
    migrate(engine)
    good = [
        Reading(STATION, "water_level", round(value, 1), at, at, flag=int(Flag.GOOD)) for at, value in tide(6)
    ]
    wrong = Reading(STATION, "water_level", 99_999.0, good[-1].observed_at + 1, 0, flag=int(Flag.FAIL))
    EmbeddedStore(engine).write([*good, wrong])
    engine.dispose()
    from_store = json.loads(_train(cli, "--store", "--out", tmp_path / "a", "--json").stdout)
    from_file = json.loads(_train(cli, recording, "--out", tmp_path / "b", "--json").stdout)
    assert from_store["readings"] == 864
    assert from_store["version"] == from_file["version"]


def test_a_file_or_the_store_but_not_both(cli: typer.Typer, recording: Path) -> None:
    assert _train(cli, catch=True).exit_code == 2
    assert _train(cli, recording, "--store", catch=True).exit_code == 2


def test_what_cannot_be_learnt_is_said(cli: typer.Typer, recording: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no kind; known are"):
        _train(cli, recording, "--kind", "wind", "--out", tmp_path)
    with pytest.raises(ConfigError, match="no readings of kind 'rain'"):
        _train(cli, recording, "--kind", "rain", "--out", tmp_path)
    _write(recording, days=1)
    with pytest.raises(ConfigError, match="at least 500"):
        _train(cli, recording, "--out", tmp_path)
    assert not list(tmp_path.rglob("card.json"))
