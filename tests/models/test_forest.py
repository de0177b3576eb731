"""The forest: silent without an artifact, never in the way at start, one call of the model a batch."""

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from models.all import configure, detectors
from models.artifact import Shelf
from models.detector import Sample
from models.detectors.forest import Forest
from models.families import Estimator
from models.features import WINDOW
from models.scale import Scale
from pantau.event import Score
from pantau.reading import Reading
from tests.detector_bench import MIN, T0, Runner, forest_data, subjects, tide


def _forest() -> Forest:
    found = subjects()["forest"]
    assert isinstance(found, Forest)
    return found


def _configured(data: Path) -> Forest:
    forest = Forest()
    forest.configure(data)
    return forest


def test_without_an_artifact_it_says_nothing(tmp_path: Path) -> None:
    assert not any(Runner(_configured(tmp_path)).run(tide(1)))
    assert not any(Runner(Forest()).run(tide(1)))


def test_it_opens_no_alert() -> None:
    assert _forest().shadow


def test_it_speaks_from_the_first_whole_window_on_and_names_the_artifact() -> None:
    answers = Runner(_forest()).run(tide(1))
    assert not any(answers[: WINDOW - 1])
    assert all(answers[WINDOW - 1 :])
    last = answers[-1]
    assert isinstance(last, Score)
    assert last.version == f"1+{Shelf(forest_data() / 'models', 'forest', 'water_level').current()}"
    assert last.shadow


def test_what_it_has_never_seen_scores_high_with_its_numbers() -> None:
    runner = Runner(_configured(forest_data(60)))
    calm = [answer.score for answer in runner.run(tide(2)) if answer]
    answer = runner.read(T0 + 2 * 86_400_000, 900.0)
    assert answer is not None
    assert answer.score == 1.0
    assert np.mean(np.array(calm) >= 0.5) < 0.05
    assert "off the median of 13 readings" in answer.reason


def test_after_a_gap_the_window_starts_anew() -> None:
    runner = Runner(_forest())
    runner.run(tide(1))
    later = T0 + 30 * 86_400_000
    assert not any(runner.run([(later + step * 10 * MIN, 100.0) for step in range(WINDOW - 1)]))
    assert runner.read(later + WINDOW * 10 * MIN, 100.0) is not None


def test_a_batch_of_many_sensors_is_one_call_of_the_model() -> None:
    """Milliseconds a call, whatever its size: one call for each reading could not keep up."""
    data = forest_data()
    forest = _configured(data)
    calls: list[int] = []

    class Counting:
        def __init__(self, model: Estimator) -> None:
            self.model = model

        def score_samples(self, rows: list[tuple[float, ...]]) -> object:
            calls.append(len(rows))
            return self.model.score_samples(rows)

    live = forest._live["water_level"]
    forest._live["water_level"] = type(live)(live.version, Counting(live.model), live.scale)
    runners = [Runner(forest) for _ in range(40)]
    for runner in runners:
        runner.state.at, runner.state.values = T0, [100.0] * (WINDOW - 1)
    at = T0 + 10 * MIN
    batch = [
        Sample(Reading(f"s{n}", "water_level", 100.0, at, at), runner.track, False, runner.state)
        for n, runner in enumerate(runners)
    ]
    assert all(forest.score(batch))
    assert calls == [40]


@pytest.mark.parametrize("file", ["model.skops", "card.json", "CURRENT"])
@pytest.mark.parametrize("body", [b"", b"\x00\xff" * 50, b"{}"])
def test_a_broken_artifact_is_left_out_and_the_others_serve(tmp_path: Path, file: str, body: bytes) -> None:
    data = tmp_path / "data"
    copytree(forest_data(), data)
    for path in (data / "models" / "forest" / "water_level").rglob(file):
        path.write_bytes(body)
    forest = _configured(data)
    assert not any(Runner(forest).run(tide(1)))
    assert any(Runner(forest, "rain").run(tide(1)))


def test_a_card_without_a_quantile_is_left_out(tmp_path: Path) -> None:
    copytree(forest_data(), tmp_path / "data")
    (path,) = (tmp_path / "data" / "models" / "forest" / "rain").rglob("card.json")
    card = json.loads(path.read_bytes())
    del card["quantiles"]["0.99"]
    path.write_bytes(json.dumps(card).encode())
    assert not any(Runner(_configured(tmp_path / "data"), "rain").run(tide(1)))


def test_the_data_folder_reaches_the_detectors_that_want_it() -> None:
    found = {**detectors(), "forest": Forest()}
    configure(found, forest_data())
    assert any(Runner(found["forest"]).run(tide(1)))


def test_the_scale_is_half_at_one_in_a_hundred_and_one_at_one_in_a_thousand() -> None:
    scale = Scale({"0.9": 0.5, "0.99": 0.6, "0.999": 0.8})
    raw = np.array([0.0, 0.5, 0.55, 0.6, 0.7, 0.8, 1.0])
    assert scale.of(raw).tolist() == pytest.approx([0, 0, 0.25, 0.5, 0.75, 1, 1])


def test_a_constant_history_still_gives_a_scale() -> None:
    scale = Scale({"0.9": 0.5, "0.99": 0.5, "0.999": 0.5})
    assert scale.of(np.array([0.5, 0.6])).tolist() == [0.0, 1.0]
