"""``make evaluate``: the page tells what was measured, all of it, and nothing else."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.recordings import recordings
from tools.evaluation.measure import (
    Folders,
    Measured,
    Row,
    cut,
    load_measured,
    measure,
    pantau,
    save_measured,
)
from tools.evaluation.page import judged, page, table
from tools.evaluation.plan import Cut, Picture, Plan, Run, Section, Source, Target, load_plan, runs_of

ROOT = Path(__file__).resolve().parents[2]
PLAN = load_plan(ROOT / "tools" / "evaluate.toml")
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
PICTURES = ROOT / "docs" / "evaluation"
MEASURED = load_measured(PICTURES / "measured.json")

ROWS: list[Row] = [
    {"model": "pantau", "warned": 0.9, "warned_low": 0.7, "warned_high": 0.97, "false_per_30d": 0.5},
    {"model": "persistence", "warned": 0.25, "warned_low": None, "warned_high": None, "false_per_30d": None},
    {"model": "upstream_rule", "warned": 0.62, "warned_low": 0.5, "warned_high": 0.7, "false_per_30d": 1.25},
]


def small_plan(*targets: Target, command: str = "events {cuts}/a.csv --limit 750", text: str = "") -> Plan:
    picture = Picture("a.svg", "reliability {out} --limit 750", "How often it came true")
    run = Run("hilir", "Hilir", command, text, [picture])
    other = Run("hulu", "Hulu", "events {recordings}/x/b.csv")
    return Plan(
        intro="Intro.",
        reading="The worst counts.",
        conclusions="- Nothing.",
        limits="- Many.",
        cuts=[Cut("a", "water/all.csv", end="2023-06-01T00:00:00Z"), Cut("idle", "other/all.csv")],
        sections=[Section("Events", "What it is.", [run, other]), Section("Else", "Nothing yet.", [])],
        targets=list(targets),
        sources=[Source("water", "levels", "there", "MIT"), Source("other", "counts", "there", "none")],
    )


def measured(rows: list[Row] = ROWS, command: str = "events {cuts}/a.csv --limit 750") -> dict[str, Measured]:
    return {"hilir": Measured(command, 61, rows)}


# --- the page that is in the repository ------------------------------------------------------------------------------


def test_the_page_is_what_plan_and_figures_make_of_it() -> None:
    assert page(PLAN, MEASURED) == PAGE, (
        "run make evaluate, or make evaluate ARGS=--write when only words changed"
    )


@pytest.mark.parametrize("run", list(runs_of(PLAN)), ids=lambda run: run.id)
def test_every_run_of_the_plan_is_on_the_page(run: Run) -> None:
    assert MEASURED[run.id].command == run.command, f"run make evaluate ARGS='--only {run.id}'"
    assert any(row.get("model", "pantau") == "pantau" for row in MEASURED[run.id].rows)
    part = PAGE.partition(f"### {run.title}\n")[2].partition("\n#")[0]
    assert f"pantau evaluate {run.command.split()[0]} " in part
    assert len([line for line in part.splitlines() if line.startswith("| ")]) == 2 + len(
        MEASURED[run.id].rows
    )


def test_nothing_is_kept_that_the_plan_does_not_name() -> None:
    assert set(MEASURED) <= {run.id for run in runs_of(PLAN)}
    named = {picture.file for run in runs_of(PLAN) for picture in run.pictures}
    assert {path.name for path in PICTURES.iterdir()} == named | {"measured.json"}


def test_pictures_are_small() -> None:
    assert [
        path.name for path in PICTURES.iterdir() if path.suffix != ".json" and path.stat().st_size >= 60_000
    ] == []


def test_no_machine_and_no_secret_place_is_on_the_page() -> None:
    for text in (PAGE, (PICTURES / "measured.json").read_text(encoding="utf-8")):
        assert not re.search(r"/(?:work|tmp|home|root)/", text)


def test_every_recording_of_the_plan_is_there_and_has_a_source() -> None:
    folder = recordings()
    used = {one.file for one in PLAN.cuts}
    for run in runs_of(PLAN):
        used |= set(re.findall(r"\{recordings\}/(\S+)", run.command))
        cuts = set(re.findall(r"\{cuts\}/(\S+)\.csv", run.command))
        assert cuts <= {one.name for one in PLAN.cuts}
    assert [name for name in sorted(used) if not (folder / name).exists()] == []
    assert {name.partition("/")[0] for name in used} <= {one.folder for one in PLAN.sources}


# --- how a page is made ----------------------------------------------------------------------------------------------


def test_a_table_shows_intervals_behind_the_value_and_the_product_in_bold() -> None:
    assert table(ROWS).splitlines() == [
        "| model | warned | false_per_30d |",
        "| --- | ---: | ---: |",
        "| **pantau** | **0.9 (0.7 to 0.97)** | **0.5** |",
        "| persistence | 0.25 | - |",
        "| upstream_rule | 0.62 (0.5 to 0.7) | 1.25 |",
    ]


def test_columns_called_low_and_high_are_the_interval_of_the_one_before() -> None:
    rows: list[Row] = [{"model": "pantau", "standard": 72, "held_out": 70.5, "low": 64, "high": 78.25}]
    target = Target("held out", runs=["hilir"], key="held_out", at_least=70)
    text = page(small_plan(target), measured(rows))
    assert "| **pantau** | **72** | **70.5 (64 to 78.25)** |" in text
    assert "| held out | ≥ 70 | 70.5 (64 to 78.25) | - | met, not certain |" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(6, "6"), (6.0, "6"), (0.12345, "0.123"), (-0.0001, "0"), (1200, "1200"), (None, "-"), ("a|b", "a\\|b")],
)
def test_a_value_is_shown_in_few_digits(value: float | str | None, shown: str) -> None:
    assert table([{"x": value}]).splitlines()[2] == f"| {shown} |"


def test_a_lone_bound_is_a_column_of_its_own() -> None:
    assert table([{"model": "pantau", "depth_low": 1}]).splitlines()[0] == "| model | depth_low |"


def test_a_target_stands_beside_the_figure_and_the_best_baseline() -> None:
    text = page(
        small_plan(
            Target("warned", runs=["hilir"], key="warned", at_least=0.85),
            Target("warned more", runs=["hilir"], key="warned", at_least=0.95),
            Target("false", runs=["hilir"], key="false_per_30d", at_most=1.0),
            Target(
                "flattered",
                runs=["hilir"],
                key="warned",
                at_least=0.85,
                in_sample=True,
            ),
            Target("surely", runs=["hilir"], key="warned", at_least=0.6),
            Target("surely not", runs=["hilir"], key="warned", at_least=0.99),
            Target("elsewhere", note="see benchmarks"),
            Target("unknown column", runs=["hilir"], key="mae", at_most=6),
        ),
        measured(),
    )
    lines = text.partition("## Targets\n\nThe worst counts.\n\n")[2].splitlines()[2:10]
    assert lines == [
        "| warned | ≥ 0.85 | 0.9 (0.7 to 0.97) | upstream_rule 0.62 (0.5 to 0.7) | met, not certain |",
        "| warned more | ≥ 0.95 | 0.9 (0.7 to 0.97) | upstream_rule 0.62 (0.5 to 0.7) | **not met**, not certain |",
        "| false | ≤ 1 | 0.5 | upstream_rule 1.25 | met |",
        "| flattered | ≥ 0.85 | 0.9 (0.7 to 0.97) | upstream_rule 0.62 (0.5 to 0.7) | tuned on these data: no claim |",
        "| surely | ≥ 0.6 | 0.9 (0.7 to 0.97) | upstream_rule 0.62 (0.5 to 0.7) | met |",
        "| surely not | ≥ 0.99 | 0.9 (0.7 to 0.97) | upstream_rule 0.62 (0.5 to 0.7) | **not met** |",
        "| elsewhere | - | - | - | not measured; see benchmarks |",
        "| unknown column | ≤ 6 | - | - | not measured |",
    ]


def test_the_worst_row_of_all_runs_decides() -> None:
    spikes: list[Row] = [
        {"fault": "spike", "size": size, "recall": recall}
        for size, recall in ((10, 0.5), (30, 0.97), (100, 0.99))
    ]
    far = [{**row, "recall": row["recall"] - 0.01} for row in spikes]
    both = {"near": Measured("a", 1, spikes), "far": Measured("b", 1, far)}
    target = Target(
        "spikes", ["near", "far"], "recall", {"fault": ["spike"], "size": ["30", "100"]}, at_least=0.95
    )
    found = judged(target, both)
    assert found is not None
    assert (round(found.value, 3), found.run) == (0.96, "far")
    upper = msgspec.structs.replace(target, at_least=None, at_most=1.0)
    worst = judged(upper, both)
    assert worst is not None
    assert (worst.value, worst.run) == (0.99, "near")


def test_one_undefined_figure_leaves_a_target_unmeasured() -> None:
    rows = measured([*ROWS, {"model": "pantau", "warned": None}])
    assert judged(Target("x", ["hilir"], "warned", at_least=0.1), rows) is None


def test_a_target_with_a_run_that_was_not_made_is_unmeasured() -> None:
    target = Target("x", ["hilir", "hulu"], "warned", at_least=0.1)
    assert judged(target, measured()) is None


def test_a_run_that_was_not_made_or_made_with_another_command_is_left_out() -> None:
    text = page(small_plan(), measured())
    assert "### Hilir" in text
    assert "### Hulu" not in text
    assert "## Else" not in text
    assert "| `water` |" in text
    assert "| `other` |" not in text
    stale = page(small_plan(command="events {cuts}/a.csv --limit 800"), measured())
    assert "### Hilir" not in stale
    assert "## Events" not in stale


def test_the_page_shows_commands_as_a_person_types_them() -> None:
    text = page(small_plan(), measured())
    assert "```sh\npantau evaluate events cuts/a.csv --limit 750 --out out/hilir.csv\n```" in text
    assert "`pantau plot reliability out/hilir.csv --limit 750`" in text
    assert (
        'awk -F, \'NR == 1 || ($1 < "2023-06-01T00:00:00Z")\' "$PANTAU_RECORDINGS/water/all.csv" > cuts/a.csv'
        in text
    )
    assert "cuts/idle.csv" not in text
    assert "![How often it came true](evaluation/a.svg)" in text


# --- how a run is made -----------------------------------------------------------------------------------------------


class Script:
    """Stands where ``pantau`` is called, notes the words and answers as told."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.calls: list[list[str]] = []

    def __call__(self, words: Sequence[str]) -> str:
        self.calls.append(list(words))
        return self.answer


