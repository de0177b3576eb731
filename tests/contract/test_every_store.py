"""What every reading store does, whatever it is made of: memory, SQLite, PostgreSQL, InfluxDB."""

import math
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine

from ingest.store.embedded import EmbeddedStore
from ingest.store.influx import InfluxStore
from ingest.store.memory import MemoryStore
from ingest.store.tables import metadata
from pantau.ports import ReadingStore
from pantau.reading import Flag, Reading
from tests.peers import Influx, Postgres, influxd, postgres

T0 = 1_767_322_800_000  # 2026-01-02T03:00:00Z
MINUTE = 60_000
HOUR = 60 * MINUTE

ODD_NAMES = [
    "main", "pintu air", "a,b", "a=b", "a\\b", "a\\", "\\", "a\\ b", "a\nb", "a\r\nb", "tab\there", "100%", "%0A", "%",
    '"', "a\"b'c", "kamera-é", "相机", "🌊", "a;b--", "${x}", "\u2028", "\x7f", "x" * 100,
    " lead", "trail ", "#", "true",
]  # fmt: skip


def reading(at: int = T0, value: float = 100.0, **more: object) -> Reading:
    fields = {
        "station": "116",
        "kind": "water_level",
        "received_at": at + 700,
        "flag": int(Flag.GOOD),
        **more,
    }
    return Reading(value=value, observed_at=at, **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="module")
def influx_server() -> Iterator[Influx]:
    with influxd() as server:
        yield server


def embedded(url: str) -> Iterator[ReadingStore]:
    engine = create_engine(url)
    metadata.create_all(engine)
    yield EmbeddedStore(engine)
    engine.dispose()


def memory(_request: pytest.FixtureRequest) -> Iterator[ReadingStore]:
    yield MemoryStore()


def sqlite(request: pytest.FixtureRequest) -> Iterator[ReadingStore]:
    yield from embedded(f"sqlite:///{request.getfixturevalue('tmp_path')}/pantau.db")


def postgresql(request: pytest.FixtureRequest) -> Iterator[ReadingStore]:
    yield from embedded(request.getfixturevalue("postgres_server").new_database())


def influx(request: pytest.FixtureRequest) -> Iterator[ReadingStore]:
    server: Influx = request.getfixturevalue("influx_server")
    store = InfluxStore(server.url, server.token, server.org, server.new_bucket(), "contoh")
    yield store
    store.close()


@pytest.fixture(
    params=[
        memory,
        sqlite,
        pytest.param(postgresql, marks=pytest.mark.real),
        pytest.param(influx, marks=pytest.mark.real),
    ]
)
def store(request: pytest.FixtureRequest) -> Iterator[ReadingStore]:
    make: Callable[[pytest.FixtureRequest], Iterator[ReadingStore]] = request.param
    yield from make(request)


def everything(store: ReadingStore, station: str = "116", kind: str = "water_level") -> list[Reading]:
    return store.read(station, kind, start=0, end=T0 + 1000 * HOUR)


def test_an_empty_store_answers_with_nothing(store: ReadingStore) -> None:
    assert store.write([]) == []
    assert everything(store) == []
    assert store.existing([reading()]) == {}
    assert store.existing([]) == {}
    assert store.downsample("116", "water_level", start=0, end=T0, every_ms=HOUR) == []


def test_what_is_written_is_read_back_field_by_field(store: ReadingStore) -> None:
    kept = reading(
        T0 + 7, -12.375, sensor="radar", flag=int(Flag.SUSPECT), reason='says "no", c:\\x, 100 % é'
    )
    assert store.write([kept]) == []
    assert everything(store) == [kept]


def test_fields_that_are_not_kept_come_back_as_defaults(store: ReadingStore) -> None:
    store.write([reading(seq=4, time_source="received", retained=True, source="operator:ani")])
    assert everything(store) == [reading()]


