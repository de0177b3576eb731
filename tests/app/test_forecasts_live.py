"""Forecasts through the whole pipeline: alerts of their own, kept with their batch, printed by a backtest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from alerts.publish import public_alerts
from app.backtest import backtest, object_of
from app.board import Board
from ingest.store.embedded import EmbeddedStore
from ingest.store.forecasts import all_forecasts, forecast_of, upsert_forecasts
from models.all import detectors
from pantau import cityfolder
from pantau.city import City
from pantau.event import Score, Transition
from pantau.outlook import Outlook, OutlookStep
from simulators.flood_event import read_event
from tests.alerts import town
from tests.virtual_service import MIN, T0, VirtualService, fresh_database, reading, table_rows

ROOT = Path(__file__).parents[2]
KATULAMPA, DEPOK, MANGGARAI = "116", "118", "122"
HOUR = 60 * MIN


@pytest.fixture(scope="module")
def jakarta() -> City:
    return cityfolder.load(ROOT / "cities" / "jakarta")


@pytest.fixture(scope="module")
def flood(jakarta: City) -> list[Transition]:
    """The flood of January 2014, as agencies and the press printed it."""
    folder = ROOT / "cities" / "jakarta"
    recording = read_event(folder, jakarta, "2014-01-29..30", skip_unknown=True)
    return list(backtest(recording, jakarta, detectors()))


def of(flood: list[Transition], station: str, cause: str, **more: Any) -> list[Transition]:
    return [
        each
        for each in flood
        if (each.station, each.cause) == (station, cause)
        and all(getattr(each, name) == value for name, value in more.items())
    ]


@pytest.mark.parametrize(("severity", "hours"), [(1, 3), (2, 2), (3, 3)])
def test_a_recorded_flood_is_forecast_for_depok_hours_before_it_is_there(
    flood: list[Transition], severity: int, hours: float
) -> None:
    forecast = next(each for each in of(flood, DEPOK, "forecast", what="raised") if each.severity >= severity)
    level = next(each for each in of(flood, DEPOK, "level", what="raised") if each.severity >= severity)
    assert level.at - forecast.at >= hours * HOUR


def test_manggarai_hears_of_it_a_night_before(flood: list[Transition]) -> None:
    forecast = of(flood, MANGGARAI, "forecast", what="raised", severity=2)[0]
    level = of(flood, MANGGARAI, "level", what="raised", severity=2)[-1]
    assert level.at - forecast.at > 6 * HOUR


def test_a_forecast_alert_is_its_own_cause_confirmed_marked_and_ends_when_overtaken(
    flood: list[Transition], jakarta: City
) -> None:
    forecasts = [each for each in flood if each.cause == "forecast"]
    assert all(each.forecast and each.hazard == "flood" for each in forecasts)
    assert all(each.confirmed for each in forecasts)
    assert not any(each.forecast for each in flood if each.cause != "forecast")
    closed = of(flood, DEPOK, "forecast", what="closed")[0]
    reached = of(flood, DEPOK, "level", what="raised", severity=3)[0]
    assert closed.at == reached.at
    assert closed.why["ended"] == "reached"
    printed = object_of(of(flood, DEPOK, "forecast", what="raised")[0], jakarta)
    assert (printed["forecast"], printed["siaga"]) == (True, 3)


def test_a_forecasts_timeline_says_model_limit_chance_and_time(flood: list[Transition]) -> None:
    raised = of(flood, DEPOK, "forecast", what="raised", severity=2)[0]
    assert raised.why["model"] == "travel_time 1"
    assert raised.why["limit"] == 270.0
    assert 0.5 <= raised.why["probability"] <= 1
    assert raised.why["expected_at"].endswith("Z")
    assert "270 cm (Siaga 2) expected about" in raised.why["reason"]


def test_every_forecast_alert_that_was_opened_has_ended_or_stands_at_the_end(flood: list[Transition]) -> None:
    for station in {each.station for each in flood if each.cause == "forecast"}:
        standing = 0
        for each in of(flood, station, "forecast"):
            assert each.previous == standing
            standing = each.severity


# --- kept with its batch --------------------------------------------------------------------------------------------


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = fresh_database()
    yield engine
    engine.dispose()


def service_on(engine: Engine, jakarta: City, at: int = T0) -> VirtualService:
    found = VirtualService(engine, at=at, city=jakarta)
    found.pipeline.listening_since = found.pipeline.listening_since or T0
    return found


def evening(hours: float) -> list[dict[str, float]]:
    """Readings of each ten minutes: two calm hours, then Katulampa rises to 160 cm."""
    steps = []
    for step in range(round(hours * 6)):
        katulampa = 20.0 if step < 12 else min(160.0, 20.0 + 30 * (step - 11))
        steps.append({KATULAMPA: katulampa, DEPOK: 90.0 + (step % 3), MANGGARAI: 600.0})
    return steps


def take(service: VirtualService, levels: dict[str, float]) -> None:
    service.clock.set(service.clock.now() + 10 * MIN)
    at = service.clock.now()
    service.process(*[reading(name, value, at, city=service.city) for name, value in levels.items()])


def test_the_newest_forecast_of_each_station_is_kept(engine: Engine, jakarta: City) -> None:
    service = service_on(engine, jakarta)
    for levels in evening(3):
        take(service, levels)
        service.turn_slow()
    board = Board(engine, jakarta, service.clock, EmbeddedStore(engine))
    found = board.forecasts()
    assert {DEPOK, MANGGARAI} == found.keys()
    assert board.forecast(DEPOK) == found[DEPOK]
    assert found[DEPOK].issued_at == service.clock.now()
    assert board.forecast(KATULAMPA) is None
    assert [each.severity for each in service.log if each.cause == "forecast" and each.station == DEPOK]


def test_a_batch_that_fails_leaves_no_forecast_and_the_same_batch_makes_it_later(
    engine: Engine, jakarta: City
) -> None:
    service = service_on(engine, jakarta)
    for levels in evening(2.5):
        take(service, levels)
        service.turn_slow()
    for levels in evening(3)[15:]:
        take(service, levels)
    before = table_rows(engine, "forecasts", "transitions", "scores")
    with engine.begin() as connection:
        connection.execute(
            text("CREATE TRIGGER no BEFORE UPDATE ON forecasts BEGIN SELECT RAISE(ABORT, 'no'); END")
        )
    with pytest.raises(DBAPIError):
        service.turn_slow()
    assert table_rows(engine, "forecasts", "transitions", "scores") == before
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER no"))
    again = service_on(engine, jakarta, at=service.clock.now())
    again.turn_slow()
    assert table_rows(engine, "forecasts") != {"forecasts": before["forecasts"]}


@pytest.mark.parametrize("every", [1, 4, 7])
def test_killed_after_any_batch_forecasts_and_their_alerts_end_the_same(jakarta: City, every: int) -> None:
    calm, hit = fresh_database(), fresh_database()
    undisturbed, service = service_on(calm, jakarta), service_on(hit, jakarta)
    for index, levels in enumerate(evening(5)):
        take(undisturbed, levels)
        undisturbed.turn_slow(save=index % 3 == 0)
        take(service, levels)
        if index % every == 0:
            service = service_on(hit, jakarta, at=service.clock.now())
        service.turn_slow(save=index % 3 == 0)
        if index % every == 2:
            service = service_on(hit, jakarta, at=service.clock.now())
    names = ("forecasts", "alerts", "transitions", "scores")
    without = ("pos",)
    assert table_rows(hit, *names, without=without) == table_rows(calm, *names, without=without)
    assert table_rows(calm, "forecasts")["forecasts"]
    calm.dispose()
    hit.dispose()


def test_forecasts_of_a_backlog_are_told_to_nobody_until_they_hold_at_the_newest_reading(
    engine: Engine, jakarta: City
) -> None:
    service = service_on(engine, jakarta)
    rows = evening(4)
    start = service.clock.now()
    service.clock.set(start + 12 * HOUR)
    for index, levels in enumerate(rows):
        at = start + (index + 1) * 10 * MIN
        service.process(
            *[
                reading(name, value, at, city=jakarta, received_at=service.clock.now())
                for name, value in levels.items()
            ]
        )
        service.turn_slow()
    raised = [each for each in service.log if each.cause == "forecast" and each.what == "raised"]
    assert raised
    assert all(each.late for each in raised)


def test_a_row_of_another_release_is_no_forecast(engine: Engine) -> None:
    outlook = Outlook(T0, "travel_time", "1", 90.0, (OutlookStep(T0 + HOUR, 80.0, 90.0, 110.0),))
    with engine.begin() as connection:
        upsert_forecasts(connection, {"a": outlook, "b": outlook}, 1)
        upsert_forecasts(connection, {}, 2)
        connection.execute(text("UPDATE forecasts SET body = '{\"of\": \"tomorrow\"}' WHERE station = 'b'"))
        assert forecast_of(connection, "a") == outlook
        assert forecast_of(connection, "b") is None
        assert forecast_of(connection, "c") is None
        assert all_forecasts(connection) == {"a": outlook}


def test_an_outlook_on_trial_is_not_kept(engine: Engine, jakarta: City) -> None:
    service = service_on(engine, jakarta)
    outlook = Outlook(T0, "trained", "1", 90.0, (OutlookStep(T0 + HOUR, 80.0, 90.0, 110.0),))
    for shadow in (True, False):
        score = Score(DEPOK, "main", "forecast", "1", T0, 0.0, "", shadow, 90.0, outlook)
        service.process(scores=[score])
        assert len(table_rows(engine, "forecasts")["forecasts"]) == (0 if shadow else 1)


def test_of_two_equally_severe_alerts_the_observed_one_is_published_for_an_area() -> None:
    engine = town.fresh_engine()
    town.Life(engine, town.key_of("tengah", "level")).says(2)
    forecast = town.Life(engine, town.key_of("tengah", "forecast"))
    forecast.at += HOUR
    forecast.says(2)
    with engine.connect() as connection:
        told = [msgspec.json.decode(body) for _, body in public_alerts(connection, town.TOWN, -1)]
    assert told
    assert {(each["cause"], each["forecast"], each["severity"]) for each in told} == {("level", False, 2)}
    forecast.says(3)
    with engine.connect() as connection:
        told = [msgspec.json.decode(body) for _, body in public_alerts(connection, town.TOWN, -1)]
    assert {(each["cause"], each["forecast"], each["severity"]) for each in told} == {("forecast", True, 3)}
    engine.dispose()
