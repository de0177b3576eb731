"""TOML text -> values by dotted path, with the line each key stands on for complaints."""

import math
import re
import tomllib
from typing import Any

from pantau.cityfolder.cells import nearest
from pantau.cityfolder.problems import Problems

__all__ = ["Toml"]

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.\"' -]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\"'-]+(?:\s*\.\s*[A-Za-z0-9_\"'-]+)*)\s*=")


class Toml:
    """A TOML file; what cannot be read is noted and reads as absent.

    Attributes:
        readable: whether the text is TOML at all.
    """

    def __init__(self, file: str, text: str | None, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._data: dict[str, Any] = {}
        self._lines: dict[str, int] = {}
        self.readable = False
        if text is None:
            return
        try:
            self._data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
            problems.add(file, _line_of(error, text), f"this is not TOML ({error}); correct the line")
            return
        self.readable = True
        self._lines = _lines_of_keys(text)

    def wrong(self, path: str, expected: str, todo: str = "correct the value") -> None:
        """Note that a value is missing or not what was expected."""
        if not self.readable:
            return
        if path in self._lines or self.value(path) is not None:
            self.says(path, f"{path} is {self.value(path)!r:.80}, expected {expected}; {todo}")
        else:
            self.says(path, f"{path} is missing, expected {expected}; add it")

    def says(self, path: str, text: str) -> None:
        """Note a mistake at a key."""
        self._problems.add(self._file, self._lines.get(path), text)

    def value(self, path: str) -> Any:
        """The value at a dotted path (``binding[0].topic``), None when absent."""
        found: Any = self._data
        for part in re.findall(r"[^.\[\]]+", path):
            if isinstance(found, list):
                found = found[int(part)] if part.isdecimal() and int(part) < len(found) else None
            else:
                found = found.get(part) if isinstance(found, dict) else None
        return found

    def text(self, path: str, expected: str, *, default: str | None = None) -> str:
        """A text that is not blank; ``default`` where it may be absent."""
        value = self.value(path)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value.strip():
            self.wrong(path, expected)
            return ""
        return value.strip()

    def number(self, path: str, default: float, *, high: float = 1e9) -> float:
        """A number from 0 (which counts) to ``high``."""
        value = self.value(path)
        if value is None:
            return default
        if type(value) not in {int, float} or not math.isfinite(value) or not 0 <= value <= high:
            self.wrong(path, f"a number from 0 to {high:g}")
            return default
        return float(value)

    def table(self, path: str) -> dict[str, Any]:
        """A table, empty when absent."""
        value = self.value(path) if path else self._data
        if value is not None and not isinstance(value, dict):
            self.wrong(path, "a table", f"write [{path}] and its keys below it")
        return value if isinstance(value, dict) else {}

    def only(self, path: str, known: tuple[str, ...], what: str = "key") -> None:
        """Note every key of a table that nobody reads."""
        for key in self.table(path):
            if key not in known:
                where = f"{path}.{key}" if path else key
                near = nearest(key, known) or f"; known are {', '.join(known)}"
                self.says(where, f"{what} {where!r} is not known; remove or rename it{near}")


def _line_of(error: Exception, text: str) -> int | None:
    if place := re.search(r"at line (\d+)", str(error)):
        return int(place[1])
    return text.rstrip().count("\n") + 1 if "end of document" in str(error) else None


def _lines_of_keys(text: str) -> dict[str, int]:
    """Line of each key, read without understanding values: good enough to point at one, never to decide."""
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _plain(header[2])
            for path, count in counts.items():
                if table.startswith(f"{path}."):
                    table = f"{path}[{count - 1}]{table.removeprefix(path)}"
            if header[1] == "[[":
                counts[table] = counts.get(table, 0) + 1
                table = f"{table}[{counts[table] - 1}]"
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(f"{table}.{_plain(key[1])}" if table else _plain(key[1]), number)
    return lines


def _plain(path: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in path.split("."))
