"""One door per peer, where an import contract cannot see it: who reads the environment, who opens the database.

The doors to MQTT and InfluxDB are import contracts in pyproject.toml (``make check``). Here the source itself is read.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.process import ROOT

PACKAGES = ("pantau", "ingest", "models", "alerts", "status", "simulators", "app")

# What is read or called, and the one file that may.
DOORS = {
    ("os", "environ"): "app/settings.py",
    ("os", "getenv"): "app/settings.py",
    ("os", "putenv"): "app/settings.py",
    ("sqlalchemy", "create_engine"): "app/database.py",
    ("sqlalchemy.ext.asyncio", "create_async_engine"): "app/database.py",
    ("psycopg", "connect"): "app/database.py",
}


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def used(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of everything that is imported by name or reached through an imported module."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                modules[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield (
                    node.module.removesuffix(".engine"),
                    alias.name,
                )  # sqlalchemy.engine has create_engine too
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            name = ast.unparse(node.value)
            head, _, tail = name.partition(".")
            if head in modules:
                yield (
                    ".".join(part for part in (modules[head], tail) if part).removesuffix(".engine"),
                    node.attr,
                )


def through_a_door(path: Path) -> set[tuple[str, str]]:
    return set(used(ast.parse(path.read_text(encoding="utf-8")))) & DOORS.keys()


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_door_is_used(path: Path) -> None:
    here = path.relative_to(ROOT).as_posix()
    doors = {f"{module}.{name}": DOORS[module, name] for module, name in through_a_door(path)}
    wrong = [f"{what} (only in {door})" for what, door in doors.items() if door != here]
    assert wrong == []


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['A']",
        "import os as o\no.environ.get('A')",
        "from os import environ",
        "from os import getenv as g",
        "import os\nos.getenv('A')",
        "import sqlalchemy as sa\nsa.create_engine('')",
        "from sqlalchemy import create_engine",
        "from sqlalchemy.engine import create_engine",
        "import psycopg\npsycopg.connect('')",
    ],
)
def test_the_check_sees_every_way_in(source: str) -> None:
    assert set(used(ast.parse(source))) & DOORS.keys()


def test_the_doors_are_there() -> None:
    assert {("os", "environ")} <= through_a_door(ROOT / "app/settings.py")
    assert {("sqlalchemy", "create_engine")} <= through_a_door(ROOT / "app/database.py")


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_ours(package: str) -> None:
    """``models``, ``alerts``, ``status``, ``app`` are names that another distribution could install over ours."""
    found = importlib.import_module(package).__file__
    assert found is not None, f"{package} is a namespace: it has no __init__.py"
    assert Path(found).resolve() == ROOT / package / "__init__.py"
