"""The life of a model on the command line: train, look, promote, roll back, try in shadow; what a broken one costs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from app.backtest import _Run
from app.caller import caller
from app.commands import model as model_command
from app.commands import train as train_command
from app.doctor.checks import models as check
from app.doctor.finding import Context, Finding
from app.pipeline import Inputs
from app.settings import load_settings
from models.all import configure, detectors
from models.artifact import Shelf
from models.detectors.forest import Forest
from pantau import cityfolder
from pantau.errors import ConfigError
from pantau.event import Score, Transition
from pantau.reading import Reading
from tests.detector_bench import MIN, T0, tide
from tests.recordings import recordings

CITY = Path(__file__).parents[2] / "cities" / "contoh"
STATION = "awan-1"
NAME = "forest/water_level"


@pytest.fixture(scope="module")
def cli() -> typer.Typer:
    found = typer.Typer()
    train_command.register(found)
    model_command.register(found)
    return found


@pytest.fixture(scope="module")
def trained(cli: typer.Typer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A data folder with three versions of one forest, the first live."""
    data = tmp_path_factory.mktemp("data")
    versions = []
    for seed in (1, 2, 3):
        file = data / f"{seed}.csv"
        rows = [f"{_rfc(at)},{STATION},{value:.1f},cm" for at, value in tide(6, seed=seed)]
        file.write_text("\n".join(["time,station,value,unit", *rows]), encoding="utf-8")
        told = _run(cli, "train", file, "--city", CITY, "--out", data / "models", "--json", "--by", "sari",
                    *["--promote"] * (seed == 1))  # fmt: skip
        versions.append(json.loads(told.stdout)["version"])
    return data, versions


@pytest.fixture
def data(trained: tuple[Path, list[str]], tmp_path: Path) -> Path:
    from shutil import copytree

    return Path(copytree(trained[0], tmp_path / "data"))


