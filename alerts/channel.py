"""The shape of a channel: one notice to one address, and what became of it.

A channel is one file in ``alerts/channels`` with ``CHANNEL = ...``; ``recipients.csv`` names it.
"""

from enum import Enum
from typing import Protocol, runtime_checkable

import msgspec

from pantau.ports import Publisher

__all__ = ["Address", "Channel", "Notice", "Outcome", "Sent"]


class Sent(Enum):
    """What became of a notice."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """It certainly did not arrive; try again."""
    UNKNOWN = "unknown"
    """It may have arrived (a time-out after sending); repeated only where the receiver removes duplicates."""
    NEVER = "never"
    """It will not arrive, however often it is tried (a wrong address)."""


class Outcome(msgspec.Struct, frozen=True):
    """The channel's answer; ``retry_after_s`` is the receiver's own wish."""

    sent: Sent
    detail: str = ""
    retry_after_s: float | None = None


class Address(msgspec.Struct, frozen=True):
    """Where one contact is reached: a row of ``contacts``."""

    name: str
    address: str
    secret: str = ""


class Notice(msgspec.Struct, frozen=True):
    """One message about an alert to one role over one channel.

    Attributes:
        id: deterministic ``Notice-Id``; the same notice never has two.
        title, text: for people, in the role's language.
        alert: the alert in the form of the alerts API.
        short: the same for a text message, at most 160 characters of the GSM alphabet.
        topic: hazard and scope, for channels that publish, e.g. ``flood/116``.
        made_at: ms, on the service's clock.
    """

    id: str
    role: str
    language: str
    severity: int
    title: str
    text: str
    alert: dict[str, object]
    made_at: int
    exercise: bool = False
    short: str = ""
    topic: str = ""


@runtime_checkable
class Channel(Protocol):
    """Sends notices.

    Attributes:
        name: as ``recipients.csv`` writes it.
        removes_duplicates: receivers drop a repeated ``Notice-Id``, so an unknown outcome may be sent again.
        uses_broker: its addresses are topics of our own broker, not hosts.
        signs: it signs with the contact's secret.
    """

    name: str
    removes_duplicates: bool
    uses_broker: bool
    signs: bool

    def problem(self, address: str, city: str) -> str:
        """What is wrong with an address, for the person who typed it; empty when nothing is."""
        ...

    def send(
        self, notice: Notice, address: Address, publisher: Publisher | None, timeout_s: float
    ) -> Outcome:
        """Hand one notice over; never raises for anything the receiver does."""
        ...
