"""However messages are cut into batches, the store ends with the same: a revised flag brings no former value back."""

from itertools import product

import pytest

from ingest.store.memory import MemoryStore
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading

STATION = "awan-1"
LATE_CONFLICT = ((0, 60), (10, 300), (20, 301), (10, 7.5), (30, 302))
CONFLICT_BEFORE_ITS_JUDGEMENT = ((0, 60), (10, 300), (10, 303), (20, 301), (30, 302))


def stored(
    values: tuple[tuple[int, float], ...], cuts: tuple[bool, ...], *, forward: bool
) -> dict[int, float]:
    """Values by minute, when a batch ends behind each marked message, and is forwarded at once or at the end."""
    store = MemoryStore()
    service = VirtualService(fresh_database(), store=store, at=T0 + 60 * MIN)
    batch = []
    for (minute, value), cut in zip(values, (*cuts, True), strict=True):
        batch.append(reading(STATION, value, T0 + minute * MIN, received_at=service.clock.now()))
        if cut:
            service.process(*batch)
            batch = []
            if forward:
                service.forwarder.turn()
    service.forwarder.turn()
    found = store.read(STATION, CITY.stations[STATION].kind, start=0, end=T0 * 2)
    return {(one.observed_at - T0) // MIN: one.value for one in found}


@pytest.mark.parametrize("values", [LATE_CONFLICT, CONFLICT_BEFORE_ITS_JUDGEMENT])
@pytest.mark.parametrize("forward", [False, True])
def test_the_last_value_sent_for_an_instant_is_kept_however_batches_are_cut(
    values: tuple[tuple[int, float], ...], forward: bool
) -> None:
    last = dict(values)
    for cuts in product((False, True), repeat=len(values) - 1):
        assert stored(values, cuts, forward=forward) == last, cuts
