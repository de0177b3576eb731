"""The shape of a payload format: a message's bytes in, readings and refusals out, never another error.

A format is one file in ``ingest/formats`` with ``FORMAT = ...``; ``city.toml`` binds topics to it by name. It works in
three steps: ``open`` is called once a binding and may make what its topics have in common (a gateway's dictionary of
aliases, say); what it returns is asked once a topic, because a topic's messages come for years; and what that returns
reads the messages of the topic. What a format knows of former messages outlives the process when what ``open`` returns
``Remembers``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from pantau.city import City
from pantau.event import Gone
from pantau.reading import Reading

__all__ = [
    "IGNORED",
    "Ask",
    "Decoded",
    "Format",
    "Gone",
    "Message",
    "Opened",
    "Reader",
    "Refusal",
    "Remembers",
]


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


class Ask(msgspec.Struct, frozen=True):
    """A message back to the field that the protocol asks for (a request to be born again); sent once, at QoS 0."""

    topic: str
    payload: bytes


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """What a message gives, oldest first as sent; all empty: it is not for us and nothing is wrong."""

    readings: Sequence[Reading]
    refusals: Sequence[Refusal] = ()
    gone: Sequence[Gone] = ()
    asks: Sequence[Ask] = ()


IGNORED = Decoded(())
"""The answer to a message that carries no reading by design (a camera's snapshot, a bridge's availability)."""

Reader = Callable[[Message], Decoded | Reading]
"""Reads the messages of one topic; raises RefusedMessage when the whole message gives nothing, and nothing else.

A message that is one good reading may be answered by that reading alone.
"""


Opened = Callable[[str], Reader]
"""What reads the messages of a topic; asked once a topic, so its answer must not hold on to more than it needs.

Raises RefusedMessage when no message on this topic can be used (e.g. unknown station), and is asked again for the next
one.
"""


@runtime_checkable
class Remembers(Protocol):
    """An ``Opened`` whose readers need former messages: those are acknowledged and never come again.

    What it knows is kept in parts by name, so that the little that moves with every message need not be written with
    the much that seldom changes. They are committed with the batch that changed them and loaded before the next run's
    first message. A part stays at a few hundred kB; what would be larger is left out, and the format then goes on as
    if it had started afresh.
    """

    def __call__(self, topic: str, /) -> Reader:
        """See ``Opened``."""
        ...

    def dump_changed(self) -> dict[str, bytes]:
        """The parts that changed since the last call, empty when there is nothing to know.

        Asked once a batch, so it must cost nothing when nothing changed.
        """
        ...

    def load(self, kept: Mapping[str, bytes]) -> None:
        """Take over what former calls of ``dump_changed`` gave, the newest of each part, before the first message.

        Parts of what is not bound any more are left alone.

        Raises:
            msgspec.DecodeError: a part is of another version; whoever asked opens the format afresh.
        """
        ...


@runtime_checkable
class Format(Protocol):
    """Reads one payload language."""

    name: str

    def open(self, city: City, options: dict[str, Any]) -> Opened:
        """The readers of a binding's topics; values come out in the kind's own unit.

        Called once a binding when the service starts; what the topics have in common lives in what it returns and is
        used by one thread only. It is forgotten when the service ends, unless what is returned ``Remembers``.
        """
        ...

    def problems(self, city: City, options: dict[str, Any]) -> list[str]:
        """What is wrong with the options of a binding in ``city.toml``, one line each; empty when all is well."""
        ...
