"""Who gives a command: the login name, for a history that should not be silent about it."""

import getpass
from collections.abc import Callable

__all__ = ["caller"]


def caller(ask: Callable[[], str] = getpass.getuser) -> str:
    """The login name of whoever runs this process; ``unknown`` when the machine has none for it, as in a container."""
    try:
        return ask() or "unknown"
    except (KeyError, OSError, ImportError):
        return "unknown"
