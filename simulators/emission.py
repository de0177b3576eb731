"""An emission: one message as a device would send it; faults change emissions before they become bytes.

Rows go in, emissions in the order of their sending come out; the last step gives topic and payload as design.md fixes
them for native JSON.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

import msgspec

from pantau.city import City
from pantau.reading import MAIN
from simulators.row import Row

__all__ = ["Emission", "emissions", "in_sending_order", "payload_of", "topic_of"]


class Emission(msgspec.Struct, gc=False):
    """A message on its way.

    Attributes:
        send_at: when the device hands it over, ms since 1970 UTC; never before ``observed_at`` of an honest device.
        observed_at: the time it carries, ms since 1970 UTC.
        value: as sent, in ``unit``.
        unit: as sent.
        seq: the device's own counter.
        raw: bytes sent instead of the reading (a broken device), None otherwise.
    """

    send_at: int
    station: str
    kind: str
    sensor: str
    observed_at: int
    value: float
    unit: str
    seq: int
    raw: bytes | None = None


def emissions(rows: Iterable[Row], city: City, *, shift_ms: int = 0) -> Iterator[Emission]:
    """What healthy devices make of rows: each sent when it was so, with a counter per sensor that begins at 1.

    Args:
        shift_ms: moves all times, e.g. to play an old recording as if it happened now.
    """
    counters: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.station, row.sensor)
        seq = counters[key] = counters.get(key, 0) + 1
        at = row.at + shift_ms
        yield Emission(at, row.station, row.kind, row.sensor, at, row.value, city.kinds[row.kind].unit, seq)


def in_sending_order(messages: Iterable[tuple[int, Emission]]) -> Iterator[Emission]:
    """Sorts what a fault made late, as a stream.

    Args:
        messages: (instant of the healthy stream that was reached, emission); no emission may leave before that
            instant, so everything before it can go. Emissions of one instant keep their order.
    """
    waiting: list[tuple[int, int, Emission]] = []
    for number, (reached, emission) in enumerate(messages):
        heappush(waiting, (max(reached, emission.send_at), number, emission))
        while waiting[0][0] < reached:
            yield heappop(waiting)[2]
    while waiting:
        yield heappop(waiting)[2]


def topic_of(city: City, emission: Emission) -> str:
    """MQTT topic of an emission; the sensor ``main`` needs no name."""
    topic = f"pantau/v1/{city.id}/{emission.kind}/{emission.station}"
    return topic if emission.sensor == MAIN else f"{topic}/{emission.sensor}"


def payload_of(emission: Emission) -> bytes:
    """Native JSON of an emission, or the bytes that a broken device sends instead."""
    if emission.raw is not None:
        return emission.raw
    return msgspec.json.encode(
        {
            "observed_at": emission.observed_at,
            "value": emission.value,
            "unit": emission.unit,
            "seq": emission.seq,
        }
    )
