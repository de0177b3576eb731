"""The detector that forecasts: through the slow lane, on an invented river of three posts."""

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from structlog.testing import capture_logs

from models.detectors.forecast import DETECTOR, ForecastDetector
from models.forecaster import Models
from models.lane import SlowLane
from models.loaded import Loaded
from models.recent import Recent
from pantau.city import FAR_FUTURE, FAR_PAST, City, DatedLadder, Link
from pantau.event import Score
from pantau.ladder import Ladder
from pantau.outlook import Outlook
from pantau.reading import Reading
from pantau.station import Station
from tests.detector_bench import MIN, T0, city_of

HOUR = 60 * MIN
LADDERS = {
    "hulu": Ladder(limits=(80.0, 150.0, 200.0), deadband=5.0),
    "tengah": Ladder(limits=(200.0, 270.0, 350.0), deadband=5.0),
    "hilir": Ladder(limits=(750.0, 850.0, 950.0), deadband=5.0),
}
CALM = {"hulu": 20.0, "tengah": 90.0, "hilir": 600.0, "sepi": 10.0}


def river() -> City:
    """Hulu -> 3 to 3.5 h -> tengah -> 6 to 7 h -> hilir, and sepi beside it."""
    stations = [
        Station(id=name, name=f"Pos {name.title()}", kind="water_level", hazard="flood", group="kali")
        for name in CALM
    ]
    return replace(
        city_of(*stations),
        links=(Link("hulu", "tengah", 180, 210), Link("tengah", "hilir", 360, 420)),
        ladders={name: (DatedLadder(FAR_PAST, FAR_FUTURE, ladder),) for name, ladder in LADDERS.items()},
    )


CITY = river()


class River:
    """A slow lane with this detector alone, fed by hand."""

    def __init__(self, detector: ForecastDetector = DETECTOR, city: City = CITY) -> None:
        self.detector, self.city = detector, city
        self.lane = SlowLane(city, {detector.name: detector})
        self.at = T0
        self.scores: list[Score] = []
        self.kept: dict[tuple[str, str, str], tuple[str, str, str, str, bytes]] = {}

    def read(self, levels: Mapping[str, float], pending: Sequence[str] = ()) -> list[Score]:
        """Readings of one instant; ten minutes later than before."""
        self.at += 10 * MIN
        given = [
            (Reading(name, "water_level", value, self.at, self.at), name in pending)
            for name, value in levels.items()
        ]
        told = self.lane.take(given, self.at, T0)
        self.scores += told
        return told

    def calm(self, hours: float = 6, **levels: float) -> None:
        """The river as it is on an ordinary day."""
        for _ in range(round(hours * 6)):
            self.read({**CALM, **levels})

    def restart(self) -> None:
        """Put all states away and take them back into a new lane."""
        self.kept |= {row[:3]: row for row in self.lane.dump_changed()}
        self.lane = SlowLane(self.city, {self.detector.name: self.detector})
        assert self.lane.restore(self.kept.values()) == []

    def of(self, station: str) -> list[Score]:
        """What was told about a station."""
        return [score for score in self.scores if score.station == station]


def last(scores: list[Score], station: str) -> Score:
    return [score for score in scores if score.station == station][-1]


def outlook_of(score: Score) -> Outlook:
    assert score.outlook is not None
    return score.outlook


# --- what is told ---------------------------------------------------------------------------------------------------


def test_a_flood_upstream_is_forecast_hours_before_it_arrives_with_limit_time_chance_and_source() -> None:
    kali = River()
    kali.calm()
    assert {score.score for score in kali.scores} == {0.0}
    kali.read(CALM | {"hulu": 100.0})
    told: list[Score] = []
    for _ in range(4):
        told = kali.read(CALM | {"hulu": 160.0})
    score = last(told, "tengah")
    assert score.score == 0.5
    assert score.reason.isascii()
    found = outlook_of(score)
    assert (found.model, found.issued_at, found.value) == ("travel_time", kali.at, 90.0)
    assert [crossing.severity for crossing in found.crossings] == [1, 2, 3]
    assert found.crossings[1].probability >= 0.5
    expected_at = found.crossings[1].expected_at
    assert expected_at is not None
    assert 2.5 * HOUR < expected_at - kali.at < 4 * HOUR
    assert score.reason.startswith("270 cm (Siaga 2) expected about ")
    assert "Pos Hulu at 160 cm" in score.reason


