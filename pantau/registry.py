"""Finds plugins: every file of a plural folder, and what other packages announce as entry points.

To add a kind, a format, a detector or a channel is to add one file with the expected name in it; there is no list.
"""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from pantau.errors import PluginError

__all__ = ["find"]


@cache
def find(folder: str, attribute: str, contract: type, key: str) -> dict[str, Any]:
    """All plugins of a folder, by name.

    Args:
        folder: dotted package, e.g. ``pantau.kinds``; its last word also names the entry-point group ``pantau.<word>``.
        attribute: what each file must define, e.g. ``KIND``.
        contract: the class that it must be an instance of (a runtime-checkable protocol will do).
        key: attribute that holds the plugin's name.

    Raises:
        PluginError: a file lacks the attribute, it is of another type, or two plugins share a name.
    """
    package = importlib.import_module(folder)
    found: dict[str, tuple[str, Any]] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        where = f"{folder}.{info.name}"
        _admit(
            found, where, getattr(importlib.import_module(where), attribute, None), attribute, contract, key
        )
    group = f"pantau.{folder.rsplit('.', 1)[-1]}"
    for entry in sorted(entry_points(group=group), key=lambda point: point.name):
        _admit(found, f"{entry.value} (entry point {group})", entry.load(), attribute, contract, key)
    return {name: plugin for name, (_, plugin) in sorted(found.items())}


def _admit(
    found: dict[str, tuple[str, Any]], where: str, plugin: Any, attribute: str, contract: type, key: str
) -> None:
    if not isinstance(plugin, contract):
        msg = (
            f"{where}: expected {attribute}: {contract.__name__}, found {plugin!r}; "
            f"define `{attribute}` at the end of the file"
        )
        raise PluginError(msg)
    name = getattr(plugin, key)
    if name in found:
        msg = f"{where}: the name {name!r} is already taken by {found[name][0]}; choose another"
        raise PluginError(msg)
    found[name] = (where, plugin)
