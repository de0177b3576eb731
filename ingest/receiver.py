"""The shape of a receiver: messages in batches, acknowledged when they are safe, not when they arrive."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ingest.format import Message

__all__ = ["Receiver", "ReceiverStats"]


class ReceiverStats(msgspec.Struct, frozen=True):
    """How it goes, for health and metrics.

    Attributes:
        received: messages since start.
        waiting: 0 when the last ``take`` emptied what the broker had for us; else the size of its batch, because there
            may be more. A broker has only so many messages on their way until we acknowledge, and does not say how
            many: so a batch that is as large (of QoS 1) as the largest of this connection, and at least 20, may have
            been cut; one that ended while messages still came, from half of the largest on; one that reached
            ``limit``, always.
        connections: made since start.
        last_message_at: receipt of the newest message, ms on the service's clock; None before the first.
        broker_dropped: the broker's own count of messages it dropped; None while unknown.
        refused_filters: filters that the broker did not let us subscribe to.
        problem: why there is no connection, in words; empty when there is one.
    """

    received: int = 0
    waiting: int = 0
    connections: int = 0
    last_message_at: int | None = None
    broker_dropped: int | None = None
    refused_filters: tuple[str, ...] = ()
    problem: str = ""


class Receiver(Protocol):
    """Hands over messages; whoever takes them acknowledges them after the commit."""

    @property
    def connected(self) -> bool:
        """Whether the broker answers now."""
        ...

    @property
    def subscribed(self) -> bool:
        """Whether the broker has taken every subscription of this connection; told while somebody takes."""
        ...

    @property
    def stats(self) -> ReceiverStats:
        """Counts since start."""
        ...

    def start(self) -> None:
        """Begin to connect; returns at once, also when the broker is away."""
        ...

    def take(self, timeout_s: float, settle_s: float = 0.02, limit: int = 5_000) -> list[Message]:
        """Wait up to ``timeout_s`` for a message, then gather what follows within ``settle_s``, at most ``limit``."""
        ...

    def ack(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are safe; what came over a former connection is left out, it comes again."""
        ...

    def stop(self) -> None:
        """Disconnect in order; what is not acknowledged is delivered again next time."""
        ...
