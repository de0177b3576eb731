"""What every detector keeps, whoever wrote it; a new file in ``models/detectors`` is tested without a line more."""

import math
import re
from collections.abc import Callable

import msgspec
import pytest

from models.detector import Detector
from pantau.event import Score
from pantau.ladder import Ladder
from tests.detector_bench import KINDS, MIN, T0, Runner, judged_kinds, subjects, tide

Series = list[tuple[int, float]]

EVERY = [pytest.param(d, id=name) for name, d in subjects().items()]
CASES = [
    pytest.param(d, kind, id=f"{name}-{kind}") for name, d in subjects().items() for kind in judged_kinds(d)
]


def _every(minutes: float, values: list[float]) -> Series:
    return [(T0 + round(step * minutes * MIN), value) for step, value in enumerate(values)]


SERIES: dict[str, Series] = {
    "calm": tide(1),
    "constant": _every(10, [7.0] * 100),
    "zero": _every(10, [0.0] * 100),
    "huge": _every(10, [1e300, -1e300, 1.7e308, -1.7e308, 0.0, 1e-300] * 8),
    "negative": [(at, -value) for at, value in tide(0.5)],
    "flood": _every(
        10, [50.0 + 30 * step for step in range(40)] + [1200.0 - 20 * step for step in range(60)]
    ),
    "irregular": [(T0 + step * step * 7_001 + step, 40.0 + step % 7) for step in range(1, 150)],
    "fast": _every(0.001, [float(step % 5) for step in range(100)]),
    "gaps": _every(600, [10.0, 500.0, 20.0, 30.0] * 30),
    "weeks": [(at, max(0.0, 40 * math.sin(at / 13_751_000)) ** 2) for at, _ in tide(28, every_ms=180 * MIN)],
}
BY_SERIES = [pytest.param(series, id=name) for name, series in SERIES.items()]


def test_detectors_are_found_by_their_folder() -> None:
    assert {"rate_of_rise", "silent", "surge", "forest"} <= subjects().keys()


@pytest.mark.parametrize("detector", EVERY)
def test_it_describes_itself(detector: Detector) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", detector.name)
    assert detector.version
    assert detector.lane in {"fast", "slow"}
    assert detector.kinds <= KINDS.keys()
    assert isinstance(detector.ladder, Ladder)
    limits = [limit for limit in detector.ladder.limits if limit is not None]
    assert limits, "a score that leads to no severity can open no alert"
    assert limits == sorted(limits)
    assert all(0 < limit <= 1 for limit in limits)
    assert detector.ladder.deadband < limits[0], "else an alert could never end"


@pytest.mark.parametrize("series", BY_SERIES)
@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_scores_lie_between_0_and_1_and_have_a_reason(detector: Detector, kind: str, series: Series) -> None:
    first = next(limit for limit in detector.ladder.limits if limit is not None)
    for score in Runner(detector, kind).run(series):
        if score is None:
            continue
        assert 0.0 <= score.score <= 1.0
        assert score.detector == detector.name
        assert score.version.split("+")[0] == detector.version
        assert score.shadow == detector.shadow
        assert (score.station, score.sensor) == ("uji-1", "main")
        if score.score >= first:
            assert re.search(r"\d", score.reason), "a person needs the numbers"


@pytest.mark.parametrize("series", BY_SERIES)
@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_the_same_readings_give_the_same_scores(detector: Detector, kind: str, series: Series) -> None:
    assert _bytes(Runner(detector, kind).run(series)) == _bytes(Runner(detector, kind).run(series))


@pytest.mark.parametrize("series", BY_SERIES)
@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_a_restart_anywhere_changes_no_later_score(detector: Detector, kind: str, series: Series) -> None:
    undisturbed, restarted = Runner(detector, kind), Runner(detector, kind)
    for index, reading in enumerate(series):
        if index % 17 == 5:
            restarted.reload()
        assert _bytes(restarted.run([reading])) == _bytes(undisturbed.run([reading]))
    assert detector.dump(restarted.state) == detector.dump(undisturbed.state)


@pytest.mark.parametrize("series", BY_SERIES)
@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_the_future_changes_no_earlier_score(detector: Detector, kind: str, series: Series) -> None:
    half = len(series) // 2
    whole = Runner(detector, kind).run(series)
    part = Runner(detector, kind).run(series[:half])
    assert _bytes(whole[: len(part)]) == _bytes(part)


@pytest.mark.parametrize("series", BY_SERIES)
@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_the_state_stays_small(detector: Detector, kind: str, series: Series) -> None:
    runner = Runner(detector, kind)
    runner.run(series)
    assert len(detector.dump(runner.state)) <= (500 if detector.lane == "fast" else 8_000)


@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_a_batch_gives_what_its_readings_give_one_by_one(detector: Detector, kind: str) -> None:
    from models.detector import Sample
    from pantau.reading import Reading

    def batch(runner: Runner) -> list[Sample]:
        readings = [Reading("uji-1", kind, value, at, at) for at, value in tide(1)]
        return [Sample(reading, runner.track, False, runner.state) for reading in readings]

    together, single = Runner(detector, kind), Runner(detector, kind)
    answers = detector.score(batch(together))
    assert len(answers) == len(tide(1))
    assert _bytes(answers) == _bytes([detector.score([sample])[0] for sample in batch(single)])
    assert detector.score([]) == []


@pytest.mark.parametrize(("detector", "kind"), CASES)
@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"\xff" * 40, b"\x93\x01", b"{}", bytes(1_540), b"\xff" * 1_544]
)
def test_strange_bytes_give_no_state_or_one_that_works(detector: Detector, kind: str, body: bytes) -> None:
    runner = Runner(detector, kind)
    state = detector.load(detector.version, body, runner.station, runner.kind)
    if state is not None:
        runner.state = state
        runner.run(SERIES["flood"])


@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_another_version_gives_no_state_or_one_brought_up_to_date(detector: Detector, kind: str) -> None:
    runner = Runner(detector, kind)
    runner.run(SERIES["calm"])
    state = detector.load("0-of-long-ago", detector.dump(runner.state), runner.station, runner.kind)
    if state is not None:
        runner.state = state
        runner.run(SERIES["flood"])


@pytest.mark.parametrize(("detector", "kind"), CASES)
def test_a_sensor_that_never_reported_is_never_alerted(detector: Detector, kind: str) -> None:
    runner = Runner(detector, kind)
    assert detector.due(runner.state) is None
    assert runner.tick(T0 + 10**12) is None


def _bytes(scores: list[Score | None]) -> bytes:
    encode: Callable[[object], bytes] = msgspec.msgpack.encode
    return encode(scores)
