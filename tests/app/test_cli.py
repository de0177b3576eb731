"""The command line: a command that is to be run is the only one that is brought in."""

import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from app.cli import make_cli


def names(wanted: str = "") -> list[str]:
    return sorted(getattr(get_command(make_cli(wanted)), "commands", {}))


@pytest.mark.parametrize("word", ["run", "import", "city"])
def test_a_command_that_is_named_is_the_only_one_and_keeps_its_name(word: str) -> None:
    assert names(word) == [word]
    found = CliRunner().invoke(make_cli(word), [word, "--help"])
    assert found.exit_code == 0
    assert f"{word} [" in found.output


@pytest.mark.parametrize("word", ["", "--help", "rnu", "__init__"])
def test_with_anything_else_all_are_there(word: str) -> None:
    assert {"run", "import", "city", "doctor"} <= set(names(word))


def test_a_service_that_starts_loads_no_library_that_it_needs_only_later() -> None:
    late = {"alembic", "influxdb_client", "httpx", "matplotlib", "pandas", "sklearn", "iotcore"}
    asked = "import sys, app.cli; app.cli.make_cli('run'); print(*{m.partition('.')[0] for m in sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()
    assert late & set(found) == set()
