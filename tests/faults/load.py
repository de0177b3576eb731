"""The load: an endless, seeded stream of messages as devices send them on a bad day. The same seed, the same bytes.

Crossings, spikes, duplicates, conflicts, late and swapped readings, clocks that are days ahead or stand at 1970, values
out of range, rubbish, unknown stations, ten readings in a message, stale ones in order, and crowds for the slow lane.
Left out is what redelivery cannot be told apart by design: bare counts, which take their time from the receipt.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.faults.town import BATCHED, SENTINEL, STALE, STREAM, ZONES

Message = tuple[str, bytes]

CITY = "faults"
START = datetime(2026, 3, 2, 12, tzinfo=UTC)
START_MS = round(START.timestamp() * 1000)
"""Of the service's clock in every run (PANTAU_CLOCK, real speed): stamps mean the same in both runs of a pair."""
SPACING_MS = 4_000
_FIRST_MS = START_MS - 240 * 60_000
_HOUR, _DAY, _MINUTE = 3_600_000, 86_400_000, 60_000
_BLOCK = 50
"""So many readings on one level, then the next one."""
VARIED = 2_500
"""Within so many messages every kind of trouble has happened at least once, conflicts last of all."""
MOST = 60_000
"""Messages of a run at most: past that the stream's stamps would come near the present."""


def message(
    station: str, value: object, at: int, kind: str = "water_level", seq: int | None = None
) -> Message:
    """One native reading."""
    body = {"observed_at": at, "value": value} | ({} if seq is None else {"seq": seq})
    return f"pantau/v1/{CITY}/{kind}/{station}", json.dumps(body).encode()


def stream(seed: int) -> Iterator[Message]:
    """Messages without end, in their fixed order."""
    rng = random.Random(seed)
    yield from _three_weeks()
    crowds, stale = _today(), _stale()
    held: dict[str, Message] = {}
    broken: set[tuple[str, int]] = set()
    index = 0
    while True:
        for number, station in enumerate(STREAM):
            yield from _gauge(station, number, index, rng, held, broken)
        yield from _rest(index, rng)
        for _ in range(2):
            if (crowd := next(crowds, None)) is not None:
                yield crowd
        if index % 25 == 0 and (old := next(stale, None)) is not None:
            yield old
        index += 1


def closing() -> Message:
    """The last message of a run."""
    return message(SENTINEL, 1.0, START_MS)


def _gauge(
    station: str, number: int, index: int, rng: random.Random, held: dict[str, Message], broken: set[tuple[str, int]]
) -> Iterator[Message]:  # fmt: skip
    """A gauge's reading, and what goes wrong with it.

    An instant with a value out of range gets no other one: a store that refuses the first has nothing to be in conflict
    with, unless both were forwarded together.
    """
    at = _FIRST_MS + index * SPACING_MS
    level = 60 + 60 * (((index + 3 * number) // _BLOCK) % 4)
    value = level + rng.choice((0, 1, 2, 0.5))
    chance = rng.random()
    if chance < 0.004:
        value += 400
    elif chance < 0.006:
        value = 99_999
        broken.add((station, index))
    one = message(station, value, at, seq=index)
    if (waiting := held.pop(station, None)) is not None:
        yield one  # the younger first: the one that waited is late
        one = waiting
    elif rng.random() < 0.01:
        held[station] = one
        return
    yield one
    fate = rng.random()
    if fate < 0.02:
        yield one
    elif fate < 0.03 and (station, index) not in broken:
        yield message(station, value + 3, at, seq=index)
    elif 0.03 <= fate < 0.035 and index > 40 and (station, index - 30) not in broken:
        # another value for an instant long past, then yet another one
        yield message(station, 7.25, at - 30 * SPACING_MS)
        yield message(station, 7.5, at - 30 * SPACING_MS)
    elif fate < 0.045:
        yield message(station, value, at - 9 * SPACING_MS - 500)


def _rest(index: int, rng: random.Random) -> Iterator[Message]:
    """What is seldom: a payload of ten, wrong clocks, what has to be refused."""
    if index % 5 == 0:
        level = 60 + 60 * ((index // 40) % 4)
        items = [
            {"observed_at": _FIRST_MS + index * SPACING_MS + step * 2_000, "value": level + step % 3}
            for step in range(10)
        ]
        yield f"pantau/v1/{CITY}/water_level/{BATCHED}", json.dumps(items).encode()
    station = rng.choice(STREAM)
    if index % 7 == 0:
        yield message(station, 50, START_MS + 3 * _DAY + index * 1000)
        yield message(station, 50, 1_000 + index)
    if index % 11 == 0:
        yield f"pantau/v1/{CITY}/water_level/{station}", b"\xff{" + str(index).encode()
        yield message("nowhere", index, START_MS)
        yield message(station, f"{index} cm", START_MS)


def _three_weeks() -> Iterator[Message]:
    """What is usual at these hours of the week, so that the slow lane has something to compare with."""
    for zone in ZONES:
        for week in (3, 2, 1):
            for hour in range(6):
                for quarter in range(2):
                    at = START_MS - week * 7 * _DAY - (6 - hour) * _HOUR + quarter * 20 * _MINUTE
                    yield message(zone, 100 + quarter, at, "crowd_count")


def _today() -> Iterator[Message]:
    """Crowds of the last six hours but one, always stale for the ladder; surges of 20 minutes for the slow lane."""
    for step in range(60):
        for number, zone in enumerate(ZONES):
            at = START_MS - 6 * _HOUR + step * 5 * _MINUTE
            surge = (step + number) // 4 % 2
            yield message(zone, 600 + step if surge else 100, at, "crowd_count")


def _stale() -> Iterator[Message]:
    """Up and down in small steps, hours ago, and at last a fresh reading, at which what still holds is told."""
    values = [60, 95, 130, 165, 130, 95, 60, 60, 95, 130, 150, 150]
    at = START_MS - 35 * _MINUTE - len(values) * 25 * _MINUTE
    for value in values:
        at += 25 * _MINUTE
        yield message(STALE, value, at)
    yield message(STALE, 151, START_MS - 6 * _MINUTE)


def clock(anchor_ms: int) -> str:
    """PANTAU_CLOCK of a run that begins at a real instant: all its processes share it."""
    return f"{START.isoformat()},1,{anchor_ms}"


def soon(seconds: float) -> str:
    """An instant of the service's time, for a command's body."""
    return (START + timedelta(seconds=seconds)).isoformat()