def test_every_station_with_water_on_its_way_is_forecast_and_no_other() -> None:
    kali = River()
    kali.calm(1)
    assert {score.station for score in kali.scores} == {"tengah", "hilir"}
    found = outlook_of(kali.of("hilir")[-1])
    assert [step.at - found.issued_at for step in found.steps] == [hour * HOUR for hour in range(1, 10)]
    assert [step.at - found.issued_at for step in outlook_of(kali.of("tengah")[-1]).steps][-1] == 4 * HOUR


def test_two_posts_further_up_count_before_their_water_is_at_the_next_one() -> None:
    kali = River()
    kali.calm()
    told: list[Score] = []
    for _ in range(4):
        told = kali.read(CALM | {"hulu": 210.0})
    assert "Pos Hulu at 210 cm" in last(told, "hilir").reason
    assert last(told, "hilir").score >= 0.25


def test_without_a_city_nothing_is_forecast() -> None:
    assert DETECTOR.score([]) == []
    lane_city = city_of(*CITY.stations.values())
    kali = River(city=lane_city)
    kali.calm(1)
    assert kali.scores == []


def gaps(kali: River, rows: int, minutes: int, rise: float = 0.0) -> list[int]:
    """Minutes between the outlooks of tengah, which is read so often and rises by so much each time."""
    for row in range(rows):
        kali.at += minutes * MIN - 10 * MIN
        kali.read(CALM | {"tengah": CALM["tengah"] + rise * row})
    times = [score.at for score in kali.of("tengah")]
    return [(later - sooner) // MIN for sooner, later in pairwise(times)]


def test_outlooks_come_every_ten_minutes_at_most_while_a_gauge_moves() -> None:
    found = gaps(River(), 20, 3, rise=2.0)
    assert set(found) == {12}
    assert len(found) == 4


def test_a_calm_gauge_where_nothing_moves_has_a_new_outlook_every_twenty_minutes() -> None:
    assert set(gaps(River(), 36, 10)) <= {10, 20}, "ten minutes where bands are to learn from one"
    assert max(gaps(River(), 60, 3)) == 24, (
        "the first that is judged after twenty minutes: of bursts it is every second"
    )
    assert set(gaps(River(), 6, 60)) == {60}


@pytest.mark.parametrize(("moved", "level"), [("hulu", 22.0), ("hulu", 18.0), ("tengah", 92.0)])
def test_the_first_reading_after_anybody_has_moved_has_an_outlook_at_once(moved: str, level: float) -> None:
    still, moving = River(), River()
    for each in (still, moving):
        each.calm()
        while "tengah" not in {score.station for score in each.read(CALM)}:
            pass
    assert "tengah" not in {score.station for score in still.read(CALM)}
    assert "tengah" in {score.station for score in moving.read(CALM | {moved: level})}


def test_a_gauge_near_or_above_a_limit_has_an_outlook_each_ten_minutes_though_nothing_moves() -> None:
    for tengah, hulu in ((190.0, 20.0), (360.0, 20.0), (90.0, 160.0)):
        kali = River()
        kali.calm(2, tengah=tengah, hulu=hulu)
        times = [score.at for score in kali.of("tengah")]
        assert {(later - sooner) // MIN for sooner, later in pairwise(times)} == {10}


# --- how it ends ----------------------------------------------------------------------------------------------------


def flooded() -> River:
    """Siaga 2 is forecast for tengah."""
    kali = River()
    kali.calm()
    told: list[Score] = []
    for _ in range(4):
        told = kali.read(CALM | {"hulu": 160.0})
    assert last(told, "tengah").score == 0.5
    return kali


def test_it_ends_when_it_is_overtaken_and_at_once() -> None:
    kali = flooded()
    for level in (120.0, 160.0, 199.0):
        assert last(kali.read(CALM | {"hulu": 160.0, "tengah": level}), "tengah").score == 0.5
    assert last(kali.read(CALM | {"hulu": 160.0, "tengah": 230.0}), "tengah").score == 0.5, "Siaga 3 is not 2"
    kali.at -= 4 * MIN  # sooner than the next outlook would come
    told = last(kali.read(CALM | {"hulu": 160.0, "tengah": 271.0}), "tengah")
    assert told.score == 0.0
    assert told.reason == "reached: 271 cm is Siaga 2 or worse now"


def test_a_level_that_only_just_left_its_limit_is_not_forecast_again_while_its_alert_stands() -> None:
    kali = flooded()
    kali.read(CALM | {"hulu": 160.0, "tengah": 275.0})
    told = last(kali.read(CALM | {"hulu": 160.0, "tengah": 268.0}), "tengah")
    assert told.score == 0.0


def test_it_is_withdrawn_when_it_is_not_likely_any_more_and_not_at_the_first_doubt() -> None:
    kali = flooded()
    scores = []
    for step in range(30):
        hulu = max(20.0, 160.0 - 4 * step)
        scores.append(last(kali.read(CALM | {"hulu": hulu}), "tengah"))
    chances = [
        next(c.probability for c in outlook_of(s).crossings if c.severity == 2) if s.score == 0.5 else None
        for s in scores
    ]
    kept = [chance for chance in chances if chance is not None]
    assert min(kept) < 0.5, "it stays below the cut for a while"
    assert min(kept) >= 0.3
    ended = next(score for score in scores if score.score < 0.5)
    assert ended.score in {0.0, 0.25}
    kali.calm(8)
    assert kali.of("tengah")[-1].score == 0.0
    [withdrawn] = [score for score in kali.of("tengah") if score.reason.startswith("withdrawn")]
    assert " % only" in withdrawn.reason


def test_a_gauge_that_falls_silent_ends_its_forecast_with_its_horizon_and_says_that_nobody_knows() -> None:
    kali = flooded()
    due = kali.lane.next_due()
    assert due == kali.at + 4 * HOUR
    [told] = [score for score in kali.lane.ticks(due, T0) if score.station == "tengah"]
    assert (told.score, told.outlook) == (0.0, None)
    assert "the level is not known" in told.reason


# --- what is not believed -------------------------------------------------------------------------------------------


def test_a_typing_error_upstream_moves_no_forecast() -> None:
    kali = River()
    kali.calm()
    before = last(kali.scores, "tengah").score
    kali.read(CALM | {"hulu": 320.0}, pending=["hulu"])
    for _ in range(6):
        kali.read(CALM)
    assert {score.score for score in kali.scores} == {before} == {0.0}
    middles = {round(step.middle) for step in outlook_of(last(kali.scores, "tengah")).steps}
    assert middles == {90}


def test_a_jump_that_its_successor_stands_by_counts_from_then_on() -> None:
    kali = River()
    kali.calm()
    assert [s.station for s in kali.read(CALM | {"hulu": 210.0}, pending=["hulu"])] == ["tengah", "hilir"]
    assert last(kali.scores, "tengah").score == 0.0
    assert last(kali.read(CALM | {"hulu": 205.0}), "tengah").score == 0.75


def test_a_jump_of_the_gauge_itself_is_held_back_unless_water_from_upstream_explains_it() -> None:
    kali = River()
    kali.calm()
    assert "tengah" not in {s.station for s in kali.read(CALM | {"tengah": 180.0}, pending=["tengah"])}
    expected = River()
    expected.calm()
    for _ in range(19):
        expected.read(CALM | {"hulu": 160.0})
    assert "tengah" in {
        s.station for s in expected.read(CALM | {"hulu": 160.0, "tengah": 180.0}, pending=["tengah"])
    }


def test_only_the_main_sensor_is_forecast() -> None:
    kali = River()
    kali.calm(2)
    count = len(kali.scores)
    kali.at += 10 * MIN
    told = kali.lane.take(
        [(Reading("tengah", "water_level", 300.0, kali.at, kali.at, "radar"), False)], kali.at, T0
    )
    assert told == []
    assert len(kali.scores) == count


# --- state ----------------------------------------------------------------------------------------------------------

WATER = st.lists(
    st.tuples(
        st.sampled_from(["hulu", "tengah", "hilir"]), st.integers(0, 400), st.sampled_from([1, 5, 10, 30, 200]),
        st.booleans(),
    ),
    max_size=40,
)  # fmt: skip


def play(kali: River, rows: list[tuple[str, int, int, bool]], *, restarts: bool = False) -> list[bytes]:
    told = []
    for index, (station, level, minutes, pending) in enumerate(rows):
        kali.at += minutes * MIN - 10 * MIN
        value = float(level + (500 if station == "hilir" else 0))
        told.append(msgspec.msgpack.encode(kali.read({station: value}, pending=[station] if pending else ())))
        if restarts and index % 5 == 2:
            kali.restart()
    return told


@settings(max_examples=60)
@given(WATER)
def test_a_restart_anywhere_changes_no_later_forecast(rows: list[tuple[str, int, int, bool]]) -> None:
    assert play(River(), rows, restarts=True) == play(River(), rows)


@settings(max_examples=60)
@given(WATER, st.integers(0, 39))
def test_no_later_reading_of_any_station_changes_an_earlier_forecast(
    rows: list[tuple[str, int, int, bool]], cut: int
) -> None:
    assert play(River(), rows)[:cut] == play(River(), rows[:cut])


@settings(max_examples=40)
@given(WATER)
def test_a_score_is_one_of_four_above_what_is_in_force_and_every_band_is_in_order(
    rows: list[tuple[str, int, int, bool]],
) -> None:
    kali = River()
    play(kali, rows)
    for score in kali.scores:
        assert score.score in {0.0, 0.25, 0.5, 0.75}
        if score.outlook is None:
            continue
        ladder = LADDERS[score.station]
        assert not score.score or score.score > 0.25 * ladder.severity_at(score.outlook.value)
        for step in score.outlook.steps:
            assert step.low <= step.middle <= step.high
            assert step.at > score.outlook.issued_at


def test_a_full_state_with_nine_hours_of_leads_stays_below_eight_kilobytes() -> None:
    kali = River()
    for step in range(12 * 30):
        kali.at += 5 * MIN - 10 * MIN
        kali.read({name: level + 0.1 * (step % 97) + 1 / 3 for name, level in CALM.items()})
    bodies = [len(body) for _, _, name, _, body in kali.lane.dump_changed() if name == "forecast"]
    assert 4_000 < max(bodies) < 8_000


def test_margins_begin_anew_when_the_links_have_changed_and_levels_stay() -> None:
    kali = River()
    kali.calm()
    rows = kali.lane.dump_changed()
    links = (Link("hulu", "tengah", 30, 40),)
    lane = SlowLane(replace(CITY, links=links), {"forecast": DETECTOR})
    assert lane.restore(rows) == []
    at = kali.at + 10 * MIN
    [told] = lane.take([(Reading("tengah", "water_level", 90.0, at, at), False)], at, T0)
    assert [step.at - at for step in outlook_of(told).steps] == [number * 15 * MIN for number in range(1, 5)]


# --- trained models -------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    at: int
    lead_ms: int
    low: float
    middle: float
    high: float
    reach: tuple[float, ...]
    within: tuple[float, ...]


class Prediction(NamedTuple):
    issued_at: int
    value: float
    rising: bool
    steps: tuple[Step, ...]
    degraded: str = ""

    def expected_at(self, limit: float) -> int | None:
        return None


class Decision(NamedTuple):
    open: float
    close: float
    horizon: int = 1


class InvertedModel:
    """Says what it was told to say: stands for a trained model, whose numbers are tested elsewhere."""

    upstream = ("hulu",)
    limits = (200.0, 270.0)
    leads_ms = (HOUR, 2 * HOUR)
    decisions = (Decision(0.8, 0.6), Decision(0.15, 0.1))

    def __init__(self, within: tuple[float, float] = (0.3, 0.2), steps: int = 2, fails: bool = False) -> None:
        self.within, self.steps, self.fails = within, steps, fails
        self.saw: list[tuple[Recent, dict[str, Recent]]] = []

    def predict(self, own: Recent, upstream: dict[str, Recent], at: int) -> Prediction:
        self.saw.append((own, dict(upstream)))
        if self.fails:
            raise ZeroDivisionError
        steps = tuple(
            Step(at + lead, lead, 95.0, 100.0, 120.0, (0.1, 0.0), self.within)
            for lead in self.leads_ms[: self.steps]
        )
        return Prediction(at, own.values[-1], False, steps)


class CardOfTests(NamedTuple):
    version: str = "abc123"


def trained(model: InvertedModel, **more: Any) -> ForecastDetector:
    detector = ForecastDetector()
    detector._models = Models({"tengah": Loaded(CardOfTests(), model)}, {}, **more)  # type: ignore[arg-type]
    return detector


def test_a_trained_model_speaks_for_its_gauge_with_its_own_cuts_and_limits() -> None:
    model = InvertedModel()
    kali = River(trained(model))
    kali.calm(1)
    score = kali.of("tengah")[-1]
    found = outlook_of(score)
    assert (found.model, found.version, found.degraded) == ("trained", "abc123", "")
    assert [(c.severity, c.limit, c.probability) for c in found.crossings][:2] == [
        (1, 200.0, 0.3),
        (2, 270.0, 0.2),
    ]
    assert score.score == 0.5, "0.2 reaches the cut of Siaga 2, 0.3 does not reach that of Siaga 3"
    assert score.version == "1+trained-abc123"
    assert model.saw[-1][1].keys() == {"hulu"}
    assert outlook_of(kali.of("hilir")[-1]).model == "travel_time"


def test_a_higher_limit_is_never_likelier_than_a_lower_one_whatever_the_model_says() -> None:
    kali = River(trained(InvertedModel(within=(0.2, 0.4))))
    kali.calm(1)
    found = outlook_of(kali.of("tengah")[-1]).crossings
    assert [crossing.probability for crossing in found][:2] == [0.2, 0.2]


def test_its_bands_follow_its_own_errors_also_across_a_restart() -> None:
    kali, restarted = River(trained(InvertedModel())), River(trained(InvertedModel()))
    for each in (kali, restarted):
        each.calm(60, tengah=150.0)
    restarted.restart()
    for each in (kali, restarted):
        each.calm(3, tengah=150.0)
    assert outlook_of(kali.of("tengah")[-1]).steps[0].high > 120.0, "the level was always above the band"
    assert restarted.scores == kali.scores


def test_a_model_that_fails_gives_way_to_the_catalog_which_says_so_and_one_line_is_logged() -> None:
    kali = River(trained(InvertedModel(fails=True)))
    with capture_logs() as lines:
        kali.calm(2)
    found = outlook_of(kali.of("tengah")[-1])
    assert (found.model, found.degraded) == ("travel_time", "its trained model failed (ZeroDivisionError)")
    assert [line["event"] for line in lines] == ["forecast failed"]


def test_a_model_that_has_not_heard_enough_gives_way_to_the_catalog() -> None:
    kali = River(trained(InvertedModel(steps=0)))
    kali.calm(1)
    assert outlook_of(kali.of("tengah")[-1]).degraded == "its trained model has not heard enough yet"


def test_a_challenger_runs_in_shadow_and_only_where_it_has_a_model() -> None:
    rival = ForecastDetector("forecast_challenger", shadow=True)
    rival._models = trained(InvertedModel(), alone=True)._models
    kali = River(rival)
    kali.calm(1)
    assert {score.station for score in kali.scores} == {"tengah"}
    assert all(score.shadow for score in kali.scores)


def test_a_broken_artifact_degrades_to_the_catalog_with_one_line_that_names_it(tmp_path: Path) -> None:
    shelf = tmp_path / "models" / "forecast" / "tengah"
    (shelf / ("a" * 12)).mkdir(parents=True)
    (shelf / ("a" * 12) / "card.json").write_text(json.dumps({"version": 1}), encoding="utf-8")
    (shelf / "CURRENT").write_text("a" * 12 + "\n", encoding="ascii")
    detector = ForecastDetector()
    with capture_logs() as lines:
        detector.configure(tmp_path)
    assert [(line["event"], line["name"]) for line in lines] == [("artifact left out", "tengah")]
    kali = River(detector)
    kali.calm(1)
    assert outlook_of(kali.of("tengah")[-1]).degraded == "its trained model cannot be used (see the log)"
    assert outlook_of(kali.of("hilir")[-1]).degraded == ""


def test_without_artifacts_there_is_no_challenger(tmp_path: Path) -> None:
    detector = ForecastDetector()
    detector.configure(tmp_path)
    assert detector.challenger(tmp_path) is None


@pytest.mark.parametrize(
    "body", [b"", b"\x9a" + b"\x00" * 10, b"\xff" * 90, msgspec.msgpack.encode([[1], [], 1])]
)
def test_strange_bytes_are_no_state(body: bytes) -> None:
    mine = DETECTOR.of(CITY)
    station = CITY.stations["tengah"]
    assert mine.load("1", body, station, CITY.kinds["water_level"]) is None
    assert (
        mine.load(
            "0", mine.dump(mine.start(station, CITY.kinds["water_level"])), station, CITY.kinds["water_level"]
        )
        is None
    )
