"""A file of changed limits in, the city with these limits out: to try them on history before they are made."""

from pathlib import Path

from msgspec.structs import replace

from pantau.city import City
from pantau.cityfolder.ladders import read_ladders
from pantau.cityfolder.problems import Problems
from pantau.cityfolder.settings import FILE, read_settings
from pantau.cityfolder.tables import decode_text, read_table
from pantau.errors import ConfigError

__all__ = ["with_ladders"]

_SCHEMA = "ladders.csv"


class _OneFile(Problems):
    """Mistakes of a file that may have any name."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent, (_SCHEMA,))
        self._path = path.as_posix()

    def _where(self, file: str, line: int) -> str:
        del file
        return f"{self._path}:{line}" if line else self._path


def with_ladders(city: City, folder: Path, path: Path) -> City:
    """The city with the limits of a file in place of its own.

    Each station that the file names has the file's rows and no others; all other stations keep theirs. Deadband and
    hold of blank cells and the boundary rule are the city's.

    Args:
        folder: the city's own, for those rules.
        path: a CSV file with the columns of ``ladders.csv``.

    Raises:
        ConfigError: every mistake of the file, ``file:line: found, expected; what to do``.
    """
    problems = _OneFile(path)
    settings, _ = read_settings(
        decode_text(FILE, (folder / FILE).read_bytes(), problems), city.id, city.kinds, None, problems
    )
    try:
        table = read_table(_SCHEMA, path.read_bytes(), problems)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    found = read_ladders(table, dict(city.stations), city.stations.keys(), city.kinds, settings)
    problems.raise_all()
    if not found:
        raise ConfigError(f"{path}: holds no row, expected at least one station with its changed limits")
    return replace(city, ladders={**city.ladders, **found})
