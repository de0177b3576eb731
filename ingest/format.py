"""The shape of a payload format: a message's bytes in, readings and refusals out, never another error.

A format is one file in ``ingest/formats`` with ``FORMAT = ...``; ``city.toml`` binds topics to it by name. It works in
two steps, because a topic is looked up once and its messages come for years: ``reader`` finds out what a topic is
about, and what it returns reads the messages of that topic.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from pantau.city import City
from pantau.reading import Reading

__all__ = ["IGNORED", "Decoded", "Format", "Message", "Reader", "Refusal"]


class Message(msgspec.Struct, gc=False):
    """What the broker handed over.

    Attributes:
        received_at: ms since 1970 UTC on the service's clock.
        token: whatever the receiver needs to acknowledge it.
    """

    topic: str
    payload: bytes
    received_at: int
    retain: bool = False
    qos: int = 1
    token: Any = None


class Refusal(msgspec.Struct, frozen=True):
    """One item of a message that gives no reading; its neighbours may be good.

    Attributes:
        code: short word to count by, e.g. ``wrong_unit``.
        reason: full sentence for the person who looks after the device.
        index: position in the message's array, None when it is about the whole message.
    """

    code: str
    reason: str
    index: int | None = None


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """What a message gives, oldest first as sent; both empty: it is not for us and nothing is wrong."""

    readings: Sequence[Reading]
    refusals: Sequence[Refusal] = ()


IGNORED = Decoded(())
"""The answer to a message that carries no reading by design (a camera's snapshot, a bridge's availability)."""

Reader = Callable[[Message], Decoded]
"""Reads the messages of one topic; raises RefusedMessage when the whole message gives nothing, and nothing else."""


@runtime_checkable
class Format(Protocol):
    """Reads one payload language."""

    name: str

    def reader(self, topic: str, city: City, options: dict[str, Any]) -> Reader:
        """What reads the messages of a topic; values come out in the kind's own unit.

        Called once a topic and kept while the service runs, so it must not hold on to more than it needs.

        Raises:
            RefusedMessage: no message on this topic can be used (e.g. unknown station); asked again for the next one.
        """
        ...

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """What is wrong with the options of a binding in ``city.toml``, one line each; empty when all is well."""
        ...
