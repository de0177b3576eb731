"""``pantau new``: what the templates make is found, tested and clean at once, in a copy of the tree."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import make_cli
from app.commands.new import PLUGINS, scaffold
from pantau.errors import ConfigError

ROOT = Path(__file__).parents[2]
PARTS = ("pantau", "ingest", "models", "alerts", "status", "simulators", "app", "tests", "cities")
NAMES = ("ab", "a_name_of_exactly_thirty_chars")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources once more, with two plugins of each sort made by the command."""
    copy = tmp_path_factory.mktemp("tree")
    left = shutil.ignore_patterns("__pycache__", ".hypothesis", "vendor", "cases", "real", "events")
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=left)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for what in PLUGINS:
        for name in NAMES:
            done = CliRunner().invoke(make_cli(), ["new", what, name, "--root", str(copy)])
            assert (done.exit_code, done.exception) == (0, None)
            assert done.stdout.startswith(f"wrote {copy / PLUGINS[what] / name}.py\n")
            assert re.search(r'^  \d\. make test-fast ARGS="tests/contract/', done.stdout, re.MULTILINE)
            assert all((ROOT / path).exists() for path in re.findall(r"tests/[\w/]+\.py", done.stdout))
    return copy


def made(tree: Path) -> list[str]:
    return [str(tree / folder / f"{name}.py") for folder in PLUGINS.values() for name in NAMES]


def run(tree: Path, *command: str) -> str:
    env = {**os.environ, "CI": "true"}  # hypothesis then sets no deadline: this machine may be busy
    done = subprocess.run(
        [sys.executable, "-m", *command], check=False, cwd=tree, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_it_makes_is_clean(tree: Path) -> None:
    run(tree, "ruff", "format", "--check", *made(tree))
    run(tree, "ruff", "check", *made(tree))


def test_what_it_makes_has_its_types(tree: Path) -> None:
    assert "Success" in run(tree, "mypy", "--no-incremental", "--follow-imports=silent", *made(tree))


@pytest.mark.parametrize("what", PLUGINS)
def test_what_it_makes_passes_the_contract_at_once(tree: Path, what: str) -> None:
    # Of a detector one kind and the wildest series: all of them are a matter of minutes.
    wild = f"describes or ({NAMES[1]}-water_level and (flood or huge or gaps))"
    words = {"kind": "kind", "format": NAMES[1], "detector": wild}
    options = ["-q", "-p", "no:cacheprovider", "-k", words[what]]
    said = run(tree, "pytest", *options, f"tests/contract/test_every_{what}.py")
    assert "passed" in said
    assert "skipped" not in said


def test_nothing_is_overwritten(tree: Path) -> None:
    for what, folder in PLUGINS.items():
        path = tree / folder / "ab.py"
        before = path.read_text()
        with pytest.raises(ConfigError, match="exists already"):
            scaffold(tree, what, "ab")
        assert path.read_text() == before


def test_a_case_that_is_there_stops_the_format_before_anything_is_written(tree: Path) -> None:
    case = tree / "tests" / "cases" / "formats" / "half" / "reading"
    case.mkdir(parents=True)
    (case / "message.json").write_text("mine")
    with pytest.raises(ConfigError, match="half"):
        scaffold(tree, "format", "half")
    assert not (tree / "ingest" / "formats" / "half.py").exists()
    shutil.rmtree(case.parent)


@pytest.mark.parametrize("name", ["Wind", "2d", "wind-speed", "class", "_x", "", "../x", "public", "x" * 31])
def test_a_name_that_is_none_is_told(tree: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="name is"):
        scaffold(tree, "kind", name)


def test_outside_the_source_tree_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source tree"):
        scaffold(tmp_path, "kind", "wind")
    assert list(tmp_path.iterdir()) == []
