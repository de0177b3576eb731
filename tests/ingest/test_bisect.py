"""Bad readings are found by halving; when all are refused, the readings are not to blame."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.store.identity import EverythingRefusedError, bisect
from pantau.reading import Reading


def readings(count: int) -> list[Reading]:
    return [Reading("116", "water_level", float(n), n, n) for n in range(count)]


class Store:
    """Refuses every batch with one of these values in it."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.stored: list[int] = []
        self.attempts = 0

    def attempt(self, batch: Sequence[Reading]) -> str:
        self.attempts += 1
        values = [int(reading.value) for reading in batch]
        if self.bad & set(values):
            return "field type conflict"
        self.stored += values
        return ""


@given(count=st.integers(1, 200), bad=st.sets(st.integers(0, 199), max_size=12))
def test_exactly_the_bad_ones_are_refused(count: int, bad: set[int]) -> None:
    store = Store(bad)
    refused = bisect(readings(count), store.attempt)
    assert sorted(int(reading.value) for reading, _ in refused) == sorted(n for n in bad if n < count)
    assert sorted(store.stored) == [n for n in range(count) if n not in bad]


def test_a_server_that_refuses_everything_is_given_up_soon() -> None:
    store = Store(set(range(5000)))
    with pytest.raises(EverythingRefusedError, match="conflict"):
        bisect(readings(5000), store.attempt)
    assert store.attempts < 100


def test_a_few_bad_readings_alone_are_the_readings_fault() -> None:
    assert len(bisect(readings(15), Store(set(range(15))).attempt)) == 15