def test_a_run_calls_the_command_with_paths_and_draws_what_it_wrote(tmp_path: Path) -> None:
    folders = Folders(tmp_path / "with a blank", tmp_path / "scratch", tmp_path / "pictures")
    command = Script('{"model": "pantau", "warned": 1}\n\n{"model": "x", "warned": null}\n')
    plan = small_plan(command="events {recordings}/b.csv --train {cuts}/a.csv --target 'Pos Hilir'")
    run = next(runs_of(plan))
    made = measure(run, folders, command)
    out = f"{tmp_path}/scratch/hilir.csv"
    assert command.calls == [
        ["evaluate", "events", f"{tmp_path}/with a blank/b.csv", "--train", f"{tmp_path}/scratch/a.csv",
         "--target", "Pos Hilir", "--json", "--out", out],
        ["plot", "reliability", out, "--limit", "750", "--out", f"{tmp_path}/pictures/a.svg"],
    ]  # fmt: skip
    assert made.command == run.command
    assert made.rows == [{"model": "pantau", "warned": 1}, {"model": "x", "warned": None}]


def test_a_run_without_a_row_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="printed no row"):
        measure(Run("a", "A", "nab x"), Folders(tmp_path, tmp_path, tmp_path), Script("\n"))


def test_a_failed_command_is_told_by_its_last_line() -> None:
    with pytest.raises(RuntimeError, match=r"^error: .*nowhere.*"):
        pantau(["evaluate", "nab", "nowhere"])


