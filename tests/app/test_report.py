"""Tables of an evaluation, for people and for programs."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from app.report import table_to, tell
from pantau.errors import ConfigError

ROWS = [
    {"model": "pantau", "lead_h": 6, "mae": 5.98765432, "pod": None},
    {"model": "persistence", "lead_h": 12, "mae": float("nan"), "pod": 0.5},
]


def test_a_table_is_aligned_and_an_undefined_number_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    tell(ROWS, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "model        lead_h    mae  pod",
        "pantau            6  5.988    -",
        "persistence      12      -  0.5",
    ]


def test_json_is_one_object_a_line_and_an_undefined_number_is_null(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tell(ROWS, as_json=True)
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"model": "pantau", "lead_h": 6, "mae": 5.987654, "pod": None}
    assert second["mae"] is None


@pytest.mark.parametrize(
    "words",
    [
        ["nab", "no-such-folder"],
        ["forecast", "no.csv", "--target", "a", "--limit", "1"],
        ["events", "no.csv", "--target", "a", "--limit", "1"],
        ["quality", "no.csv"],
        ["crowd", "no.csv"],
        ["rise", "no.csv"],
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize(("out", "told"), [("there/x.csv", "make it first"), ("", "is a folder")])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_read(
    tmp_path: Path, words: list[str], out: str, told: str
) -> None:
    result = CliRunner().invoke(make_cli(), ["evaluate", *words, "--out", str(tmp_path / out)])
    assert isinstance(result.exception, ConfigError)
    assert told in str(result.exception)


@pytest.mark.parametrize(
    ("ms", "told"),
    [(0, "1970-01-01T00:00:01Z"), (7, "1970-01-01T00:00:01.007Z"), (250, "1970-01-01T00:00:01.250Z")],
)
def test_an_instant_between_two_seconds_keeps_its_milliseconds(tmp_path: Path, ms: int, told: str) -> None:
    table_to(tmp_path / "o.csv", pd.DataFrame({"at": [1000 + ms], "value": [1.5]}), ["at"])
    assert (tmp_path / "o.csv").read_text(encoding="utf-8") == f"at,value\n{told},1.5\n"
