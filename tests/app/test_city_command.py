"""``pantau city check``: every mistake and exit 1, or one screen about the city and exit 0."""

import json
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from app.commands import city

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def cli() -> typer.Typer:
    cli = typer.Typer()
    city.register(cli)
    return cli


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(ROOT / "cities/contoh", tmp_path / "contoh"))
    (folder / "links.csv").write_text("upstream,downstream\nawan-1,awan-1\n", encoding="utf-8")
    return folder


def test_a_good_city_is_shown_on_one_screen(cli: typer.Typer) -> None:
    result = CliRunner().invoke(cli, ["city", "check", str(ROOT / "cities/contoh")])
    assert result.exit_code == 0
    head, *rows = result.stdout.splitlines()
    assert head.endswith("cities/contoh: Contoh, Asia/Makassar, en id: no problems")
    assert "  stations     12: 8 water_level, 3 crowd_count, 1 rain" in rows
    assert "  no limits    awan-3b, pond" in rows
    assert "  groups       awan (3 stations), batu (2 stations)" in rows
    assert len(rows) < 24


def test_every_mistake_is_printed_and_the_exit_code_is_one(cli: typer.Typer, broken: Path) -> None:
    result = CliRunner().invoke(cli, ["city", "check", str(broken)])
    assert result.exit_code == 1
    *problems, total = result.stdout.splitlines()
    assert [problem.removeprefix(f"{broken.as_posix()}/") for problem in problems] == [
        f"links.csv:1: column '{name}' is missing; add it (its cells may be blank where that is allowed)"
        for name in ("low_min", "high_min", "source")
    ]
    assert total == f"{broken.as_posix()}: 3 problems"


def test_json_is_one_object_a_folder(cli: typer.Typer, broken: Path) -> None:
    folders = [str(ROOT / "cities/contoh"), str(broken)]
    result = CliRunner().invoke(cli, ["city", "check", "--json", *folders])
    assert result.exit_code == 1
    good, bad = [json.loads(line) for line in result.stdout.splitlines()]
    assert (good["ok"], good["problems"], good["summary"]["stations"]["rain"]) == (True, [], 1)
    assert (bad["ok"], len(bad["problems"]), bad["summary"]) == (False, 3, None)


def test_the_settings_name_the_city_when_no_folder_is_given(cli: typer.Typer) -> None:
    result = CliRunner().invoke(
        cli, ["city", "check", "--json"], env={"PANTAU_CITY": str(ROOT / "cities/contoh")}
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout)["summary"]["name"] == "Contoh"


def test_options_of_a_binding_are_checked_by_its_format(cli: typer.Typer, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ROOT / "cities/contoh", tmp_path / "contoh"))
    toml = (folder / "city.toml").read_text(encoding="utf-8")
    (folder / "city.toml").write_text(toml.replace('"square-east"', '"pond"'), encoding="utf-8")
    result = CliRunner().invoke(cli, ["city", "check", str(folder)])
    assert result.exit_code == 1
    assert "city.toml: options of the binding of 'frigate/+/person': " in result.stdout
    assert "'pond'" in result.stdout


def test_a_folder_that_does_not_exist_is_a_finding(cli: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["city", "check", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "no such folder" in result.stdout
