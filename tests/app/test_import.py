"""``pantau import``: history goes in once, whole, and moves nothing that lives."""

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from app.backfill import Backfill
from app.board import Board
from app.cli import make_cli
from app.clock import VirtualClock
from app.database import migrate, open_engine, unit_of_work
from ingest.history import HistoryReader
from ingest.rows import COLUMNS, Row, Table
from ingest.store.conflicts import latest_conflicts, note_conflicts
from ingest.store.embedded import EmbeddedStore
from ingest.store.memory import MemoryStore
from ingest.store.sift import sift
from pantau.errors import ConfigError, Unavailable
from pantau.reading import Reading
from status.api import create_app
from tests.fakes_board import HealthInMemory
from tests.status.client import running
from tests.virtual_service import CITY, MIN, T0, VirtualService, reading, table_rows

HEAD = "station,observed_at,value\n"


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'pantau.db'}", durable=False)
    migrate(engine)
    yield engine
    engine.dispose()


def bring(engine: Engine, *arguments: str | Path) -> Said:
    env = {"PANTAU_CITY": "cities/contoh", "PANTAU_DATABASE_URL": str(engine.url)}
    done = CliRunner().invoke(make_cli(), ["import", *map(str, arguments)], env=env)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Said(done.exit_code, done.stdout, done.stderr)


