"""Runs the checks: a context in, findings out, one check after the other; a peer that is away ends its own alone."""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Sequence

import msgspec

from app.doctor import checks
from app.doctor.finding import Context, Finding
from pantau.errors import ConfigError, PantauError

__all__ = ["CHECKS", "examine"]

CHECKS: tuple[str, ...] = tuple(sorted(info.name for info in pkgutil.iter_modules(checks.__path__)))
"""Names of all checks: the files of ``app/doctor/checks``."""


def examine(context: Context, only: Sequence[str] = ()) -> Iterator[Finding]:
    """Findings of these checks, by default of all.

    Raises:
        ConfigError: there is no check of that name.
    """
    unknown = [name for name in only if name not in CHECKS]
    if unknown:
        raise ConfigError(f"no check {', '.join(map(repr, unknown))}: expected some of {', '.join(CHECKS)}")
    for name in only or CHECKS:
        look: Callable[[Context], Iterator[Finding]]
        look = importlib.import_module(f"{checks.__name__}.{name}").look
        try:
            for finding in look(context):
                yield msgspec.structs.replace(finding, check=name)
        except PantauError as error:
            yield Finding("error", str(error), check=name)
