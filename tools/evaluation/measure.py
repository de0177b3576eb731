"""Runs the evaluation commands of a plan: a run in, its rows and seconds out; pictures are drawn beside."""

import csv
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tools.evaluation.plan import Cut, Run

__all__ = ["Folders", "Measured", "Row", "cut", "load_measured", "measure", "pantau", "save_measured"]

Row = dict[str, Any]
Command = Callable[[Sequence[str]], str]
"""Words after ``pantau`` in, stdout out."""


class Measured(msgspec.Struct, frozen=True):
    """One run as it was made: ``command`` as in the plan then, whole seconds, the rows of its ``--json``."""

    command: str
    seconds: int
    rows: list[Row]


class Folders(msgspec.Struct, frozen=True):
    """Where recordings are, where cuts and scores may lie meanwhile, and where pictures stay."""

    recordings: Path
    scratch: Path
    pictures: Path


def pantau(words: Sequence[str]) -> str:
    """Call the command of this environment.

    Raises:
        RuntimeError: it failed; the text is the last line of what it said.
    """
    program = [str(Path(sys.executable).parent / "pantau"), *words]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(said[-1])
    return done.stdout


def cut(one: Cut, folders: Folders) -> Path:
    """Write the part of a recording; rows keep their order and their text."""
    path = folders.scratch / f"{one.name}.csv"
    source = folders.recordings / one.file
    with (
        source.open(encoding="utf-8", newline="") as lines,
        path.open("w", encoding="utf-8", newline="") as out,
    ):
        reader, writer = csv.reader(lines), csv.writer(out, lineterminator="\n")
        header = next(reader)
        writer.writerow(header)
        place = header.index("time")
        writer.writerows(row for row in reader if one.start <= row[place] < (one.end or "~"))
    return path


def measure(run: Run, folders: Folders, command: Command) -> Measured:
    """Make one run and draw its pictures.

    Raises:
        RuntimeError: the command failed, or printed no row.
    """
    out = folders.scratch / f"{run.id}.csv"
    places = {"recordings": folders.recordings, "cuts": folders.scratch, "out": out}
    words = ["evaluate", *_words(run.command, places), "--json"]
    if run.pictures:
        words += ["--out", str(out)]
    began = time.monotonic()
    rows = [json.loads(line) for line in command(words).splitlines() if line.strip()]
    seconds = round(time.monotonic() - began)
    if not rows:
        raise RuntimeError(f"pantau evaluate {run.command} printed no row")
    for picture in run.pictures:
        command(["plot", *_words(picture.command, places), "--out", str(folders.pictures / picture.file)])
    return Measured(run.command, seconds, rows)


def load_measured(path: Path) -> dict[str, Measured]:
    """What was measured before, by run; nothing where there is no file."""
    if not path.is_file():
        return {}
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Measured])


def save_measured(path: Path, measured: Mapping[str, Measured]) -> None:
    """One row a line, so that a difference can be read."""
    runs = []
    for name, one in measured.items():
        command = json.dumps(one.command, ensure_ascii=False)
        rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in one.rows)
        runs.append(
            f'{json.dumps(name)}: {{"command": {command}, "seconds": {one.seconds}, "rows": [\n{rows}\n]}}'
        )
    path.write_text("{\n" + ",\n".join(runs) + "\n}\n", encoding="utf-8")


def _words(command: str, places: Mapping[str, Path]) -> list[str]:
    """Words of a command of the plan, with paths put in after the cut into words: a folder may have a blank."""
    return [word.format(**places) for word in shlex.split(command)]
