"""What formats know of former messages goes with the batch's transaction: a restart finds it as of the last commit."""

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from app.database import unit_of_work
from app.pipeline import Inputs
from ingest.format import Message
from pantau.city import Binding
from tests.ingest.test_sparkplug_b import _data, _message, _metric
from tests.virtual_service import CITY, T0, VirtualService, fresh_database, table_rows

ALIAS = 7
GROUP = Binding(
    "spBv1.0/Gauges/#", "sparkplug_b", {"group": "Gauges", "metrics": {"gw-1/post-7/Level": "batu-1"}}
)
TOWN = msgspec.structs.replace(CITY, bindings=(GROUP, *CITY.bindings))


def messages(number: int) -> list[Message]:
    """Births of a gateway and its device, then its levels by alias."""
    births = [
        _message("NBIRTH", _data(0, T0), T0),
        _message("DBIRTH", _data(1, T0, _metric(ALIAS, 50, T0, "Level")), T0),
    ]
    return births + [
        _message(
            "DDATA", _data((n + 2) % 256, T0 + n + 1, _metric(ALIAS, 50 + n % 5, T0 + n + 1)), T0 + n + 1
        )
        for n in range(number)
    ]


def inputs(service: VirtualService, sent: list[Message]) -> Inputs:
    batch = service.pipeline.decoder.decode(sent)
    assert batch.asks == []
    return Inputs(readings=list(batch.readings), refused=batch.refused, gone=batch.gone)


def lived(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    VirtualService(engine, city=TOWN).forwarder.turn()
    return table_rows(engine, "readings", "refused", "alerts", "format_states", without=["received_at"])


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return fresh_database(tmp_path / "pantau.db")


def expected(sent: list[Message]) -> dict[str, list[tuple[object, ...]]]:
    engine = fresh_database()
    service = VirtualService(engine, city=TOWN)
    service.clock.set(T0 + 60_000)
    for one in sent:
        service.pipeline.process(inputs(service, [one]))
    return lived(engine)


def test_a_restart_after_every_batch_changes_nothing(engine: Engine) -> None:
    sent = messages(40)
    for one in sent:
        service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
        service.pipeline.process(inputs(service, [one]))
    rows = lived(engine)
    assert rows == expected(sent)
    assert len(rows["readings"]) == 41
    assert rows["refused"] == []


def test_a_batch_that_was_decoded_and_not_committed_is_decoded_again(engine: Engine) -> None:
    sent = messages(40)
    for at in range(0, len(sent), 4):
        service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
        inputs(service, sent[at : at + 4])  # killed here
        service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
        service.pipeline.process(inputs(service, sent[at : at + 4]))
    assert lived(engine) == expected(sent)


def test_a_batch_that_was_committed_and_not_acknowledged_is_known(engine: Engine) -> None:
    sent = messages(40)
    for at in range(0, len(sent), 4):
        for _ in range(2):
            service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
            service.pipeline.process(inputs(service, sent[at : at + 4]))
    assert lived(engine) == expected(sent)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_commit_that_failed_is_tried_again_with_what_was_decoded(engine: Engine, restarted: bool) -> None:
    sent = messages(10)
    service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
    service.pipeline.process(inputs(service, sent[:3]))
    before = table_rows(engine, "format_states")
    again = inputs(service, sent[3:8])
    with unit_of_work(engine) as connection:
        connection.execute(text("ALTER TABLE latest RENAME TO elsewhere"))
    with pytest.raises(DBAPIError):
        service.pipeline.process(again)
    with unit_of_work(engine) as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO latest"))
    assert table_rows(engine, "format_states") == before
    if restarted:
        service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
        again = inputs(service, sent[3:8])
    service.pipeline.process(again)
    service.pipeline.process(inputs(service, sent[8:]))
    assert lived(engine) == expected(sent)


def test_a_message_that_gives_nothing_but_knowledge_is_committed_too(engine: Engine) -> None:
    service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
    sent = messages(1)
    service.pipeline.process(inputs(service, sent[:1]))
    assert service.pipeline.decoder.dump_changed() == {}
    assert {name for name, _ in table_rows(engine, "format_states")["format_states"]} == {
        f"sparkplug_b spBv1.0/Gauges/#\tGauges/gw-1/{part}" for part in ("births/", "count", "session")
    }


def test_a_batch_that_taught_nothing_writes_nothing(engine: Engine) -> None:
    service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
    service.read("awan-1", 20)
    assert service.process() == []
    assert table_rows(engine, "format_states")["format_states"] == []


def test_kept_bytes_of_another_version_are_a_fresh_start_and_are_forgotten(engine: Engine) -> None:
    service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
    service.pipeline.process(inputs(service, messages(1)))
    with unit_of_work(engine) as connection:
        connection.execute(text("UPDATE format_states SET body = x'9302c0c0' WHERE name LIKE '%count'"))
    service = VirtualService(engine, at=T0 + 60_000, city=TOWN)
    service.process()
    assert table_rows(engine, "format_states")["format_states"] == []
