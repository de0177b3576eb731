"""Commands are files: a folder in, each of its files registered with a command line."""

import importlib
import pkgutil
from types import ModuleType

import typer

__all__ = ["add_each"]


def add_each(folder: ModuleType, cli: typer.Typer) -> None:
    """Call ``register(cli)`` of every module of a package, in the order of their names."""
    for info in sorted(pkgutil.iter_modules(folder.__path__), key=lambda module: module.name):
        importlib.import_module(f"{folder.__name__}.{info.name}").register(cli)
