"""The log of changes behind the stream."""

import asyncio

from status.changes import Change, Changes


def log(*ids: int, kept: int = 100, start: int = 0) -> Changes:
    changes = Changes(kept)
    changes.add([], start)
    for id in ids:  # noqa: A001
        changes.add([Change(id, "station", f"{id}")], id)
    return changes


def seen_by(changes: Changes, id: int) -> list[int] | None:
    place = changes.place_of(id)
    read = None if place is None else changes.read(place)
    return None if read is None else [change.id for change in read[0]]


def test_who_comes_back_gets_the_events_of_its_last_id_again_and_all_later_ones() -> None:
    assert seen_by(log(1, 2, 2, 3), 2) == [2, 2, 3]
    assert seen_by(log(1, 2, 2, 3), 3) == [3]
    assert seen_by(log(1, 2), 0) == [1, 2]


def test_who_was_away_for_longer_than_the_log_reaches_gets_everything_anew() -> None:
    changes = log(1, 2, 3, 4, 5, kept=3)
    assert seen_by(changes, 2) is None
    assert seen_by(changes, 3) == [3, 4, 5]
    changes = log(1, 2, 2, 3, kept=2)
    assert seen_by(changes, 2) is None, "one of its two events is gone"


def test_an_id_of_another_life_gets_everything_anew() -> None:
    assert seen_by(log(start=10), 9) is None
    assert seen_by(log(start=10), 11) is None
    assert seen_by(log(start=10), 10) == []
    assert Changes().place_of(0) is None


def test_a_reader_that_fell_out_of_the_log_is_told_so() -> None:
    changes = log(1, kept=2)
    place = changes.place_of(1)
    assert place is not None
    changes.add([Change(2, "station", ""), Change(3, "station", ""), Change(4, "station", "")], 4)
    assert changes.read(place) is None


def test_all_who_wait_are_woken_by_one_event() -> None:
    async def story() -> list[int]:
        changes = log(1)
        waiting = [asyncio.create_task(changes.wait(changes.end)) for _ in range(3)]
        await asyncio.sleep(0)
        changes.add([], 1)
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in waiting), "nothing happened yet"
        changes.add([Change(2, "alert", "")], 2)
        await asyncio.wait_for(asyncio.gather(*waiting), 1)
        return [changes.end]

    assert asyncio.run(story()) == [2]
