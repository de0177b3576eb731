"""Tables of an evaluation, for people and for programs."""

import json

import pytest

from app.report import tell

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
