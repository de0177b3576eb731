"""The Flux questions we ask InfluxDB, as text; every name in them is a literal that nothing can break out of."""

from collections.abc import Iterable

from ingest.store.line import tag
from pantau.reading import Flag

__all__ = ["LATEST_MS", "Series", "buckets", "history", "values_at"]

LATEST_MS = 9_223_372_036_854
"""InfluxDB counts nanoseconds in 64 bits: they end in the year 2262."""
_PIVOT = '|> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'


def _literal(text: str) -> str:
    return '"' + "".join(c if c.isascii() and c.isalnum() else _hex(c) for c in text) + '"'


def _hex(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def _any(column: str, words: Iterable[str]) -> str:
    return "(" + " or ".join(f"r.{column} == {_literal(tag(word))}" for word in sorted(words)) + ")"


class Series:
    """Readings of one bucket and city between two instants (ms), ``end`` exclusive."""

    def __init__(self, bucket: str, city: str, start: int, end: int) -> None:
        first, last = (max(0, min(at, LATEST_MS)) * 1_000_000 for at in (start, end))
        self._from = (
            f"from(bucket: {_literal(bucket)}) |> range(start: time(v: {first}), stop: time(v: {last}))"
        )
        self._where = [_any("city", [city])]

    def of(self, column: str, *words: str) -> "Series":
        """Narrowed down to these words of a tag (or of ``_measurement``, ``_field``)."""
        self._where.append(_any(column, words))
        return self

    def __str__(self) -> str:
        return f"{self._from} |> filter(fn: (r) => {' and '.join(self._where)})"


def history(series: Series, limit: int) -> str:
    """One row a reading, oldest first, then by sensor."""
    return f'{series} {_PIVOT} |> group() |> sort(columns: ["_time", "sensor"]) |> limit(n: {limit})'


def values_at(series: Series) -> str:
    """One row a value, without the other fields."""
    return f"{series.of('_field', 'value')} |> group()"


def buckets(series: Series, every_ms: int) -> str:
    """One row a bucket with min, mean, max and count; FAIL readings left out."""
    windows = ", ".join(f'window(name: "{name}", fn: {name})' for name in ("min", "mean", "max", "count"))
    return f"""
data = {series} {_PIVOT} |> filter(fn: (r) => r.flag != {int(Flag.FAIL)})
    |> rename(columns: {{value: "_value"}}) |> keep(columns: ["_start", "_stop", "_time", "_value"])
window = (name, fn) => data |> aggregateWindow(every: {every_ms}ms, fn: fn, createEmpty: false, timeSrc: "_start")
    |> toFloat() |> set(key: "what", value: name)
union(tables: [{windows}]) |> group()
    |> pivot(rowKey: ["_time"], columnKey: ["what"], valueColumn: "_value") |> sort(columns: ["_time"])"""
