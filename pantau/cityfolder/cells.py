"""A row of a table: its cells as text, numbers, days, words and references; a wrong cell is noted, never raised.

A cell that is wrong reads as if it were blank, so that the rest of its row can still be checked.
"""

import math
import re
from collections.abc import Collection, Iterable
from datetime import date
from difflib import get_close_matches

from pantau.cityfolder.problems import Problems

__all__ = ["NAME", "Row", "nearest"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What may stand as one level of a topic and in an address: ids of stations, codes of areas, groups."""
_NUMBER = re.compile(r"[-+]?[0-9]{1,15}(\.[0-9]{1,15})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean ...?`` when a known word is close, else nothing."""
    near = get_close_matches(word, sorted(known), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ""


class Row:
    """One row of a CSV file.

    Args:
        line: where it starts, 1 is the file's first line.
        cells: by column, outer blanks removed.
    """

    def __init__(self, file: str, line: int, cells: dict[str, str], problems: Problems) -> None:
        self.file = file
        self.line = line
        self._cells = cells
        self._problems = problems

    def wrong(self, column: str, expected: str, todo: str = "correct the cell") -> None:
        """Note that a cell is not what was expected."""
        self.says(f"{column} is {self.text(column)!r:.80}, expected {expected}; {todo}")

    def says(self, text: str) -> None:
        """Note a mistake that no single cell shows."""
        self._problems.add(self.file, self.line, text)

    def text(self, column: str) -> str:
        """The cell; blank when it is, or when the file has no such optional column."""
        return self._cells.get(column, "")

    def required(self, column: str, what: str) -> str:
        """The cell, which must not be blank."""
        text = self.text(column)
        if not text:
            self.wrong(column, what, "fill the cell")
        return text

    def name(self, column: str, what: str) -> str:
        """An id: one level of a topic."""
        text = self.text(column)
        if not NAME.fullmatch(text):
            self.wrong(
                column, f"{what}: 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit"
            )
        return text

    def word(self, column: str, known: Collection[str], *, default: str = "") -> str:
        """One of the known words; ``default`` for a blank cell, where there is one."""
        text = self.text(column)
        if not text and default:
            return default
        if text not in known:
            self.wrong(column, f"one of {', '.join(known)}", f"correct the cell{nearest(text, known)}")
        return text

    def words(self, column: str) -> tuple[str, ...]:
        """A list with semicolons between; blank parts and repetitions count for nothing."""
        parts = (part.strip() for part in self.text(column).split(";"))
        return tuple(dict.fromkeys(part for part in parts if part))

    def reference(self, column: str, known: Collection[str] | None, where: str) -> str:
        """The key of a row in another file; ``known`` is None when that file could not be read."""
        text = self.text(column)
        self.refer(column, text, known, where)
        return text

    def refer(self, column: str, text: str, known: Collection[str] | None, where: str) -> bool:
        """Whether ``text``, found in a column, stands in another file; notes it when not."""
        if known is None or text in known:
            return True
        near = nearest(text, known)
        self.says(
            f"{column} names {text!r:.80}, expected one that stands in {where}; correct it or add it there{near}"
        )
        return False

    def number(
        self,
        column: str,
        expected: str = "a number",
        *,
        low: float = -math.inf,
        high: float = math.inf,
        above: float = -math.inf,
        required: bool = False,
    ) -> float | None:
        """A number with a decimal point, None when blank.

        Args:
            expected: words for the limits, for the complaint.
            low, high: least and greatest value allowed.
            above: the value must be greater than this.
        """
        text = self.text(column)
        if not text and not required:
            return None
        if not _NUMBER.fullmatch(text):
            comma = text.replace(",", ".", 1)
            todo = f"write {comma}" if "," in text and _NUMBER.fullmatch(comma) else "correct the cell"
            self.wrong(column, expected, todo)
            return None
        value = float(text)
        if not (low <= value <= high and value > above):
            self.wrong(column, expected)
            return None
        return value

    def whole(self, column: str, expected: str = "a whole number, 0 or more") -> int | None:
        """A whole number that is not negative, None when blank."""
        text = self.text(column)
        if not text:
            return None
        if not re.fullmatch(r"[0-9]{1,12}", text):
            self.wrong(column, expected)
            return None
        return int(text)

    def day(self, column: str, *, required: bool = False) -> date | None:
        """A day of the city's calendar, None when blank."""
        text = self.text(column)
        if not text and not required:
            return None
        try:
            day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
        except ValueError:
            day = None
        if day is None or not 1900 <= day.year < 3000:
            self.wrong(column, "a day as YYYY-MM-DD between 1900-01-01 and 2999-12-31")
            return None
        return day

    def days(self) -> tuple[date | None, date | None]:
        """``valid_from`` (inclusive) and ``valid_to`` (exclusive)."""
        start, end = self.day("valid_from"), self.day("valid_to")
        if start and end and end <= start:
            self.wrong(
                "valid_to", f"a day after valid_from ({start}), for it is the first day that does not count"
            )
            return start, None
        return start, end
