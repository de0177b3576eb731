"""Reads what an evaluation wrote with ``--out``: a CSV file in, a table with the wanted columns out.

Times become ms since 1970 UTC. A time without an offset (as in NAB's files) is taken as UTC and noted: whoever draws it
must not call it UTC. An empty number is NaN. What cannot be read is an error with its file and line.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from pantau.errors import ConfigError
from simulators.series import read_texts

__all__ = ["ZONED", "instant", "only", "read_scored"]

ZONED = "zoned"
"""Column of a table: whether its time had an offset."""

_MOST_PROBLEMS = 20
_MOST_NAMES = 8
_OFFSET = r"(?:[Zz]|[+-]\d\d:?\d\d)$"


def read_scored(
    path: Path, wanted: Mapping[str, str], *, keep: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """The columns ``wanted`` of a file, in its order; the index is the line in the file.

    Args:
        path: CSV in UTF-8 with a header.
        wanted: name -> ``text``, ``number`` or ``time``. Of alternatives (``file|station``) the first that is there
            is taken, under its own name.
        keep: name -> text; rows with another text there are left out before anything in them is read.

    Raises:
        ConfigError: the file cannot be read, has no such column, no row is left, or values are wrong.
    """
    table = read_texts(path)
    names = {_found(path, table, alternatives): how for alternatives, how in wanted.items()}
    for name, text in (keep or {}).items():
        table = only(table, name, text, where=str(path))
    if table.empty:
        raise ConfigError(f"{path}: has no rows; expected what `pantau evaluate ... --out` writes")
    problems: list[str] = []
    read: dict[str, Callable[[pd.Series], pd.Series]] = {
        "text": lambda column: column,
        "number": lambda column: _numbers(path, column, problems),
        "time": lambda column: _times(path, column, problems),
    }
    made = {name: read[how](table[name]) for name, how in names.items()}
    if problems:
        raise ConfigError(*problems[:_MOST_PROBLEMS])
    times = [name for name, how in names.items() if how == "time"]
    if times:
        made[ZONED] = table[times[0]].str.contains(_OFFSET)
    return pd.DataFrame(made, index=table.index)


def only(table: pd.DataFrame, name: str, text: str, *, where: str) -> pd.DataFrame:
    """The rows whose column ``name`` is ``text``; a text that does not occur is an error that names those that do."""
    found = table[table[name] == text]
    if found.empty:
        others: Sequence[str] = sorted(set(table[name]))
        more = f" and {len(others) - _MOST_NAMES} more" if len(others) > _MOST_NAMES else ""
        raise ConfigError(
            f"{where}: no {name} is {text!r}; there {'is' if len(others) == 1 else 'are'} "
            f"{', '.join(map(repr, others[:_MOST_NAMES])) or 'none'}{more}"
        )
    return found


def instant(text: str, *, where: str) -> int:
    """Milliseconds since 1970 UTC of RFC 3339; without an offset UTC is meant."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigError(f"{where}: found {text!r}, expected a time such as 2026-01-02T03:04:05Z") from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _found(path: Path, table: pd.DataFrame, alternatives: str) -> str:
    for name in alternatives.split("|"):
        if name in table.columns:
            return name
    raise ConfigError(
        f"{path}:1: column {' or '.join(alternatives.split('|'))} missing; found {','.join(table.columns)}"
    )


def _numbers(path: Path, column: pd.Series, problems: list[str]) -> pd.Series:
    numbers = pd.to_numeric(column.where(column != ""), errors="coerce").astype("float64")
    wrong = column[(column != "") & ~np.isfinite(numbers)]
    problems += [
        f"{path}:{line}: {column.name} is {text!r}, expected a finite number or nothing"
        for line, text in wrong.head(_MOST_PROBLEMS).items()
    ]
    return numbers


def _times(path: Path, column: pd.Series, problems: list[str]) -> pd.Series:
    times = pd.to_datetime(column, utc=True, format="ISO8601", errors="coerce")
    problems += [
        f"{path}:{line}: {column.name} is {text!r}, expected a time such as 2026-01-02T03:04:05Z"
        for line, text in column[times.isna()].head(_MOST_PROBLEMS).items()
    ]
    return (times - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(milliseconds=1)
