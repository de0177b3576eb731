"""Real recordings, read in place: their licences do not allow copies in the project."""

import csv
import os
from collections import defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from app.settings import recordings_folder

__all__ = ["recordings", "series"]


def recordings() -> Path:
    """The folder of recordings; without it the test is skipped, or fails where ``CI=true``."""
    folder = recordings_folder()
    if not folder.is_dir():
        reason = f"no recordings in {folder}; name their folder in PANTAU_RECORDINGS"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def series(file: str, factor: float = 1.0) -> dict[str, list[tuple[int, float]]]:
    """Readings of each station of a recording: (ms since 1970 UTC, value x ``factor``), oldest first."""
    found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    with (recordings() / file).open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            at = round(datetime.fromisoformat(row["time"]).timestamp() * 1000)
            found[row["station"]].append((at, float(row["value"]) * factor))
    return {station: sorted(dict(values).items()) for station, values in found.items()}