def test_figures_come_back_as_they_were_kept(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    assert load_measured(path) == {}
    kept = measured([{"model": "pantau", "name": 'a "b" é', "mae": 5.987654, "pod": None}])
    save_measured(path, kept)
    assert load_measured(path) == kept


def test_a_cut_has_its_rows_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "all.csv").write_text(
        "unit,time,value\n" + "".join(f"cm,2023-06-0{n}T00:00:00Z,{n}\n" for n in range(1, 6))
    )
    folders = Folders(tmp_path, tmp_path / "cuts", tmp_path)
    folders.scratch.mkdir()
    one = Cut("middle", "all.csv", "2023-06-02T00:00:00Z", "2023-06-04T00:00:00Z")
    assert (
        cut(one, folders).read_text()
        == "unit,time,value\ncm,2023-06-02T00:00:00Z,2\ncm,2023-06-03T00:00:00Z,3\n"
    )
    open_ended = Cut("late", "all.csv", "2023-06-04T00:00:00Z")
    assert cut(open_ended, folders).read_text().splitlines()[1:] == [
        "cm,2023-06-04T00:00:00Z,4",
        "cm,2023-06-05T00:00:00Z,5",
    ]


def test_a_plan_with_a_slip_is_refused(tmp_path: Path) -> None:
    run = '[[sections.runs]]\nid = "hilir"\ntitle = "Hilir"\ncommand = "nab x"\n'
    text = f"""
        intro = ""
        reading = ""
        conclusions = ""
        limits = ""
        cuts = []
        sources = []
        [[targets]]
        what = "x"
        runs = ["nobody"]
        key = "k"
        at_least = 1
        [[sections]]
        title = "A"
        text = ""
        {run}"""
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match="nobody"):
        load_plan(path)
    assert [one.id for one in runs_of(load_plan(written(tmp_path, text.replace("nobody", "hilir"))))] == [
        "hilir"
    ]
    with pytest.raises(ValueError, match=r"\['hilir'\] occur twice"):
        load_plan(written(tmp_path, text.replace("nobody", "hilir") + run))
    with pytest.raises(msgspec.ValidationError, match="colour"):
        load_plan(written(tmp_path, text + 'colour = "red"'))


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_tiny_run_list_goes_through_the_real_commands(tmp_path: Path) -> None:
    """One file of the benchmark: rows of several models, a picture, a page."""
    name = "realAWSCloudwatch/ec2_cpu_utilization_53ea38.csv"
    for part in (f"data/{name}", "labels/combined_windows.json"):
        path = tmp_path / "nab" / part
        path.parent.mkdir(parents=True)
        path.write_bytes((recordings() / "nab" / part).read_bytes())
    picture = Picture("load.svg", f"scores {{out}} --series {name}", "Load")
    run = Run("nab", "One file", "nab {recordings}/nab", "", [picture])
    plan = msgspec.structs.replace(small_plan(), sections=[Section("NAB", "One.", [run])])
    made = {"nab": measure(run, Folders(tmp_path, tmp_path, tmp_path), pantau)}
    assert {"pantau", "null"} <= {row["model"] for row in made["nab"].rows}
    assert (tmp_path / "load.svg").stat().st_size > 1_000
    assert table(made["nab"].rows) in page(plan, made)


def test_words_of_commands_can_be_cut_as_a_shell_does() -> None:
    for run in runs_of(PLAN):
        for command in (run.command, *(picture.command for picture in run.pictures)):
            assert shlex.split(command)[0].isidentifier()
