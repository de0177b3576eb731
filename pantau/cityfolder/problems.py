"""Collects the mistakes of a folder while its files are read."""

from pathlib import Path

from pantau.errors import ConfigError

__all__ = ["Problems"]


class Problems:
    """Mistakes with the place they stand at.

    Args:
        folder: as the user named it, so that the place can be clicked.
        files: names in the order they are to be listed.
    """

    def __init__(self, folder: Path, files: tuple[str, ...]) -> None:
        self._folder = folder.as_posix()
        self._order = {name: index for index, name in enumerate(files)}
        self._found: dict[tuple[str, int, str], None] = {}

    def add(self, file: str, line: int | None, text: str) -> None:
        """Note one mistake; ``line`` is None when the file as a whole is meant, ``file`` "" for the folder."""
        self._found[(file, line or 0, text)] = None

    def lines(self) -> tuple[str, ...]:
        """All mistakes, ``where: what``, in the order of files and lines."""
        found = sorted(self._found, key=lambda key: (self._order.get(key[0], -1), key[1]))
        return tuple(f"{self._where(file, line)}: {text}" for file, line, text in found)

    def raise_all(self) -> None:
        """End here if there is any.

        Raises:
            ConfigError: with every mistake.
        """
        if self._found:
            raise ConfigError(*self.lines())

    def _where(self, file: str, line: int) -> str:
        path = f"{self._folder}/{file}" if file else self._folder
        return f"{path}:{line}" if line else path
