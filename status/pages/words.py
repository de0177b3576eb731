"""Words of the pages by language: ``status/words/<language>.toml`` in, strict lookups out."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any

__all__ = ["LANGUAGES", "Words", "client_words", "words_of"]

LANGUAGES = ("id", "en")
"""Languages of the public page; each is a path, ``/id`` and ``/en``."""


class Words:
    """Words of one language or one section of it; a missing word is an error, never an empty string."""

    def __init__(self, where: str, table: dict[str, Any]) -> None:
        self._where, self._table = where, table

    def __getattr__(self, key: str) -> Any:
        """A section or a word, by attribute as templates write it."""
        if key.startswith("_"):
            raise AttributeError(key)  # what Python and Jinja ask of any object is no word
        return self[key]

    def __getitem__(self, key: object) -> Any:
        """A section or a word.

        Raises:
            LookupError: the language has no such word.
        """
        found = self._table.get(str(key))
        if found is None:
            raise LookupError(f"{self._where}: the word {str(key)!r} is missing")
        return Words(f"{self._where} [{key}]", found) if isinstance(found, dict) else found

    def get(self, key: object, default: str) -> str:
        """A word that may be missing: a plugin can name things these files have not heard of."""
        return str(self._table.get(str(key), default))


@cache
def _table(language: str) -> dict[str, Any]:
    text = resources.files("status.words").joinpath(f"{language}.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def words_of(language: str) -> Words:
    """All words of a language."""
    return Words(f"status/words/{language}.toml", _table(language))


def client_words(language: str) -> dict[str, str]:
    """The words that the browser needs to repaint rows."""
    return dict(_table(language)["client"])