def test_writing_twice_stores_once(store: ReadingStore) -> None:
    store.write([reading(), reading()])
    store.write([reading()])
    assert everything(store) == [reading()]


def test_the_last_value_of_an_instant_wins_within_a_batch_and_after_it(store: ReadingStore) -> None:
    store.write([reading(value=1.0), reading(value=2.0)])
    assert [kept.value for kept in everything(store)] == [2.0]
    store.write([reading(value=3.0, received_at=T0 + 9)])
    assert [(kept.value, kept.received_at) for kept in everything(store)] == [(3.0, T0 + 9)]


def test_a_later_write_clears_flag_and_reason(store: ReadingStore) -> None:
    store.write([reading(flag=int(Flag.SUSPECT), reason="jump")])
    store.write([reading(flag=int(Flag.GOOD), reason="")])
    assert [(kept.flag, kept.reason) for kept in everything(store)] == [(Flag.GOOD, "")]


@pytest.mark.parametrize(
    "other",
    [{"station": "117"}, {"kind": "rain"}, {"sensor": "radar"}, {"at": T0 + 1}],
    ids=lambda other: next(iter(other)),
)
def test_readings_differ_by_station_kind_sensor_and_millisecond(
    store: ReadingStore, other: dict[str, object]
) -> None:
    first, second = reading(value=1.0), reading(**{"value": 2.0, **other})  # type: ignore[arg-type]
    store.write([first, second])
    found = everything(store, first.station, first.kind)
    found += [r for r in everything(store, second.station, second.kind) if r not in found]
    assert {(r.station, r.kind, r.sensor, r.observed_at): r.value for r in found} == {
        (r.station, r.kind, r.sensor, r.observed_at): r.value for r in (first, second)
    }


def test_the_start_is_inclusive_and_the_end_is_not(store: ReadingStore) -> None:
    store.write([reading(T0 + offset, float(offset)) for offset in range(5)])
    found = store.read("116", "water_level", start=T0 + 1, end=T0 + 3)
    assert [kept.value for kept in found] == [1.0, 2.0]
    assert store.read("116", "water_level", start=T0 + 3, end=T0 + 3) == []
    assert store.read("116", "water_level", start=T0 + 3, end=T0) == []


def test_history_is_oldest_first_then_by_sensor_up_to_the_limit(store: ReadingStore) -> None:
    store.write([reading(T0 + minute * MINUTE, float(minute), sensor=name)
                 for minute in (2, 0, 1) for name in ("b", "a", "main")])  # fmt: skip
    found = [(kept.observed_at - T0, kept.sensor) for kept in everything(store)]
    assert found == [(minute * MINUTE, name) for minute in range(3) for name in ("a", "b", "main")]
    limited = store.read("116", "water_level", start=0, end=T0 + HOUR, limit=4)
    assert [(kept.observed_at - T0, kept.sensor) for kept in limited] == found[:4]


def test_one_sensor_can_be_asked_for(store: ReadingStore) -> None:
    store.write([reading(sensor="a", value=1.0), reading(sensor="b", value=2.0)])
    found = store.read("116", "water_level", start=0, end=T0 + 1, sensor="b")
    assert [(kept.sensor, kept.value) for kept in found] == [("b", 2.0)]
    assert store.read("116", "water_level", start=0, end=T0 + 1, sensor="c") == []


def test_any_name_of_a_sensor_comes_back_as_it_was(store: ReadingStore) -> None:
    written = [reading(T0 + index, float(index), sensor=name) for index, name in enumerate(ODD_NAMES)]
    assert store.write(written) == []
    assert everything(store) == written
    for one in written:
        assert store.read("116", "water_level", start=0, end=T0 + HOUR, sensor=one.sensor) == [one]
    assert len(store.existing(written)) == len(written)


def test_any_name_of_a_station_comes_back_as_it_was(store: ReadingStore) -> None:
    for index, name in enumerate(ODD_NAMES):
        one = reading(T0 + index, float(index), station=name)
        assert store.write([one]) == []
        assert everything(store, name) == [one]


