"""What a check sees and what it says."""

from typing import Literal

import msgspec

from app.settings import Settings
from pantau.city import City

__all__ = ["BAD", "Context", "Finding", "Status"]

Status = Literal["ok", "note", "warning", "error"]
BAD: frozenset[Status] = frozenset({"warning", "error"})
"""What makes the exit code 1."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the doctor's.

    Attributes:
        status: ``note`` where something was not looked at, or is as it is.
        text: what was found.
        do: what to do about it; empty when nothing.
        check: name of the check, filled in by ``examine``.
    """

    status: Status
    text: str
    do: str = ""
    check: str = ""


class Context(msgspec.Struct, frozen=True):
    """What a check may look at.

    Attributes:
        city: None when its folder is wrong; the check ``city`` says so.
        ntp: host[:port] of a time server that may be asked; None: none is.
    """

    settings: Settings
    city: City | None = None
    ntp: str | None = None
