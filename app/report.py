"""Tables of an evaluation: aligned for people, or one JSON object a line; an undefined number is a dash, or null."""

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import typer

__all__ = ["tell"]

_MOST_DIGITS = 6


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


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _MOST_DIGITS) if isfinite(value) else None
    return value


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return "-"
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
