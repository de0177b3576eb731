"""Trained models: what is promoted can be used; without it the rules run alone, which nobody should learn by chance."""

from collections.abc import Iterator

from app.doctor.finding import Context, Finding
from models.artifact import Shelf, shelves
from pantau.errors import ConfigError

__all__ = ["look"]


def look(context: Context) -> Iterator[Finding]:
    """Every promoted model and every challenger, opened as the service opens it."""
    found = list(shelves(context.settings.data / "models"))
    if not found:
        yield Finding("note", "no trained models: the rules run alone")
    for shelf in found:
        problems = list(_problems(shelf))
        for word, problem in problems:
            yield Finding(
                "error",
                f"{word} {shelf.family}/{shelf.name}: {problem}",
                "until then the rules run without it; `pantau model rollback` takes the former version",
            )
        if not problems:
            yield Finding("ok", f"{shelf.family}/{shelf.name}: {_states(shelf)}")


def _states(shelf: Shelf) -> str:
    rival = shelf.challenger()
    return f"live {shelf.current() or 'none'}" + (f", in shadow {rival}" if rival else "")


def _problems(shelf: Shelf) -> Iterator[tuple[str, str]]:
    from models.families import opened

    for word, ask in (("live model", shelf.current), ("challenger", shelf.challenger)):
        try:
            version = ask()
            if version is not None:
                opened(shelf.load(version))
        except ConfigError as error:
            yield word, str(error)
