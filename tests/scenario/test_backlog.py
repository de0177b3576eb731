"""A gateway was cut off for hours and sends its backlog in one payload, in the middle of live messages.

The station was heard all the while by another way (its ten-minute values by SMS, say): otherwise its silence would be
an alert of its own, and a true one.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.pipeline import Inputs
from ingest.format import Message
from ingest.formats.native import encode, topic_of
from pantau.reading import Reading
from tests.virtual_service import CITY, MIN, T0, VirtualService, fresh_database, reading, table_rows

ITEMS = 10_000
CUT_OFF = T0 - ITEMS * 2_000
"""The backlog: a value every two seconds for five and a half hours, with a flood in it that is long over."""
HEARD = 12


def backlog(count: int = ITEMS) -> list[Reading]:
    flood = range(count // 4, count // 2)
    return [
        reading("awan-1", 500 if n in flood else 20 + n % 3, CUT_OFF + n * 2_000 + 1) for n in range(count)
    ]


def hear(service: VirtualService, *payloads: list[Reading]) -> None:
    """Messages that arrive together now, decoded and judged as one batch."""
    now = service.clock.now()
    messages = [Message(topic_of(CITY.id, items[0]), encode(*items), now) for items in payloads]
    batch = service.pipeline.decoder.decode(messages)
    assert batch.refused == []
    service.pipeline.process(Inputs(readings=batch.readings))
    service.turn_slow()
    while service.forwarder.turn():
        pass


def calm(engine: Engine) -> VirtualService:
    """A service that has heard a quiet river every ten minutes until now."""
    service = VirtualService(engine, at=T0 - HEARD * 10 * MIN)
    service.pipeline.listening_since = service.clock.now()
    for at in range(T0 - HEARD * 10 * MIN, T0 + 1, 10 * MIN):
        service.clock.set(at)
        hear(service, [reading("awan-1", 20, at)])
    service.clock.set(T0 + 10 * MIN)
    return service


def what_people_see(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    return table_rows(
        engine, "latest", "alerts", "transitions", "outbox", "refused", "conflicts", without=["pos"]
    )


def test_a_backlog_of_ten_thousand_is_stored_once_and_nobody_is_told_of_a_flood_that_is_over() -> None:
    engine, alone = fresh_database(), fresh_database()
    service, undisturbed = calm(engine), calm(alone)
    now = [reading("awan-1", 22, service.clock.now())]
    hear(undisturbed, now)
    hear(service, backlog(), now)
    assert what_people_see(engine) == what_people_see(alone)
    assert what_people_see(engine)["alerts"] == []
    stored = table_rows(engine, "readings")["readings"]
    assert len(stored) == ITEMS + HEARD + 2
    assert max(row[4] for row in stored) == 500

    hear(service, backlog())  # the acknowledgement was lost: it comes again
    assert table_rows(engine, "readings")["readings"] == stored
    assert what_people_see(engine) == what_people_see(alone)

    for each in (service, undisturbed):
        each.clock.set(each.clock.now() + 10 * MIN)
        hear(each, [reading("awan-1", 130, each.clock.now())])
        each.clock.set(each.clock.now() + 10 * MIN)
        hear(each, [reading("awan-1", 135, each.clock.now())])
    assert what_people_see(engine) == what_people_see(alone)
    assert what_people_see(engine)["alerts"] != []


@pytest.mark.parametrize("first", [True, False], ids=["backlog first", "live first"])
def test_in_which_order_backlog_and_live_message_arrive_makes_no_difference(first: bool) -> None:
    engine = fresh_database()
    service = calm(engine)
    now = [reading("awan-1", 22, service.clock.now())]
    late = backlog(2_000)
    hear(service, *((late, now) if first else (now, late)))
    [latest] = table_rows(engine, "latest")["latest"]
    assert (latest[3], latest[6]) == (22.0, T0 + 10 * MIN)
    assert table_rows(engine, "alerts", "outbox") == {"alerts": [], "outbox": []}


def test_a_backlog_that_ends_with_the_live_value_is_judged_by_its_newest_part_only() -> None:
    """A device that was cut off itself: its own backlog and its live value in one array, nothing known since."""
    engine = fresh_database()
    service = VirtualService(engine, at=CUT_OFF)
    service.pipeline.listening_since = CUT_OFF
    hear(service, [reading("awan-1", 20, CUT_OFF - 2_000)])
    service.clock.set(T0)
    hear(service, backlog())
    seen = what_people_see(engine)
    [latest] = seen["latest"]
    assert latest[6] == CUT_OFF + (ITEMS - 1) * 2_000 + 1
    hazards = {row[0]: row[1] for row in seen["alerts"]}
    assert {hazards[row[1]] for row in seen["outbox"]} <= {"data"}  # that it was silent is true
    assert "flood" in hazards.values()  # on the timeline, and told to nobody
    assert len(table_rows(engine, "readings")["readings"]) == ITEMS + 1


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(-500, -1), st.floats(0, 600)), min_size=1, max_size=60),
    st.lists(st.floats(0, 60), min_size=1, max_size=4),
)
def test_no_backlog_however_wild_moves_what_people_see(
    past: list[tuple[int, float]], values: list[float]
) -> None:
    engine, alone = fresh_database(), fresh_database()
    service, undisturbed = calm(engine), calm(alone)
    unique = {T0 + at * MIN - 1: value for at, value in past}
    late = [reading("awan-1", value, at) for at, value in unique.items()]
    for value in values:
        for each in (service, undisturbed):
            each.clock.set(each.clock.now() + 10 * MIN)
        now = [reading("awan-1", value, service.clock.now())]
        hear(service, late, now)
        hear(undisturbed, now)
    assert what_people_see(engine) == what_people_see(alone)
    assert len(table_rows(engine, "readings")["readings"]) == HEARD + 1 + len(late) + len(values)
