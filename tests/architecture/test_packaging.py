"""pyproject.toml, the locks and the wheel say the same, and nothing of a machine or a registry is in them."""

import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.test_doors import PACKAGES
from tests.peers.process import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("base", "dev", "node")
# Distributions whose import name is not their own; the others only change - to _.
IMPORTS = {
    "paho-mqtt": "paho",
    "python-multipart": None,
    "scikit-learn": "sklearn",
    "tzdata": None,
    "msgspec": None,
}


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.MULTILINE))


def name_of(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9-]+", requirement)
    assert match
    return match[0].lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_and_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    assert pins(lock)
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[a-z0-9-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_dev_is_base_and_more() -> None:
    assert pins("base").items() < pins("dev").items()


def test_each_dependency_is_locked() -> None:
    groups = PROJECT["dependency-groups"]
    for lock, wanted in (
        ("base", [*PROJECT["project"]["dependencies"], *groups["build"]]),
        ("dev", groups["dev"]),
    ):
        assert {name_of(requirement) for requirement in wanted} <= pins(lock).keys()


def test_the_language_is_kept_from_each_dependency() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    forbidden = next(contract["forbidden_modules"] for contract in contracts if contract["id"] == "language")
    for requirement in PROJECT["project"]["dependencies"]:
        name = name_of(requirement)
        module = IMPORTS.get(name, name.replace("-", "_"))
        assert module is None or module in forbidden, f"add {module!r} to the contract `language`"


def test_the_browser_lock_names_no_address() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    packages = json.loads(text)["packages"]
    wanted = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert packages[f"node_modules/{name}"]["version"] == version
        assert packages[f"node_modules/{name}"]["integrity"].startswith("sha512-")


def test_every_lint_exception_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    start, end = text.index("[tool.ruff.lint]"), text.index("[tool.ruff.lint.flake8-bugbear]")
    for line in text[start:end].splitlines():
        if re.match(r'\s+"[A-Z]+\d*"', line) or "= [" in line.partition("#")[0].replace("= [\n", ""):
            reasoned = "#" in line or line.rstrip().endswith("[") or line.startswith("select")
            assert reasoned, line


@pytest.mark.parametrize("tool", ["apt-peers", "influxd", "lock", "npm", "telegraf", "vendor_js", "venv"])
def test_shell_tools_parse_and_are_executable(tool: str) -> None:
    path = ROOT / "tools" / tool
    assert path.stat().st_mode & 0o111
    subprocess.run(["sh", "-n", str(path)], check=True)


@pytest.mark.real
def test_the_wheel_holds_all_that_runs(tmp_path: Path) -> None:
    """Built as the Dockerfile builds it; marked real since it takes some seconds."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert path.relative_to(ROOT).as_posix() in inside, path
    assert not [name for name in inside if name.startswith(("tests/", "tools/", "cities/"))]
