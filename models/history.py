"""What was done to a shelf: lines of ``HISTORY.jsonl`` in, steps out, and from them what was live before."""

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from models.card import Step

__all__ = ["is_retired", "past", "read", "remember"]

_OF_LIVE = frozenset({"promoted", "rolled_back", "retired"})


def read(path: Path) -> list[Step]:
    """The steps of a file, oldest first; lines that cannot be read are passed over, no file is no steps."""
    steps = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            steps.append(msgspec.json.decode(line, type=Step))
        except msgspec.MsgspecError:
            continue  # the machine stopped while it was written: what it says did not happen
    return steps


def remember(path: Path, step: Step) -> None:
    """Add a line; it is on the disk when this returns."""
    torn = path.is_file() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("ab") as lines:
        lines.write((b"\n" if torn else b"") + msgspec.json.encode(step) + b"\n")
        lines.flush()
        os.fsync(lines.fileno())


def past(steps: Sequence[Step], live: str | None) -> list[str]:
    """Versions that were live, the present one last, those left by a roll-back removed.

    Args:
        live: the present one; None when it was retired, is gone or spoilt, which gives an empty one at the end, so that
            the last one known is the one to go back to.
    """
    found: list[str] = []
    for step in steps:
        if step.what == "promoted":
            found.append(step.version)
        elif step.what == "rolled_back" and step.version in found:
            found = _up_to(found, step.version)
    if live is None:
        return [*found, ""]
    if live in found:  # a promotion that is noted but did not happen lies behind it
        return _up_to(found, live)
    return [*found, live]  # written by hand


def is_retired(steps: Sequence[Step]) -> bool:
    """Whether the last that was decided about the live version is that there be none."""
    return next((step.what for step in reversed(steps) if step.what in _OF_LIVE), "") == "retired"


def _up_to(found: list[str], version: str) -> list[str]:
    return found[: len(found) - found[::-1].index(version)]
