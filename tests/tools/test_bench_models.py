"""The models' benchmark: what it plays, what it holds to be wrong, and that it says so."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from models.all import detectors
from models.detector import Detector, Sample
from models.detectors.novelty import Novelty
from pantau.event import Score
from tests.recordings import recordings
from tools.bench.figures import Figure, Found, told
from tools.bench.lane import Cost, Lane, Turn, merged, turns_of
from tools.bench.rivals import forest_alone, range_rule
from tools.bench.slowlane import slow_lane, wrong_scores
from tools.bench.town import DAY_MS, START, Plan, Town, invented, load_plan, recorded
from tools.bench.training import training

ROOT = Path(__file__).resolve().parents[2]
PLAN = load_plan(ROOT / "tools" / "bench_models.toml")
SHORT = Plan(days=3, cold_days=1, warm_days=1, recordings=[])
SPEAKERS = ("novelty", "forecast", "inflow", "place", "silent")
"""Those that have something to say within three days and without an artifact."""


@cache
def town() -> Town:
    return invented(SHORT, rivers=1, zones=3)


@cache
def turns() -> list[Turn]:
    return turns_of(town().city, town().readings)


def only(*stations: str) -> Town:
    """The town with the readings of some stations: less to play."""
    return town()._replace(readings=[one for one in town().readings if one.station in stations])


def chosen(*names: str) -> dict[str, Detector]:
    return {name: one for name, one in detectors().items() if name in names}


# --- what is played --------------------------------------------------------------------------------------------------


def test_an_invented_town_has_rivers_that_rise_and_crowds_at_their_own_cadences() -> None:
    kinds = {reading.kind for reading in town().readings}
    assert kinds == {"water_level", "crowd_count"}
    assert {station.cadence_ms for station in town().city.stations.values()} == {300_000, 600_000, 900_000}
    assert town().readings == sorted(town().readings, key=lambda reading: reading.observed_at)
    assert all(START <= reading.observed_at < START + 3 * DAY_MS for reading in town().readings)
    highest = max(reading.value for reading in town().readings if reading.station == "river-0-3")
    assert highest > 300
    assert town().trained == ("river-0-3",)
    assert [link.downstream for link in town().city.upstream("river-0-3")] == ["river-0-3"]


def test_nothing_of_the_measured_days_is_learnt_from() -> None:
    for series in town().history.values():
        assert all(one.index.max() < START + 2 * DAY_MS for one in series.values())


def test_recordings_stand_side_by_side_on_one_clock() -> None:
    found = recorded(PLAN, recordings())
    assert PLAN.days * DAY_MS > found.readings[-1].observed_at - START > (PLAN.days - 1) * DAY_MS
    assert found.readings[0].observed_at - START < DAY_MS
    assert {"water_level", "crowd_count"} == {reading.kind for reading in found.readings}
    assert set(found.trained) <= found.city.stations.keys()
    assert {link.upstream for link in found.city.links} <= found.city.stations.keys()
    assert all(found.city.upstream(name) for name in found.trained)
    whole = [station for station in found.city.stations.values() if station.capacity is not None]
    assert whole
    assert all(station.post for station in whole)


def test_every_reading_comes_once_in_batches_of_one_instant() -> None:
    heard = [reading for turn in turns() for reading, _ in turn.heard]
    assert len(heard) == len({(one.station, one.observed_at) for one in heard})
    assert len(heard) > 0.99 * len(town().readings)
    assert all(reading.observed_at == turn.at for turn in turns() for reading, _ in turn.heard)
    assert len(turns()) < len(heard)


def test_merged_batches_hold_the_same_readings_in_the_same_order() -> None:
    large = merged(turns(), 100)
    assert [one for turn in large for one in turn.heard] == [one for turn in turns() for one in turn.heard]
    assert all(100 <= len(turn.heard) < 120 for turn in large[:-1])


# --- what is measured ------------------------------------------------------------------------------------------------


def test_a_lane_counts_what_it_plays_and_goes_on_from_kept_states() -> None:
    first = Lane(town().city, chosen("novelty"))
    cost = first.play(turns()[:200])
    assert cost.readings == sum(len(turn.heard) for turn in turns()[:200])
    assert 0 < cost.us < 1e5
    kept, states = first.keep()
    assert kept.readings == len({row[:2] for row in states}) == len(town().city.stations)
    second = Lane(town().city, chosen("novelty"), states)
    before = len(first.told)
    first.play(turns()[200:300])
    second.play(turns()[200:300], size=1)
    assert second.refused == []
    assert second.told == first.told[before:] != []


def test_a_cost_is_told_in_microseconds_a_reading() -> None:
    assert Cost(0.5, 10_000).us == pytest.approx(50.0)
    assert Cost(0.0, 0).us == 0.0


def test_the_yardsticks_take_the_same_readings() -> None:
    readings = sum(len(turn.heard) for turn in turns())
    assert range_rule(turns()).readings == readings
    whole, single = forest_alone(turns()), forest_alone(turns()[-40:], 1)
    assert 0 < whole.readings < readings
    assert single.us > whole.us > range_rule(turns()).us
    assert forest_alone([], 1).readings == 0


# --- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_sound_lane_has_no_problem_and_a_figure_for_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    found = slow_lane(town(), SHORT, chosen(*SPEAKERS))
    assert found.problems == []
    words = [one.what for one in found.figures]
    assert len(words) == len(set(words)) == 12
    held = [one for one in found.figures if one.target == 60.0]
    assert len(held) == 6
    assert all(one.value > 0 and one.unit == "us" for one in held)
    assert {one.target for one in found.figures if "state of a sensor" in one.what} == {8_192}
    printed = capsys.readouterr().out
    assert "## slow lane, water_level: 4 sensors, 576 readings" in printed
    assert "| novelty |" in printed


class Broken(Novelty):
    """Novelty with something wrong in it."""

    name = "broken"

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.whole_batch = fault == "batch"
        self.calls = 0

    def score(self, samples: Sequence[Sample]) -> list[Score | None]:
        self.calls += 1
        answers = super().score(samples)
        if self.fault == "mute":
            return [None] * len(answers)
        if self.fault == "raises" and self.calls % 100 == 0:
            raise ZeroDivisionError
        if self.fault == "counts":
            return [self.moved(one, self.calls % 7 / 10) for one in answers]
        if self.fault == "batch":
            return [self.moved(one, len(answers) % 3 / 10) for one in answers]
        return answers

    @staticmethod
    def moved(answer: Score | None, by: float) -> Score | None:
        return None if answer is None else msgspec.structs.replace(answer, score=min(1.0, by))

    def dump(self, state: Any) -> bytes:
        return super().dump(state) + (b"\0" * 9_000 if self.fault == "fat" else b"")

    def load(self, version: str, body: bytes, *about: Any) -> Any:
        if self.fault == "forgets":
            return None
        return super().load(version, body.rstrip(b"\0") if self.fault == "fat" else body, *about)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("mute", "broken said nothing"),
        ("raises", "broken failed"),
        ("counts", "in batches: score"),
        ("batch", "one by one: score"),
        ("fat", "expected at most 8192"),
        ("forgets", "was refused"),
    ],
)
def test_what_is_wrong_with_a_detector_is_a_problem(fault: str, words: str) -> None:
    found = slow_lane(only("zone-1", "zone-2"), SHORT, {"broken": Broken(fault)})
    assert any(words in problem for problem in found.problems), found.problems


def test_a_trained_gauge_without_outlooks_is_a_problem() -> None:
    found = slow_lane(only("river-0-3"), SHORT, chosen("novelty"))
    assert found.problems == [
        "water_level: river-0-3: an outlook that was not out of date at 0 of 144 readings, expected at least 90%"
    ]


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_a_score_outside_its_bounds_is_a_problem(value: float) -> None:
    asked: Mapping[str, Detector] = chosen("novelty")
    scores = [Score("a", "main", "novelty", "1", 0, one, "") for one in (0.0, 1.0, value)]
    assert len(wrong_scores(scores, asked)) == 1
    assert wrong_scores(scores[:2], asked) == []


def test_a_problem_makes_the_exit_code_one_and_a_missed_target_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    missed = Figure("a", "1", "", 70.0, "us", 60.0)
    assert told([missed], []) == 0
    assert told([missed], ["states are wrong"] * 30) == 1
    printed = capsys.readouterr().out
    assert "| not met |" in printed
    assert printed.count("problem: states are wrong") == 20
    assert "... and 10 more" in printed


# --- training --------------------------------------------------------------------------------------------------------


def test_training_makes_live_models_of_every_gauge_and_kind(tmp_path: Path) -> None:
    plan = msgspec.structs.replace(SHORT, days=12)
    small = invented(plan, rivers=1, zones=1)
    found: Found = training(small, tmp_path)
    assert found.problems == []
    assert [(one.unit, one.target) for one in found.figures] == [("s", 2.0)]
    assert found.figures[0].value > 0
    live = sorted(str(path.relative_to(tmp_path).parent) for path in tmp_path.rglob("CURRENT"))
    assert live == ["models/forecast/river-0-3", "models/forest/crowd_count", "models/forest/water_level"]