@pytest.mark.parametrize("value", [0.0, -0.5, -1e5, 1e-9, 123.456789012345, 1e15, 1.7e308, 5e-324, 1 / 3])
def test_values_keep_every_digit(store: ReadingStore, value: float) -> None:
    assert store.write([reading(value=value)]) == []
    assert everything(store)[0].value == value


def test_existing_tells_the_values_under_these_keys_only(store: ReadingStore) -> None:
    store.write([reading(T0 + minute * MINUTE, float(minute)) for minute in range(10)])
    store.write([reading(T0, 55.0, station="117"), reading(T0, 66.0, sensor="radar")])
    asked = [reading(T0, -1.0), reading(T0 + MINUTE, -1.0), reading(T0 + 1, -1.0), reading(T0, -1.0, kind="rain"),
             reading(T0, -1.0, station="118"), reading(T0, -1.0, station="117")]  # fmt: skip
    assert store.existing(asked) == {
        ("116", "main", "water_level", T0): 0.0,
        ("116", "main", "water_level", T0 + MINUTE): 1.0,
        ("117", "main", "water_level", T0): 55.0,
    }


def test_existing_takes_many_keys_of_many_stations_over_a_long_time(store: ReadingStore) -> None:
    written = [
        reading(T0 - day * 24 * HOUR, float(day), station=f"s{index}")
        for day in range(20)
        for index in range(60)
    ]
    store.write(written)
    assert set(store.existing(written).values()) == {float(day) for day in range(20)}
    assert len(store.existing(written)) == len(written)


def test_buckets_are_aligned_to_the_epoch_and_not_to_the_question(store: ReadingStore) -> None:
    store.write([reading(T0 + minute * MINUTE, float(minute)) for minute in range(0, 180, 10)])
    found = store.downsample(
        "116", "water_level", start=T0 + 30 * MINUTE, end=T0 + 150 * MINUTE, every_ms=HOUR
    )
    assert found == [
        {"at": T0, "min": 30.0, "mean": 40.0, "max": 50.0, "count": 3},
        {"at": T0 + HOUR, "min": 60.0, "mean": 85.0, "max": 110.0, "count": 6},
        {"at": T0 + 2 * HOUR, "min": 120.0, "mean": 130.0, "max": 140.0, "count": 3},
    ]


def test_buckets_leave_out_failed_readings_and_other_sensors(store: ReadingStore) -> None:
    store.write([
        reading(T0, 10.0), reading(T0 + 1, 20.0, flag=int(Flag.SUSPECT)), reading(T0 + 2, 9999.0, flag=int(Flag.FAIL)),
        reading(T0 + 3, 5000.0, sensor="radar"), reading(T0 + HOUR, 1.0, flag=int(Flag.FAIL)),
    ])  # fmt: skip
    found = store.downsample("116", "water_level", start=T0, end=T0 + 2 * HOUR, every_ms=HOUR)
    assert found == [{"at": T0, "min": 10.0, "mean": 15.0, "max": 20.0, "count": 2}]
    assert store.downsample("116", "water_level", start=T0 + HOUR, end=T0, every_ms=HOUR) == []


def test_buckets_without_readings_are_left_out(store: ReadingStore) -> None:
    store.write([reading(T0, 1.0), reading(T0 + 5 * HOUR, 2.0)])
    found = store.downsample("116", "water_level", start=T0, end=T0 + 6 * HOUR, every_ms=HOUR, sensor="main")
    assert [bucket["at"] for bucket in found] == [T0, T0 + 5 * HOUR]
    assert all(isinstance(bucket["count"], int) for bucket in found)


def test_a_large_batch_is_stored_whole(store: ReadingStore) -> None:
    written = [reading(T0 + index * 1000, math.sin(index), sensor=f"s{index % 7}") for index in range(12_000)]
    assert store.write(written) == []
    found = everything(store)
    assert len(found) == len(written)
    assert found == written
