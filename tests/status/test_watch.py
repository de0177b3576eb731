"""The watch looks at the board when somebody cares, and shows who asks what is so now."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from app.clock import VirtualClock
from pantau.city import City
from pantau.record import LatestRecord
from status import watch as module
from status.watch import PERIOD_S, Watch
from tests.fakes_board import BoardInMemory
from tests.status.sample import KATULAMPA, NOW, latest, sample_board


class CountingBoard(BoardInMemory):
    """A board that counts how often it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def latest_since(self, pos: int) -> list[LatestRecord]:
        self.looks += 1
        return super().latest_since(pos)

    def position(self) -> int:
        self.looks += 1
        return super().position()


@pytest.fixture
def board(city: City) -> CountingBoard:
    made = CountingBoard()
    made.__dict__.update(sample_board(city).__dict__)
    return made


@pytest.fixture
def watch(board: CountingBoard, city: City, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(module, "_AWAKE_S", 0.6)
    return Watch(board, city, VirtualClock(NOW), exercise=False, report=lambda _: None)


def play(watch: Watch, scene: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        async with watch.running():
            await scene()

    asyncio.run(run())


async def asleep(board: CountingBoard) -> None:
    """Until it has not been looked at for a while."""
    end = time.monotonic() + 10
    while True:
        looks = board.looks
        await asyncio.sleep(3 * PERIOD_S)
        if board.looks == looks:
            return
        assert time.monotonic() < end, "the board is looked at although nobody asks"


async def value(watch: Watch, station: str = KATULAMPA) -> object:
    return (await watch.snapshot()).properties[station]["value"]


def test_nobody_asks_nobody_looks(watch: Watch, board: CountingBoard) -> None:
    async def scene() -> None:
        await asyncio.sleep(2 * PERIOD_S)  # once, so that there is something to show
        assert board.looks > 0
        looks = board.looks
        board.put(latest(KATULAMPA, 170, age_min=0))
        await asyncio.sleep(4 * PERIOD_S)
        assert board.looks == looks

    play(watch, scene)


def test_while_somebody_asks_it_looks_and_nobody_waits_for_it(watch: Watch, board: CountingBoard) -> None:
    async def scene() -> None:
        await watch.snapshot()
        looks = board.looks
        for _ in range(10):
            await watch.snapshot()
        assert board.looks == looks
        await asyncio.sleep(2 * PERIOD_S)
        assert board.looks > looks

    play(watch, scene)


def test_it_falls_asleep_again(watch: Watch, board: CountingBoard) -> None:
    async def scene() -> None:
        await watch.snapshot()
        await asleep(board)

    play(watch, scene)


def test_the_first_request_after_a_quiet_time_gets_the_present_state(
    watch: Watch, board: CountingBoard
) -> None:
    async def scene() -> None:
        assert await value(watch) == 160
        await asleep(board)
        board.put(latest(KATULAMPA, 171, age_min=0))
        assert await value(watch) == 171

    play(watch, scene)


def test_requests_that_come_together_after_a_quiet_time_all_get_the_present_state(
    watch: Watch, board: CountingBoard
) -> None:
    """A page asks for several resources at once: none of them may show what was so before the quiet time."""

    async def scene() -> None:
        await watch.snapshot()
        await asleep(board)
        board.put(latest(KATULAMPA, 171, age_min=0))
        assert await asyncio.gather(*(value(watch) for _ in range(4))) == [171] * 4

    play(watch, scene)


def test_a_change_shows_within_a_second_while_a_page_polls(watch: Watch, board: CountingBoard) -> None:
    async def scene() -> None:
        await watch.snapshot()
        board.put(latest(KATULAMPA, 172, age_min=0))
        began = time.monotonic()
        while await value(watch) != 172:
            assert time.monotonic() - began < 1
            await asyncio.sleep(0.02)

    play(watch, scene)


def test_changes_arrive_within_a_second_for_as_long_as_a_stream_is_open(
    watch: Watch, board: CountingBoard
) -> None:
    async def scene() -> None:
        await watch.snapshot()
        place = watch.changes.end
        for number in range(3):
            waiting = asyncio.create_task(watch.changes.wait(place))
            await asyncio.sleep(1.0)  # longer than a request keeps it awake
            board.put(latest(KATULAMPA, 173 + number, age_min=0))
            await asyncio.wait_for(waiting, 1)
            read = watch.changes.read(place)
            assert read is not None
            found, place = read
            assert [f'"value":{173 + number}' in change.data for change in found] == [True]

    play(watch, scene)


def test_a_stream_that_ended_lets_it_sleep(watch: Watch, board: CountingBoard) -> None:
    async def scene() -> None:
        await watch.snapshot()
        waiting = asyncio.create_task(watch.changes.wait(watch.changes.end))
        await asyncio.sleep(1.0)
        waiting.cancel()
        await asleep(board)

    play(watch, scene)


def test_while_the_board_is_away_it_is_tried_although_nobody_asks(watch: Watch, board: CountingBoard) -> None:
    """Its failing is told to the operators, so its end must be found too."""

    async def scene() -> None:
        await watch.snapshot()
        board.away = True
        end = time.monotonic() + 2
        while not watch.failing:
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        await asyncio.sleep(1.0)
        board.away = False
        while watch.failing:
            assert time.monotonic() < end + 3
            await asyncio.sleep(0.02)

    play(watch, scene)