def _rfc(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat()


def _run(cli: typer.Typer, *words: str | Path) -> Result:
    result = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def _model(cli: typer.Typer, data: Path, *words: str) -> Result:
    return _run(cli, "model", *words, "--out", data / "models")


def _states(cli: typer.Typer, data: Path) -> dict[str, str]:
    rows = map(json.loads, _model(cli, data, "list", "--json").stdout.splitlines())
    return {row["version"]: row["state"] for row in rows if row["state"]}


def test_promotion_and_roll_back_are_told_with_who_and_why(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    first, second, third = trained[1]
    assert _states(cli, data) == {first: "live"}
    told = json.loads(
        _model(cli, data, "promote", NAME, second[:5], "--by", "budi", "--why", "wet season", "--json").stdout
    )
    assert told == {"model": NAME, "live": second, "challenger": None}
    _model(cli, data, "promote", NAME, third)
    assert f"live {second}" in _model(cli, data, "rollback", NAME, "--why", "false alarms").stdout
    _model(cli, data, "rollback", NAME)
    assert _states(cli, data) == {first: "live"}
    with pytest.raises(ConfigError, match="nothing to go back to"):
        _model(cli, data, "rollback", NAME)
    shown = _model(cli, data, "show", NAME).stdout
    assert f"promoted {third} in place of {second} by {caller()}\n" in shown
    assert f"promoted {second} in place of {first} by budi: wet season" in shown
    assert f"rolled_back {second} in place of {third} by {caller()}: false alarms" in shown


def test_the_card_is_shown_for_people_and_for_machines(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    text = _model(cli, data, "show", NAME, trained[1][1]).stdout
    assert (data / "models" / NAME / trained[1][1] / "card.md").read_text(encoding="utf-8") in text
    told = json.loads(_model(cli, data, "show", NAME, "--json").stdout)
    assert told["card"]["version"] == trained[1][0]
    assert told["history"][0]["by"] == "sari"


def test_a_challenger_is_started_and_ended(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    first, second, _ = trained[1]
    _model(cli, data, "shadow", NAME, second)
    assert _states(cli, data) == {first: "live", second: "challenger"}
    _model(cli, data, "shadow", NAME)
    assert _states(cli, data) == {first: "live"}


def test_training_can_begin_a_trial_at_once(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    told = _run(cli, "train", data / "2.csv", "--city", CITY, "--out", data / "models", "--shadow", "--json")
    assert json.loads(told.stdout)["challenger"]
    assert _states(cli, data) == {trained[1][0]: "live", trained[1][1]: "challenger"}


@pytest.mark.parametrize("words", [("promote", "forest/rain", "a"), ("promote", NAME, "zz"), ("show", "nothing"),
                                   ("show", "../etc/passwd"), ("rollback", "forest")])  # fmt: skip
def test_what_is_not_there_is_an_error_that_says_what_is(
    cli: typer.Typer, data: Path, words: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match=r"there is: |expected <family>/<name>"):
        _model(cli, data, *words)


def test_the_list_shows_a_spoilt_card_and_goes_on(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    (data / "models" / NAME / trained[1][1] / "card.json").write_text("{}", encoding="utf-8")
    rows = [json.loads(line) for line in _model(cli, data, "list", "--json").stdout.splitlines()]
    assert len(rows) == 3
    assert sum("is not a card" in row["problem"] for row in rows) == 1
    told = _model(cli, data, "list").stdout
    assert "share_above_half=" in told
    assert f"{NAME} {trained[1][1]} cannot be used: " in told


@pytest.mark.parametrize("broken", ["card.json", "model.skops", "CURRENT"])
def test_a_live_version_that_cannot_be_used_is_marked_ends_with_1_and_is_mended_by_training(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path, broken: str
) -> None:
    shelf, first = Shelf(data / "models", "forest", "water_level"), trained[1][0]
    (shelf.path / ("" if broken == "CURRENT" else first) / broken).write_bytes(b"junk")
    result = CliRunner().invoke(cli, ["model", "list", "--out", str(data / "models")])
    assert result.exit_code == 1
    assert "live, cannot be used" in result.stdout
    rows = CliRunner().invoke(cli, ["model", "list", "--json", "--out", str(data / "models")]).stdout
    (bad,) = [row for row in map(json.loads, rows.splitlines()) if row["state"] == "live"]
    assert broken in bad["problem"]
    told = json.loads(
        _run(cli, "train", data / "1.csv", "--city", CITY, "--out", data / "models", "--json").stdout
    )
    assert told["live"]
    assert told["remark"] == "it could not be used and is mended"
    assert _states(cli, data) == {first: "live"}


def test_another_version_does_not_take_the_place_of_a_current_that_holds_none_unasked(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    (data / "models" / NAME / "CURRENT").write_bytes(b"junk")
    words = ("train", data / "2.csv", "--city", CITY, "--out", data / "models", "--json")
    told = json.loads(_run(cli, *words).stdout)
    assert (told["live"], told["remark"]) == (
        False,
        "CURRENT holds no version, so the rules run alone until a promotion",
    )
    told = json.loads(_run(cli, *words, "--promote").stdout)
    assert (told["live"], told["remark"]) == (True, "it takes the place of a CURRENT that held no version")
    assert _states(cli, data) == {trained[1][1]: "live"}


def test_another_version_is_not_promoted_in_the_place_of_a_broken_one_unasked(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    first, second, _ = trained[1]
    (data / "models" / NAME / first / "model.skops").write_bytes(b"")
    told = json.loads(
        _run(cli, "train", data / "2.csv", "--city", CITY, "--out", data / "models", "--json").stdout
    )
    assert (told["version"], told["live"]) == (second, False)
    assert told["remark"].startswith(f"the live version {first} cannot be used")


def test_a_retired_model_stays_so_when_it_is_trained_and_comes_back_by_promotion(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    first, second, _ = trained[1]
    told = _model(cli, data, "retire", NAME, "--by", "sari", "--why", "false alarms", "--json").stdout
    assert json.loads(told) == {"model": NAME, "live": None, "challenger": None}
    assert _states(cli, data) == {first: "retired"}
    found = {"forest": Forest()}
    configure(found, data)  # type: ignore[arg-type]
    assert found["forest"].kinds == frozenset({"none"})
    again = json.loads(
        _run(cli, "train", data / "2.csv", "--city", CITY, "--out", data / "models", "--json").stdout
    )
    assert not again["live"]
    assert "was retired" in again["remark"]
    assert [finding.text for finding in _look(data)] == [f"{NAME}: live none (retired: the rules run alone)"]
    _model(cli, data, "promote", NAME, second)
    assert _states(cli, data) == {second: "live"}
    assert f"retired {first} by sari: false alarms" in _model(cli, data, "show", NAME).stdout


@pytest.mark.parametrize(("word", "meant"), [("water_level", NAME), ("forest", NAME), ("forecast/water_level", NAME),
                                             ("forest/water_levle", NAME)])  # fmt: skip
def test_a_model_that_is_nearly_named_is_suggested(
    cli: typer.Typer, data: Path, word: str, meant: str
) -> None:
    with pytest.raises(ConfigError, match=rf"did you mean {meant}\?"):
        _model(cli, data, "show", word)


def test_what_is_missing_is_told_of_a_version_without_a_card(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    for version in trained[1]:
        (data / "models" / NAME / version / "card.json").unlink()
    with pytest.raises(ConfigError, match=r"card\.json: is missing"):
        _model(cli, data, "promote", NAME, trained[1][1][:5])


def test_the_caller_is_the_login_name_and_unknown_where_there_is_none() -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    assert caller(nobody) == "unknown"
    assert caller(str) == "unknown"
    assert caller(lambda: "sari") == "sari"


# --- in the service ------------------------------------------------------------------------------------------------


def test_a_challenger_speaks_beside_the_live_one_under_its_own_name_and_opens_no_alert(
    cli: typer.Typer, trained: tuple[Path, list[str]], data: Path
) -> None:
    """Through the whole pipeline, with a level that both have never seen."""
    _model(cli, data, "shadow", NAME, trained[1][1])
    found = {name: one for name, one in detectors().items() if name == "forest"}
    configure(found, data)
    assert found.keys() == {"forest", "forest_challenger"}
    assert found["forest_challenger"].shadow
    run = _Run(cityfolder.load(CITY), found)
    said: list[Score] = []
    happened: list[Transition] = []
    readings = [*tide(0.25, seed=9), *((T0 + 6 * 60 * MIN + n * 10 * MIN, 20.0 + 3 * n) for n in range(15))]
    for at, value in readings:
        happened += run.advance(at)
        run.pipeline.process(Inputs(readings=[Reading(STATION, "water_level", value, at, at)]))
        scores = run.lane.take(run.pipeline.last.heard(), at, 0)
        happened += run._judge(scores)
        said += scores
    assert {score.detector for score in said} == {"forest", "forest_challenger"}
    assert all(score.shadow for score in said if score.detector == "forest_challenger")
    assert max(score.score for score in said if score.detector == "forest_challenger") >= 0.5
    assert {score.version.split("+")[1] for score in said} == {trained[1][0], trained[1][1]}
    assert [one for one in happened if one.cause == "anomaly"] == []


def test_without_a_challenger_there_is_no_second_detector(data: Path) -> None:
    found = {"forest": Forest()}
    configure(found, data)  # type: ignore[arg-type]
    assert found.keys() == {"forest"}


def _look(data: Path) -> list[Finding]:
    settings = load_settings({"PANTAU_CITY": str(CITY), "PANTAU_DATA": str(data)})
    return list(check.look(Context(settings)))


def test_the_doctor_says_whether_models_can_be_used(
    data: Path, trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    assert [finding.status for finding in _look(tmp_path / "empty")] == ["note"]
    (good,) = _look(data)
    assert (good.status, good.text) == ("ok", f"{NAME}: live {trained[1][0]}")
    Shelf(data / "models", "forest", "water_level").path.joinpath("CHALLENGER").write_text(trained[1][1])
    (data / "models" / NAME / trained[1][1] / "model.skops").write_bytes(b"")
    (bad,) = _look(data)
    assert bad.status == "error"
    assert bad.text.startswith(f"challenger {NAME}: ")
    assert f"`pantau model shadow {NAME}` ends the trial" in bad.do
    assert "rollback" not in bad.do


def test_the_doctor_says_what_makes_a_model_live_that_waits_for_it(
    data: Path, trained: tuple[Path, list[str]]
) -> None:
    folder = data / "models" / NAME
    for name in ("CURRENT", "HISTORY.jsonl"):  # as training leaves them: nobody has decided yet
        (folder / name).unlink()
    (found,) = _look(data)
    assert (found.status, found.text) == ("note", f"{NAME}: live none: the rules run alone")
    assert f"`pantau model promote {NAME} VERSION` makes one live" in found.do


def test_the_doctor_advises_a_roll_back_only_to_a_former_version_that_can_be_used(
    cli: typer.Typer, data: Path, trained: tuple[Path, list[str]]
) -> None:
    first, second, third = trained[1]
    folder = data / "models" / NAME
    (folder / first / "model.skops").write_bytes(b"")
    (bad,) = _look(data)
    assert f"`pantau model retire {NAME}`" in bad.do
    assert f"`pantau model promote {NAME} {min(second, third)}`" in bad.do
    assert "rollback" not in bad.do
    _model(cli, data, "promote", NAME, second)
    _model(cli, data, "promote", NAME, third)
    (folder / third / "card.json").unlink()
    (bad,) = _look(data)
    assert bad.do.endswith(f"`pantau model rollback {NAME}` takes the former version {second}")
    (folder / second / "card.json").unlink()
    (bad,) = _look(data)
    assert "rollback" not in bad.do


# --- periods and forecasts -------------------------------------------------------------------------------------------


def test_a_period_is_learnt_from_its_start_to_before_its_end(
    cli: typer.Typer, data: Path, tmp_path: Path
) -> None:
    told = _run(cli, "train", data / "1.csv", "--city", CITY, "--out", tmp_path, "--json",
                "--start", _rfc(T0 + 10 * MIN), "--end", _rfc(T0 + 5 * 86_400_000))  # fmt: skip
    assert json.loads(told.stdout)["readings"] == 5 * 144 - 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--start", "soon"), "--start is 'soon', expected a day such as 2026-01-02"),
        (("--start", "2026-01-05", "--end", "2026-01-05"), "expected the end after the start"),
        (("--end", "1999-01-01"), "no reading between --start and --end: it goes from 2026-"),
        (("--kind", "crowd_count"), "1.csv: there are no readings of kind 'crowd_count'"),
        (("--model", "oracle"), "expected forest or forecast"),
        (("--station", "awan-1"), "--station goes with --model forecast"),
        (("--model", "forecast", "--station", "nowhere"), "--station: station 'nowhere' is not in city"),
        (("--model", "forecast"), "no station of the recording has one upstream"),
        (("--model", "forecast", "--station", "awan-2"), "station 'awan-2' is not in the recording"),
    ],
)
def test_what_cannot_be_trained_is_said(
    cli: typer.Typer, data: Path, tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        _run(cli, "train", data / "1.csv", "--city", CITY, "--out", tmp_path / "out", *words)
    assert not list((tmp_path / "out").rglob("card.json"))


@pytest.fixture(scope="module")
def season(
    cli: typer.Typer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[dict[str, object]]]:
    """Forecasts of a real river, from one season."""
    out = tmp_path_factory.mktemp("season")
    file = recordings() / "water_ciliwung" / "ciliwung_2021-10_2024-05.csv"
    jakarta = CITY.parent / "jakarta"
    told = _run(cli, "train", file, "--city", jakarta, "--model", "forecast", "--start", "2021-11-01", "--end",
                "2022-05-01", "--out", out / "models", "--promote", "--json")  # fmt: skip
    return out, [json.loads(line) for line in told.stdout.splitlines()]


def test_each_gauge_with_gauges_upstream_gets_a_forecast_with_figures_beside_no_change(
    season: tuple[Path, list[dict[str, object]]],
) -> None:
    out, told = season
    city = cityfolder.load(CITY.parent / "jakarta")
    assert [row["name"] for row in told] == ["118", "122"]
    for row in told:
        metrics, beside = row["metrics"], row["baselines"]
        assert isinstance(metrics, dict)
        assert isinstance(beside, dict)
        assert metrics["mae_6h"] < beside["mae_6h"]
        assert row["live"]
        text = (Path(str(row["folder"])) / "card.md").read_text(encoding="utf-8")
        assert f"| mae_6h | {metrics['mae_6h']:.4g} cm |" in text
        assert f"of {row['name']} ({city.stations[str(row['name'])].name})," in text
        assert "It sees levels only" in text
    card = Shelf(out / "models", "forecast", "122").card(str(told[1]["version"]))
    assert card.params["upstream"] == ["118", "116"]
    assert card.inputs.keys() == {"116", "118", "122"}


def test_the_same_readings_give_the_same_forecast_again(
    cli: typer.Typer, season: tuple[Path, list[dict[str, object]]], tmp_path: Path
) -> None:
    file = recordings() / "water_ciliwung" / "ciliwung_2021-10_2024-05.csv"
    told = _run(cli, "train", file, "--city", CITY.parent / "jakarta", "--model", "forecast", "--station", "118",
                "--start", "2021-11-01", "--end", "2022-05-01", "--out", tmp_path, "--json")  # fmt: skip
    assert json.loads(told.stdout)["version"] == season[1][0]["version"]


def test_a_trained_forecast_is_taken_by_the_service(season: tuple[Path, list[dict[str, object]]]) -> None:
    from models.families import opened

    shelf = Shelf(season[0] / "models", "forecast", "122")
    version = shelf.current()
    assert version is not None
    model = opened(shelf.load(version))
    assert model.target == "122"
    assert model.limits == (750.0, 850.0, 950.0)
