"""Commands are files: a folder in, each of its files registered with a command line."""

import importlib
import pkgutil
from types import ModuleType

import typer

__all__ = ["add_each"]


def add_each(folder: ModuleType, cli: typer.Typer, wanted: str = "") -> None:
    """Call ``register(cli)`` of every module of a package, in the order of their names.

    Args:
        wanted: a command; the module that is named after it is the only one, if there is one.
    """
    names = sorted(info.name for info in pkgutil.iter_modules(folder.__path__))
    word = wanted.replace("-", "_")
    for name in [name for name in names if name in {word, f"{word}_"}] or names:
        importlib.import_module(f"{folder.__name__}.{name}").register(cli)
