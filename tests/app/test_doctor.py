"""Every check of the doctor keeps its shape and is explained to the operator."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from app.doctor import checks
from app.doctor.examine import CHECKS
from app.doctor.finding import Context
from tests.peers.process import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_file_is_a_check() -> None:
    files = {path.stem for path in Path(str(checks.__file__)).parent.glob("*.py")} - {"__init__"}
    assert files == set(CHECKS)


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_looks_at_a_context_and_says_what_it_does(name: str) -> None:
    module = importlib.import_module(f"{checks.__name__}.{name}")
    assert next(iter(inspect.signature(module.look).parameters.values())).annotation is Context
    assert module.look.__doc__
    assert module.__doc__


def test_the_operators_table_has_each_check_that_can_be_asked_for_and_no_other() -> None:
    table = OPERATIONS.partition("## pantau doctor")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(CHECKS)
