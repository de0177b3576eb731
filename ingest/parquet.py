"""Parquet files go in; the names of their columns, or some columns' values in pieces, come out as Python's own.

Apart from ``ingest.rows`` because pyarrow weighs tens of megabytes: it is loaded for a Parquet file and never before.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

__all__ = ["column_names", "pieces"]

_ROWS = 10_000


def column_names(path: Path) -> list[str]:
    """Names of a file's columns, in their order.

    Raises:
        ValueError: it is no Parquet file that can be read; the text says why.
    """
    try:
        return list(parquet.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error)) from None


def pieces(path: Path, wanted: Sequence[str]) -> Iterator[list[list[Any]]]:
    """Some thousand rows after another, each a list of values per wanted column.

    Raises:
        ValueError: the file is broken from here on.
    """
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            for batch in file.iter_batches(_ROWS, columns=list(wanted)):
                yield [_values(batch.column(name)) for name in wanted]
    except (pa.ArrowException, OSError) as error:
        raise ValueError(str(error)) from None


def _values(column: Any) -> list[Any]:
    """A column's values; instants to the microsecond, which is more than we keep."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=False)
    found: list[Any] = column.to_pylist()
    return found
