"""Tables of an evaluation: aligned for people, or one JSON object a line; an undefined number is a dash, or null.

What ``--out`` asks for goes to a CSV file, row by row or a table at once.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pantau.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rows_to", "table_to", "tell", "to_write"]

_MOST_DIGITS = 6
_INSTANT, _FINE_INSTANT = "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ"


def tell(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows on stdout.

    Args:
        rows: of the same keys, in the order in which they are shown.
        as_json: one object a line instead of a table.
    """
    if as_json:
        for row in rows:
            typer.echo(json.dumps({key: _plain(value) for key, value in row.items()}, ensure_ascii=False))
        return
    if not rows:
        return
    lines = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    numeric = [all(isinstance(row[key], int | float) or row[key] is None for row in rows) for key in rows[0]]
    for line in lines:
        cells = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        )
        typer.echo("  ".join(cells).rstrip())


def to_write(path: Path | None) -> Path | None:
    """A file that a command will write: a Typer callback, so that a wrong path is told before the work is done.

    Raises:
        ConfigError: it is a folder, or its folder is not there.
    """
    if path is not None and path.is_dir():
        raise ConfigError(f"{path}: is a folder, expected a file to write; name one in it")
    if path is not None and not path.parent.is_dir():
        raise ConfigError(f"{path}: cannot be written, there is no folder {path.parent}; make it first")
    return path


@contextmanager
def rows_to(
    out: Path | None, columns: Sequence[str]
) -> Iterator[Callable[[Iterable[Sequence[object]]], object]]:
    """Where rows go: below a header into a CSV file; nowhere without a file, and then they are not made."""
    if out is None:
        yield lambda _: None
        return
    with out.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(columns)
        yield writer.writerows


def table_to(out: Path | None, table: "pd.DataFrame", instants: Sequence[str]) -> None:
    """A table as a CSV file, if there is one.

    Args:
        instants: columns in ms since 1970 UTC, written as RFC 3339.
    """
    if out is None:
        return
    import pandas as pd

    told = {}
    for name in instants:
        times, exact = pd.to_datetime(table[name], unit="ms", utc=True).dt, (table[name] % 1000).any()
        text = times.strftime(_FINE_INSTANT).str.slice_replace(-4, -1) if exact else times.strftime(_INSTANT)
        told[name] = text
    table.assign(**told).round(6).to_csv(out, index=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _MOST_DIGITS) if isfinite(value) else None
    return value


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return "-"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
