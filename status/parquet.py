"""Rows of an answer go in, a Parquet file goes out: the columns of the CSV, with types.

Loaded with the first such answer, for pyarrow weighs tens of megabytes.
"""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

__all__ = ["parquet_bytes"]

_INSTANT = pa.timestamp("ms", tz="UTC")
_TYPES = {
    "observed_at": _INSTANT, "at": _INSTANT, "flag": pa.int8(), "count": pa.int64(),
    "value": pa.float64(), "min": pa.float64(), "mean": pa.float64(), "max": pa.float64(),
}  # fmt: skip


def parquet_bytes(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A whole file; instants are given as ms since 1970 UTC, what is no number is text.

    Shapes:
        rows: each as long as ``columns``; no rows give a file with the columns and their types.
    """
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    table = pa.table(
        {
            name: pa.array(cells, _TYPES.get(name, pa.string()))
            for name, cells in zip(columns, values, strict=True)
        }
    )
    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()
