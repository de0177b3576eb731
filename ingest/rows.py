"""Files with a header, CSV or Parquet, go in; their rows come out one after another, with where they stand.

Nothing is loaded whole: a file may have any number of rows. A row that cannot be read comes out with what is wrong.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pantau.errors import ConfigError

__all__ = ["COLUMNS", "Row", "Table"]

COLUMNS = ("station", "sensor", "kind", "observed_at", "value", "unit", "flag", "flag_reason")
"""What a row may say, named as ``/readings?format=csv`` names it."""
_ALSO = {"time": "observed_at"}
"""Names that recordings use; they count where the proper one is missing."""
_NEEDED = ("observed_at", "value")
_BATCH = 10_000
_PARQUET = b"PAR1"


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        where: ``file:line`` (CSV) or ``file: row n`` (Parquet).
        cells: in the order of ``COLUMNS``; None where there is nothing.
        problem: why the row cannot be read, else empty.
    """

    where: str
    cells: Sequence[Any]
    problem: str = ""


class Table:
    """One file, opened anew by each ``rows``.

    Args:
        path: CSV in UTF-8 (comma, semicolon or tab, as the header shows), or Parquet.
        renamed: names of the file's columns -> names in ``COLUMNS``.
        given: columns that are said otherwise, so the file need not have them.

    Attributes:
        ignored: columns of the file that say nothing to us.

    Raises:
        ConfigError: it cannot be read, or its header is not what is needed.
    """

    def __init__(self, path: Path, renamed: Mapping[str, str], given: Iterable[str] = ()) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self.is_parquet = file.read(len(_PARQUET)) == _PARQUET
            names = self._parquet_names() if self.is_parquet else self._csv_names()
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read ({error.strerror or error}); check the path") from None
        self._places = self._placed(names, renamed, set(given))
        self.ignored = [name for index, name in enumerate(names) if index not in self._places.values()]
        self._names = names

    def rows(self) -> Iterator[Row]:
        """All rows, in the order of the file.

        Raises:
            ConfigError: the file breaks off in the middle of a page (Parquet).
        """
        return self._parquet_rows() if self.is_parquet else self._csv_rows()

    def _placed(self, names: list[str], renamed: Mapping[str, str], given: set[str]) -> dict[str, int]:
        where = f"{self._path}:1" if not self.is_parquet else str(self._path)
        problems = [
            f"{where}: --column {theirs}={ours}: the file has no column {theirs!r}, but {', '.join(names)}"
            for theirs, ours in renamed.items()
            if theirs not in names
        ]
        places: dict[str, int] = {}
        for index, name in enumerate(names):
            ours = renamed.get(name, name if name in COLUMNS and name not in renamed.values() else "")
            if ours in places:
                problems.append(f"{where}: two columns are {ours!r}; leave one out or rename it")
            elif ours:
                places[ours] = index
        for theirs, ours in _ALSO.items():
            if ours not in places and theirs in names:
                places[ours] = names.index(theirs)
        missing = [name for name in ("station", *_NEEDED) if name not in places and name not in given]
        if missing:
            problems.append(
                f"{where}: column(s) {', '.join(missing)} missing, found {', '.join(names) or 'no header'}; "
                f"say which column it is with --column NAME={missing[0]}"
                + (", or give --station" if "station" in missing else "")
            )
        if problems:
            raise ConfigError(*problems)
        return places

    # --- CSV

    def _csv_names(self) -> list[str]:
        with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            header = lines.readline(1 << 16)
        self._delimiter = max(",;\t", key=header.count)
        found = next(csv.reader([header], delimiter=self._delimiter), [])
        return [name.strip() for name in found]

    def _csv_rows(self) -> Iterator[Row]:
        order = [self._places.get(name, -1) for name in COLUMNS]
        width = len(self._names)
        with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
            reader = csv.reader(lines, delimiter=self._delimiter)
            next(reader, None)
            while True:
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Row(f"{self._path}:{reader.line_num}", (None,) * len(COLUMNS), f"not CSV: {error}")
                    continue
                if not fields:
                    continue
                where = f"{self._path}:{reader.line_num}"
                if len(fields) == width:
                    yield Row(where, [(fields[at].strip() or None) if at >= 0 else None for at in order])
                else:
                    cells = [fields[at] if 0 <= at < len(fields) else None for at in order]
                    problem = (
                        f"{len(fields)} fields, expected {width} as in the header: "
                        f"a {self._delimiter!r} too many or too few, or a missing quote"
                    )
                    yield Row(where, cells, problem)

    # --- Parquet

    def _parquet_names(self) -> list[str]:
        from ingest.parquet import column_names  # noqa: PLC0415 - only a Parquet file is worth loading pyarrow

        try:
            return column_names(self._path)
        except ValueError as error:
            raise ConfigError(f"{self._path}: is not a Parquet file that can be read ({error})") from None

    def _parquet_rows(self) -> Iterator[Row]:
        from ingest.parquet import pieces  # noqa: PLC0415 - (the same)

        wanted = {name: self._names[place] for name, place in self._places.items()}
        order = list(wanted)
        number = 0
        try:
            for piece in pieces(self._path, list(wanted.values())):
                nothing = [None] * len(piece[0])
                columns = [piece[order.index(name)] if name in wanted else nothing for name in COLUMNS]
                for cells in zip(*columns, strict=True):
                    number += 1
                    yield Row(f"{self._path}: row {number}", cells)
        except ValueError as error:
            raise ConfigError(f"{self._path}: breaks off after {number} rows ({error})") from None
