"""A flood season of the Ciliwung, replayed: every transition as it was when it was last reviewed.

The golden file holds transitions only, no values of the recording (its licence does not allow copying them). To renew
it after a change that is meant, run this file with PANTAU_GOLDEN=write and explain each changed line in the commit.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.backtest import backtest, object_of
from models.all import detectors
from pantau import cityfolder
from pantau.city import City
from pantau.event import Transition
from simulators.recording import read_recording
from simulators.row import Recording, Row
from tests.recordings import recordings

GOLDEN = Path(__file__).parents[1] / "cases" / "alerts" / "ciliwung_2022_2023.txt"
SEASON = (datetime(2022, 10, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def city() -> City:
    return cityfolder.load(Path(__file__).parents[2] / "cities" / "jakarta")


@pytest.fixture(scope="module")
def season(city: City) -> Recording:
    path = recordings() / "water_ciliwung" / "ciliwung_2021-10_2024-05.csv"
    first, last = (moment.timestamp() * 1000 for moment in SEASON)
    recording = read_recording(path, city)
    return replace(recording, rows=[row for row in recording.rows if first <= row.at < last])


@pytest.fixture(scope="module")
def transitions(city: City, season: Recording) -> list[Transition]:
    """All of the season's; the replay is half a minute, so it is done once."""
    return list(backtest(season, city, detectors()))


@pytest.fixture(scope="module")
def log(city: City, transitions: list[Transition]) -> list[str]:
    return list(lines(transitions, city))


def lines(transitions: list[Transition], city: City) -> Iterator[str]:
    for transition in transitions:
        told = object_of(transition, city)
        sure = "confirmed" if told["confirmed"] else "unconfirmed"
        yield (
            " ".join(
                str(told[name]) for name in ("at", "station", "hazard", "cause", "transition", "severity")
            )
            + f" {sure}"
        )


def test_the_season_gives_the_reviewed_alert_log(log: list[str]) -> None:
    text = "\n".join(log) + "\n"
    if os.environ.get("PANTAU_GOLDEN") == "write":
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def crossings(rows: list[Row], city: City) -> list[tuple[str, int]]:
    """Instants at which a station's level stands at Siaga 3 or worse for two readings after one below."""
    found = []
    for station in ("116", "118", "122"):
        mine = [row for row in rows if row.station == station]
        ladder = city.ladder_at(station, mine[0].at)
        assert ladder is not None
        high = [ladder.severity_at(row.value) > 0 for row in mine]
        found += [
            (station, mine[index].at)
            for index in range(1, len(mine) - 1)
            if high[index] and high[index + 1] and not high[index - 1]
        ]
    return found


def test_every_crossing_that_lasts_was_raised_when_it_happened_and_confirmed(
    season: Recording, city: City, transitions: list[Transition]
) -> None:
    raised: dict[str, list[int]] = {}
    open_since: dict[str, list[tuple[int, int]]] = {}
    confirmed: set[str] = set()
    spans: dict[str, tuple[str, int, int]] = {}
    for transition in transitions:
        if transition.cause != "level":
            continue
        start = spans.get(transition.alert, (transition.station, transition.at, 0))[1]
        spans[transition.alert] = (transition.station, start, transition.at)
        if transition.confirmed_severity > 0:
            confirmed.add(transition.alert)
        raised.setdefault(transition.station, []).append(transition.at)
    for alert in confirmed:
        station, start, end = spans[alert]
        open_since.setdefault(station, []).append((start, end))
    missed = [
        (station, at)
        for station, at in crossings(season.rows, city)
        if not any(start <= at <= end for start, end in open_since.get(station, []))
    ]
    assert missed == []
    assert len(crossings(season.rows, city)) > 30


def test_no_false_confirmed_raise_without_a_reading_at_its_limit_next_to_it(
    season: Recording, city: City, transitions: list[Transition]
) -> None:
    levels: dict[str, dict[int, float]] = {}
    for row in season.rows:
        levels.setdefault(row.station, {})[row.at] = row.value
    for transition in transitions:
        if transition.cause != "level" or transition.what != "confirmed":
            continue
        ladder = city.ladder_at(transition.station, transition.at)
        assert ladder is not None
        times = sorted(levels[transition.station])
        before = times[times.index(transition.at) - 1]
        reached = [ladder.severity_at(levels[transition.station][at]) for at in (before, transition.at)]
        assert min(reached) >= transition.confirmed_severity
