"""CSV bytes -> rows: encoding, header and shape are checked here, cells by whoever asks for them.

UTF-8, with or without a byte-order mark; commas; one header. Empty lines and lines that begin with ``#`` are skipped.
"""

import csv
import io
import re
from collections.abc import Iterator

import msgspec

from pantau.cityfolder.cells import Row, nearest
from pantau.cityfolder.problems import Problems

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
"""They would break a terminal, a log line or a message; ``\\t``, ``\\r`` and ``\\n`` are left."""

__all__ = ["SCHEMAS", "Schema", "Table", "decode_text", "read_table"]


class Schema(msgspec.Struct, frozen=True):
    """Columns of a file; the first of ``columns`` is its key, ``optional`` ones may be absent."""

    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()


SCHEMAS: dict[str, Schema] = {
    "areas.csv": Schema(
        ("code", "name", "kecamatan", "city", "lat", "lon", "area_km2", "population"), ("rw", "rw_floodprone")
    ),
    "stations.csv": Schema(
        (
            *("id", "name", "aliases", "kind", "hazard", "post", "river", "group", "lat", "lon", "area"),
            *("cadence_min", "range_low", "range_high", "area_m2", "capacity", "overlaps", "note", "source"),
        )
    ),
    "ladders.csv": Schema(
        ("station", "valid_from", "valid_to", "siaga3", "siaga2", "siaga1", "deadband", "hold_min", "source")
    ),
    "links.csv": Schema(("upstream", "downstream", "low_min", "high_min", "source")),
    "warn_areas.csv": Schema(("station", "area"), ("kelurahan", "note")),
    "recipients.csv": Schema(
        ("role", "audience", "channels", "hazards", "min_severity", "areas", "language", "source")
    ),
    "capacity_rules.csv": Schema(("valid_from", "valid_to", "percent", "stations", "source")),
    "calendar.csv": Schema(("date", "name", "source")),
}
"""Every table of a city's folder."""


class Table(msgspec.Struct, frozen=True):
    """What a file holds.

    Attributes:
        rows: those with as many cells as the header; empty when the file is not ``whole``.
        keys: first-column cells of all rows, also of those that are wrong elsewhere; None when they are not known.
        whole: every row could be read.
    """

    rows: tuple[Row, ...] = ()
    keys: frozenset[str] | None = None
    whole: bool = False


def decode_text(file: str, body: bytes, problems: Problems) -> str | None:
    """Text of a file in UTF-8, None (and a problem) when it is something else."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body[: error.start].count(b"\n") + 1
        byte = body[error.start]
        problems.add(
            file, line, f"byte 0x{byte:02x} is not UTF-8, expected UTF-8 text; save the file as UTF-8"
        )
        return None
    if control := _CONTROL.search(text):
        line = text[: control.start()].count("\n") + 1
        problems.add(file, line, f"character {control[0]!r} is invisible, expected readable text; remove it")
        return None
    return text


def read_table(file: str, body: bytes | None, problems: Problems) -> Table:
    """Rows of a CSV file.

    Args:
        file: its name, a key of ``SCHEMAS``.
        body: None when it could not be read, which was noted before.
    """
    text = None if body is None else decode_text(file, body, problems)
    if text is None:
        return Table()
    records, readable = _records(file, text, problems)
    if not records:
        problems.add(
            file, 1, f"found no header, expected {','.join(SCHEMAS[file].columns)}; add it as the first line"
        )
        return Table()
    (line, header), *records = records
    if not _is_usable(file, line, header, problems):
        return Table()
    rows, keys, whole = [], set(), readable
    key = header.index(SCHEMAS[file].columns[0])
    for line, record in records:
        keys.add(record[key] if key < len(record) else "")
        if len(record) == len(header):
            rows.append(Row(file, line, dict(zip(header, record, strict=True)), problems))
            continue
        whole = False
        problems.add(
            file,
            line,
            f"found {len(record)} cells, expected {len(header)} as in the header; "
            f'add or remove commas, and put a cell that holds a comma into "quotes"',
        )
    return Table(rows=tuple(rows), keys=frozenset(keys - {""}) if readable else None, whole=whole)


def _records(file: str, text: str, problems: Problems) -> tuple[list[tuple[int, list[str]]], bool]:
    """Lines that say something, each with the number of the line it starts on; and whether all could be read."""
    found = []
    try:
        for line, record in _lines(text):
            cells = [cell.strip() for cell in record]
            if any(cells) and not cells[0].startswith("#"):
                found.append((line, cells))
    except _Unreadable as error:
        problems.add(
            file, error.line, f"{error}; every quotation mark needs its partner, inside a cell it is doubled"
        )
        return found, False
    return found, True


class _Unreadable(Exception):
    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    while True:
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _Unreadable(line, f"this row cannot be read as CSV ({error})") from None
        yield line, record
        line = reader.line_num + 1


def _is_usable(file: str, line: int, header: list[str], problems: Problems) -> bool:
    schema = SCHEMAS[file]
    columns = (*schema.columns, *schema.optional)
    for name in dict.fromkeys(header):
        if name not in columns:
            near = nearest(name, columns) or f"; known are {', '.join(columns)}"
            problems.add(file, line, f"column {name!r} is not known; remove or rename it{near}")
        if header.count(name) > 1:
            problems.add(file, line, f"column {name!r} stands there {header.count(name)} times; keep one")
    for name in schema.columns:
        if name not in header:
            problems.add(
                file,
                line,
                f"column {name!r} is missing; add it (its cells may be blank where that is allowed)",
            )
    return all(header.count(name) == 1 for name in schema.columns) and len(set(header)) == len(header)
