"""``pantau new kind|format|detector NAME``: a file from a template, in the folder where it is found by itself."""

import keyword
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from pantau.errors import ConfigError

__all__ = ["PLUGINS", "register", "scaffold"]

PLUGINS = {"kind": "pantau/kinds", "format": "ingest/formats", "detector": "models/detectors"}
"""What can be made, and the folder where it is found."""

_CASES = "tests/cases/formats"
_LONGEST = 30
_NEXT = {
    "kind": (
        "say in it what is measured: words, unit, span (each with its source)",
        "name it and its units in docs/ingest.md (Topics; Native JSON) and docs/architecture.md (Plugins)",
        "add it to the two golden complaints that list all kinds (see CONTRIBUTING.md)",
        'make test-fast ARGS="tests/contract/test_every_kind.py tests/ingest tests/pantau"',
    ),
    "format": (
        "replace {cases}/reading/message.json by what your device really sends, expected.json by what it should give",
        "change the file until the case passes; each payload that was decoded wrongly becomes one more case folder",
        "name it in docs/ingest.md (a section with its name as (`{name}`)) and docs/architecture.md (Plugins)",
        'make test-fast ARGS="tests/contract/test_every_format.py tests/ingest/test_documented.py"',
    ),
    "detector": (
        "write down what it finds, and score it; as it stands it is on trial (shadow): shown, opens no alert",
        "name it in docs/models.md and docs/architecture.md (Plugins)",
        'make test-fast ARGS="tests/contract/test_every_detector.py tests/property/test_detectors.py"',
        ".venv/bin/pantau backtest",
    ),
}


def register(cli: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="A new plugin from a template.", no_args_is_help=True)
    group.command(name="kind")(new_kind)
    group.command(name="format")(new_format)
    group.command(name="detector")(new_detector)
    cli.add_typer(group, name="new")


_Name = Annotated[str, typer.Argument(help="lower case, as in topics and city.toml: wind_speed")]
_Root = Annotated[Path, typer.Option("--root", help="of Pantau's source tree")]


def new_kind(name: _Name, root: _Root = Path()) -> None:
    """Write pantau/kinds/NAME.py: what is measured, in which unit."""
    _tell("kind", name, scaffold(root, "kind", name))


def new_format(name: _Name, root: _Root = Path()) -> None:
    """Write ingest/formats/NAME.py and its first cases: what a device sends."""
    _tell("format", name, scaffold(root, "format", name))


def new_detector(name: _Name, root: _Root = Path()) -> None:
    """Write models/detectors/NAME.py: readings to scores."""
    _tell("detector", name, scaffold(root, "detector", name))


def scaffold(root: Path, what: str, name: str) -> list[Path]:
    """Write a plugin's files; returns their paths.

    Args:
        root: of the source tree.
        what: one of ``PLUGINS``.

    Raises:
        ConfigError: the name is none, it is taken, or ``root`` is no source tree. Nothing was written then.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or len(name) > _LONGEST:
        raise ConfigError(
            f"name is {name!r}: expected lower-case letters, digits and _, at most {_LONGEST}, such as wind_speed"
        )
    if name == "public":
        raise ConfigError("name is 'public', which is reserved in the topic tree: choose another")
    folder = root / PLUGINS[what]
    if not (folder / "__init__.py").is_file() or not (root / "pyproject.toml").is_file():
        raise ConfigError(
            f"{folder}: is not there; call this in the root of Pantau's source tree, or give --root. A plugin of "
            "another package needs no template: see the entry points in pyproject.toml"
        )
    made = {folder / f"{name}.py": _text(_templates() / f"{what}.txt", name)}
    if what == "format":
        for case in sorted((_templates() / "cases").iterdir(), key=lambda found: found.name):
            for file in case.iterdir():
                made[root / _CASES / name / case.name / file.name] = _text(file, name)
    taken = [str(path) for path in made if path.exists()]
    if taken:
        raise ConfigError(
            *(f"{path}: exists already and is left alone; choose another name" for path in taken)
        )
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(made)


def _templates() -> Traversable:
    return files("app") / "templates"


def _text(template: Traversable, name: str) -> str:
    words = name.replace("_", " ")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    text = Template(template.read_text(encoding="utf-8"))
    return text.substitute(name=name, words=words.capitalize(), class_name=class_name)


def _tell(what: str, name: str, made: list[Path]) -> None:
    for path in made:
        typer.echo(f"wrote {path}")
    typer.echo("next:")
    for number, step in enumerate(_NEXT[what], 1):
        typer.echo(f"  {number}. {step.format(name=name, cases=f'{_CASES}/{name}')}")
