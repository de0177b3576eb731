"""A store that is opened late is opened once, by whoever asks first, and answers like the one behind it."""

import threading
from pathlib import Path

from app.database import create_tables, open_engine
from app.late import LateStore
from ingest.store.embedded import EmbeddedStore
from pantau.ports import ReadingStore
from tests.virtual_service import T0, reading


def test_it_is_opened_by_the_first_question_and_only_once(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'pantau.db'}")
    create_tables(engine)
    opened: list[str] = []

    def make() -> ReadingStore:
        opened.append(threading.current_thread().name)
        return EmbeddedStore(engine)

    store = LateStore(make)
    assert opened == []
    threads = [threading.Thread(target=store.kept_from, name="asks") for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == ["asks"]
    engine.dispose()


def test_it_hands_every_call_on(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'pantau.db'}")
    create_tables(engine)
    behind = EmbeddedStore(engine)
    store: ReadingStore = LateStore(lambda: behind)
    readings = [reading("awan-1", 20.0 + n, T0 + n * 60_000) for n in range(3)]
    assert store.write(readings) == []
    end = T0 + 3_600_000
    assert [one.value for one in store.read("awan-1", "water_level", start=T0, end=end, limit=2)] == [
        20.0,
        21.0,
    ]
    assert store.read("awan-1", "water_level", start=T0, end=end, sensor="b") == []
    assert store.existing(readings[:1]) == behind.existing(readings[:1]) != {}
    assert store.kept_from() == behind.kept_from()
    buckets = store.downsample("awan-1", "water_level", start=T0, end=end, every_ms=3_600_000)
    assert buckets == behind.downsample("awan-1", "water_level", start=T0, end=end, every_ms=3_600_000)
    assert buckets[0]["count"] == len(readings)
    engine.dispose()