def written(tmp_path: Path, text: str, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def levels(count: int, first: float = 20) -> str:
    """One value a minute of awan-1."""
    return HEAD + "".join(f"awan-1,{T0 + n * MIN},{first + n % 7}\n" for n in range(count))


def stored(engine: Engine, station: str = "awan-1") -> list[tuple[int, float]]:
    found = EmbeddedStore(engine).read(station, CITY.stations[station].kind, start=0, end=T0 * 2)
    return [(r.observed_at - T0, r.value) for r in found]


def counts(said: Said, *names: str) -> list[int]:
    return [said.result[name] for name in names]


def test_a_file_is_stored_and_importing_it_again_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    file = written(tmp_path, levels(6000))
    first = bring(engine, file, "--json")
    assert (first.code, first.result["stations"]) == (0, 1)
    assert counts(first, "rows", "new", "unchanged", "replaced") == [6000, 6000, 0, 0]
    assert (first.result["from"], first.result["to"]) == (
        "2026-01-01T00:00:00.000Z",
        "2026-01-05T03:59:00.000Z",
    )
    before = table_rows(engine)
    again = bring(engine, file, "--json")
    assert counts(again, "rows", "new", "unchanged", "replaced") == [6000, 0, 6000, 0]
    assert table_rows(engine) == before
    assert len(before["readings"]) == 6000


def test_history_moves_no_live_value_and_raises_nothing(engine: Engine, tmp_path: Path) -> None:
    service = VirtualService(engine)
    for value in (20, 21, 22):
        service.clock.set(service.clock.now() + 10 * MIN)
        service.read("awan-1", value)
    service.turn_slow()
    service.forwarder.turn()
    before, states = table_rows(engine), service.states()
    flood = "".join(f"awan-1,{T0 + n * MIN},{400}\n" for n in range(-3000, 60) if n % 10)
    assert bring(engine, written(tmp_path, HEAD + flood)).code == 0
    service.clock.set(service.clock.now() + 5 * MIN)
    service.process()
    service.turn_slow()
    service.forwarder.turn()
    after = table_rows(engine)
    assert service.states() == states
    assert after.pop("readings") != before.pop("readings")
    assert after == before
    service.clock.set(service.clock.now() + 5 * MIN)
    service.read("awan-1", 23)
    assert table_rows(engine, "outbox", "alerts") == {"outbox": [], "alerts": []}


def test_another_value_replaces_the_stored_one_and_stands_on_the_list_once(
    engine: Engine, tmp_path: Path
) -> None:
    bring(engine, written(tmp_path, HEAD + f"awan-1,{T0},20\n"))
    other = written(tmp_path, HEAD + f"awan-1,{T0},25\n", "b.csv")
    assert counts(bring(engine, other, "--json"), "new", "replaced") == [0, 1]
    assert counts(bring(engine, other, "--json"), "replaced", "unchanged") == [0, 1]
    assert stored(engine) == [(0, 25.0)]
    with engine.connect() as connection:
        [conflict] = latest_conflicts(connection)
    assert (conflict.station, conflict.former, conflict.value) == ("awan-1", 20.0, 25.0)


def test_a_value_that_gave_way_does_not_come_back(engine: Engine, tmp_path: Path) -> None:
    both = written(tmp_path, HEAD + f"awan-1,{T0},20\nawan-1,{T0},25\nawan-1,{T0},20\n")
    first = bring(engine, both, "--json")
    assert counts(first, "rows", "new", "replaced", "superseded") == [3, 1, 1, 1]
    again = bring(engine, both, "--json")
    assert counts(again, "new", "replaced", "unchanged", "superseded") == [0, 0, 1, 2]
    assert stored(engine) == [(0, 25.0)]


def test_the_pipeline_takes_an_imported_value_for_a_redelivery(engine: Engine, tmp_path: Path) -> None:
    """A device's own late message after an import: the same value is left alone, another one is a conflict."""
    service = VirtualService(engine, at=T0 + 60 * MIN)
    service.read("awan-1", 20)
    bring(engine, written(tmp_path, HEAD + f"awan-1,{T0},20\nawan-1,{T0},25\nawan-1,{T0 + MIN},30\n"))
    for at, value in ((0, 20), (0, 25), (MIN, 31)):
        service.process(reading("awan-1", value, T0 + at, received_at=service.clock.now()))
        service.forwarder.turn()
    assert stored(engine)[:2] == [(0, 25.0), (MIN, 31.0)]
    with engine.connect() as connection:
        assert [(c.former, c.value) for c in latest_conflicts(connection)] == [(30.0, 31.0), (20.0, 25.0)]


def test_an_import_that_ended_between_noting_and_writing_is_finished_by_the_next(engine: Engine) -> None:
    store = EmbeddedStore(engine)
    store.write([Reading("awan-1", "water_level", 20.0, T0, T0)])
    new = Reading("awan-1", "water_level", 25.0, T0, T0)
    found = sift([new], store.existing([new]), {}, T0).found
    with unit_of_work(engine) as connection:
        note_conflicts(connection, found)
    work = backfill(engine, store)
    assert [tally.replaced for tally in work.take(rows((T0, 25.0)))] == [1]
    assert stored(engine) == [(0, 25.0)]


def rows(*values: tuple[int, float]) -> list[Row]:
    found = []
    for number, (at, value) in enumerate(values, start=2):
        given: dict[str, Any] = {"station": "awan-1", "observed_at": at, "value": value}
        found.append(Row(f"x.csv:{number}", [given.get(name) for name in COLUMNS]))
    return found


def backfill(engine: Engine, store: Any, **more: Any) -> Backfill:
    return Backfill(
        engine, store, HistoryReader(CITY, 2 * T0), **{"now": 2 * T0, "wait": lambda _: None, **more}
    )


class Shaky(MemoryStore):
    """Away as often as told, and never takes the value 13."""

    def __init__(self, away: int) -> None:
        super().__init__()
        self.away = away

    def write(self, readings: Sequence[Reading]) -> list[tuple[Reading, str]]:
        if self.away:
            self.away -= 1
            raise Unavailable("influxdb", "503", retry_after_s=7)
        super().write([r for r in readings if r.value != 13])
        return [(r, "no luck") for r in readings if r.value == 13]


def test_a_store_that_is_away_is_waited_for_as_long_as_it_asks(engine: Engine) -> None:
    store, waits = Shaky(3), list[float]()
    work = backfill(engine, store, wait=waits.append)
    assert [tally.new for tally in work.take(rows((T0, 1), (T0 + 1, 2)))] == [2]
    assert waits[:3] == [7, 7, 7]
    with pytest.raises(Unavailable):
        list(backfill(engine, Shaky(99)).take(rows((T0, 1))))


def test_a_row_that_the_store_refuses_is_refused_with_its_line(engine: Engine) -> None:
    refused: list[Any] = []
    work = backfill(engine, Shaky(0), refused=refused.append)
    [tally] = list(work.take(rows((T0, 1), (T0 + 1, 13), (T0 + 2, 3))))
    assert (tally.new, dict(tally.refused)) == (2, {"store_refused": 1})
    assert [(r.row.where, r.reason) for r in refused] == [("x.csv:3", "no luck")]


def test_what_is_older_than_the_store_keeps_is_counted_and_left_out(engine: Engine) -> None:
    store = MemoryStore()
    work = backfill(engine, store, oldest=T0)
    [tally] = list(work.take(rows((T0 - 1, 1), (T0, 2))))
    assert (tally.too_old, tally.new, len(store)) == (1, 1, 1)
    assert tally.first == T0 - 1


def test_good_rows_go_in_and_bad_ones_are_told_with_line_and_cure(engine: Engine, tmp_path: Path) -> None:
    lines = [
        f"awan-1,{T0},20", "nowhere,2026-01-01T00:01:00Z,20", "awan-1,2026-01-01T00:02:00,20",
        'awan-1,2026-01-01T00:03:00Z,"12,5"', "awan-1,2026-01-01T00:04:00Z,", "awan-1,2026-01-01T00:05:00Z",
        "awan-1,1767225600,20", f"awan-1,{T0 + MIN},21", "", "awan-1,2126-01-01T00:00:00Z,20",
    ]  # fmt: skip
    file = written(tmp_path, HEAD + "\n".join(lines) + "\n")
    said = bring(engine, file, "--json", "--rejects", tmp_path / "bad.csv")
    assert said.code == 1
    assert counts(said, "rows", "new", "without_value") == [9, 2, 1]
    assert said.result["refused"] == {
        "unknown_station": 1, "naive_time": 1, "bad_value": 1, "bad_row": 1, "bad_time": 1, "in_future": 1,
    }  # fmt: skip
    told = said.err.splitlines()
    for line, words in {
        3: "nowhere",
        4: "--timezone",
        5: "a point",
        7: "2 fields",
        8: "seconds",
        11: "time zone",
    }.items():
        assert any(text.startswith(f"{file}:{line}: ") and words in text for text in told), (line, words)
    with (tmp_path / "bad.csv").open(encoding="utf-8") as kept:
        bad = list(csv.DictReader(kept))
    assert [row["code"] for row in bad] == [
        "unknown_station", "naive_time", "bad_value", "bad_row", "bad_time", "in_future",
    ]  # fmt: skip
    assert bad[2]["value"] == "12,5"
    assert bad[2]["where"] == f"{file}:5"
    assert len(stored(engine)) == 2


def test_the_file_of_refused_rows_can_be_corrected_and_imported(engine: Engine, tmp_path: Path) -> None:
    file = written(tmp_path, "waktu;tma\n2026-01-01T07:00:00+07:00;x\n2026-01-01T07:01:00+07:00;20\n")
    bad = tmp_path / "bad.csv"
    options = ["--station", "Upper Awan", "--column", "waktu=observed_at", "--column", "tma=value"]
    assert bring(engine, file, *options, "--rejects", bad).code == 1
    bad.write_text(bad.read_text().replace(",x,", ",21.5,"))
    assert bring(engine, bad).code == 0
    assert stored(engine) == [(0, 21.5), (MIN, 20.0)]


def test_one_reason_is_told_once_however_often_it_comes(engine: Engine, tmp_path: Path) -> None:
    text = HEAD + f"nowhere,{T0},1\n" * 500 + "".join(f"awan-1,{T0},bad{n}\n" for n in range(100))
    said = bring(engine, written(tmp_path, text), "--json")
    assert said.result["refused"] == {"unknown_station": 500, "bad_value": 100}
    assert len(said.err.splitlines()) == 21
    assert "--rejects" in said.err.splitlines()[-1]


def test_a_dry_run_says_the_same_and_stores_nothing(engine: Engine, tmp_path: Path) -> None:
    bring(engine, written(tmp_path, HEAD + f"awan-1,{T0},20\nawan-1,{T0 + MIN},20\n"))
    file = written(
        tmp_path, HEAD + f"awan-1,{T0},20\nawan-1,{T0 + MIN},25\nawan-1,{T0 + 2 * MIN},20\n", "b.csv"
    )
    before = table_rows(engine)
    dry = bring(engine, file, "--dry-run", "--json")
    assert table_rows(engine) == before
    wet = bring(engine, file, "--json")
    assert dry.result | {"dry_run": False} == wet.result
    assert counts(wet, "new", "unchanged", "replaced") == [1, 1, 1]


def test_units_names_aliases_sensors_and_flags_are_taken_as_they_are_said(
    engine: Engine, tmp_path: Path
) -> None:
    text = (
        "station,sensor,kind,time,value,unit,flag,flag_reason,note\n"
        "Awan Weir,,,2026-01-01T00:00:00Z,1.23,m,,,x\n"
        "UPPER AWAN,b,water_level,2026-01-01T07:00:00+07:00,142.7,mm,3,doubtful,x\n"
        "awan-1,,,2026-01-01T00:01:00Z,9999,,1,,x\n"
        "awan-1,,rain,2026-01-01T00:02:00Z,1,,,,x\n"
    )
    said = bring(engine, written(tmp_path, text), "--json")
    assert said.result["refused"] == {"wrong_kind": 1}
    assert "left aside: note" in said.err
    found = EmbeddedStore(engine).read("awan-1", "water_level", start=0, end=T0 * 2)
    assert [(r.sensor, r.value, r.flag, r.reason) for r in found] == [
        ("b", 14.27, 3, "doubtful"),
        ("main", 123.0, 2, ""),
        ("main", 9999.0, 4, "9999 cm is outside 0 to 600 cm"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--column", "observed_at"], "expected NAME="),
        (["--column", "x=value"], "no column 'x'"),
        (["--column", "station=value"], "station missing"),
        (["--station", "nowhere"], "nowhere"),
        (["--timezone", "Asia/Nowhere"], "Asia/Makassar"),
        (["missing.csv"], "check the path"),
    ],
)
def test_a_wrong_option_is_told_before_anything_is_stored(
    engine: Engine, tmp_path: Path, arguments: list[str], words: str
) -> None:
    file = written(tmp_path, levels(3))
    with pytest.raises(ConfigError, match=words):
        bring(engine, file, *arguments)
    assert stored(engine) == []


def test_a_header_that_lacks_columns_says_which_and_what_to_do(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"a\.csv:1: column\(s\) station, value missing, found time, level; .*--station"
    ):
        bring(engine, written(tmp_path, "time,level\n"))


def test_parquet_with_every_way_to_say_an_instant(engine: Engine, tmp_path: Path) -> None:
    zoned = pd.to_datetime([T0, T0 + MIN], unit="ms", utc=True)
    ways = {
        "utc": zoned, "jakarta": zoned.tz_convert("Asia/Jakarta"), "naive": zoned.tz_localize(None),
        "ns": zoned.as_unit("ns"), "ms": [T0, T0 + MIN], "text": ["2026-01-01T00:00:00Z", "2026-01-01T08:01:00+08:00"],
    }  # fmt: skip
    for name, times in ways.items():
        path = tmp_path / f"{name}.parquet"
        frame = pd.DataFrame({"station": pd.Categorical(["awan-1"] * 2), "time": times, "value": [20, 21.5]})
        frame.to_parquet(path)
        options = ["--timezone", "UTC"] if name == "naive" else []
        said = bring(engine, path, "--json", *options)
        assert (said.code, said.result["refused"]) == (0, {}), name
        assert said.result["new"] + said.result["unchanged"] == 2
    assert stored(engine) == [(0, 20.0), (MIN, 21.5)]


def test_parquets_missing_values_are_no_readings_and_its_rows_have_numbers(
    engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "a.parquet"
    times = [T0 + n for n in range(4)]
    pd.DataFrame(
        {"station": "awan-1", "observed_at": times, "value": [1.0, None, float("inf"), 2.0]}
    ).to_parquet(path)
    said = bring(engine, path, "--json")
    assert counts(said, "new", "without_value") == [2, 1]
    assert f"{path}: row 3: value is inf" in said.err


def test_a_broken_parquet_file_is_an_error_in_words(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and nothing of the kind")
    with pytest.raises(ConfigError, match=r"a\.parquet: is not a Parquet file"):
        bring(engine, path)


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_what_the_api_exports_can_be_imported_elsewhere(engine: Engine, tmp_path: Path, format: str) -> None:
    source = EmbeddedStore(engine)
    readings = [
        reading("batu-2", -12.25 + n, T0 + n * 150_000, sensor="ab"[n % 2], flag=1 + n % 4, reason=why)
        for n in range(40)
        for why in ('a "b", c' if n % 4 else "",)
    ]
    source.write(readings)
    clock = VirtualClock(T0 + 10_000_000)
    with running(
        create_app(Board(engine, CITY, clock, source), CITY, clock, HealthInMemory(), exercise=False)
    ) as http:
        answer = http.get("/api/v1/stations/batu-2/readings", params={"format": format})
    path = tmp_path / f"out.{format}"
    path.write_bytes(answer.content)
    other = open_engine(f"sqlite:///{tmp_path / 'other.db'}", durable=False)
    assert bring(other, path, "--json").code == 0
    columns = ["station", "sensor", "kind", "observed_at", "value", "flag", "reason"]
    there = EmbeddedStore(other).read("batu-2", "water_level", start=0, end=2 * T0)
    here = source.read("batu-2", "water_level", start=0, end=2 * T0)
    assert [[getattr(r, c) for c in columns] for r in there] == [
        [getattr(r, c) for c in columns] for r in here
    ]
    other.dispose()


def test_a_long_file_needs_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    def peak(count: int, *, parquet: bool) -> int:
        path = tmp_path / f"{count}"
        if parquet:
            pd.read_csv(io.StringIO(levels(count))).to_parquet(path, row_group_size=10_000)
        else:
            path.write_text(levels(count))
        tracemalloc.start()
        assert sum(1 for _ in Table(path, {}).rows()) == count
        _, top = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return top

    for parquet in (False, True):
        peak(1000, parquet=parquet)
        assert peak(60_000, parquet=parquet) < 1.5 * peak(20_000, parquet=parquet)
