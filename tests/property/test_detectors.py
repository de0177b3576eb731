"""Detectors on series nobody thought of."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector import Detector
from models.detectors.rate_of_rise import rise
from models.lane import SlowLane
from models.voice import Voice
from pantau.ladder import Ladder, Rung
from pantau.reading import Reading
from pantau.station import Station
from pantau.track import Track
from tests.detector_bench import MIN, T0, Runner, city_of, judged_kinds, subjects

CASES = [
    pytest.param(d, kind, id=f"{name}-{kind}") for name, d in subjects().items() for kind in judged_kinds(d)
]
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.floats(-500, 1500), st.integers(-5, 5).map(float)
)
steps = st.one_of(
    st.integers(1, 10_000), st.integers(MIN, 60 * MIN), st.integers(1, 400).map(lambda d: d * 3_600_000)
)
series = st.lists(st.tuples(steps, values), max_size=60)


def _dated(found: list[tuple[int, float]]) -> list[tuple[int, float]]:
    at, dated = T0, []
    for step, value in found:
        at += step
        dated.append((at, value))
    return dated


@pytest.mark.parametrize(("detector", "kind"), CASES)
@settings(max_examples=15)
@given(found=series, cut=st.integers(0, 60))
def test_any_finite_series_is_judged_and_survives_a_restart(
    detector: Detector, kind: str, found: list[tuple[int, float]], cut: int
) -> None:
    dated = _dated(found)
    whole, halved = Runner(detector, kind), Runner(detector, kind)
    expected = whole.run(dated)
    first = halved.run(dated[:cut])
    halved.reload()
    answers = first + halved.run(dated[cut:])
    assert msgspec.msgpack.encode(answers) == msgspec.msgpack.encode(expected)
    assert all(answer is None or 0.0 <= answer.score <= 1.0 for answer in answers)


@given(found=st.lists(st.tuples(st.integers(1, 40 * MIN), st.floats(-500, 1500)), min_size=1, max_size=30))
def test_a_water_that_only_falls_never_rises(found: list[tuple[int, float]]) -> None:
    track = Track()
    falling = sorted((value for _, value in found), reverse=True)
    for (at, _), value in zip(_dated(found), falling, strict=True):
        track.add(at, value)
        assert rise(track, value, at) == 0.0


@given(
    base=st.floats(-500, 500), height=st.floats(0, 900), more=st.floats(0, 500), minutes=st.integers(1, 180)
)
def test_a_higher_water_never_rises_less(base: float, height: float, more: float, minutes: int) -> None:
    track, at = Track([T0], [base]), T0 + minutes * MIN
    assert rise(track, base + height + more, at) >= rise(track, base + height, at)


@given(
    told=st.lists(st.tuples(st.integers(1, 90 * MIN), st.integers(0, 100)), max_size=60),
    hold=st.integers(0, 60),
)
def test_a_listener_who_hears_only_what_is_told_ends_where_one_does_who_hears_all(
    told: list[tuple[int, int]], hold: int
) -> None:
    ladder = Ladder(limits=(0.5, 0.8, None), deadband=0.2, hold_ms=hold * MIN)
    voice, everything, news = Voice(), Rung(), Rung()
    at = T0
    for step, hundredths in told:
        at += step
        everything.climb(ladder, hundredths / 100, at, pending=False)
        if voice.speaks(ladder, hundredths / 100, at, gap_ms=10**12):
            news.climb(ladder, hundredths / 100, at, pending=False)
        assert news.severity == everything.severity


STATIONS = [
    Station(id=f"s{n}", name=f"S{n}", kind=kind, hazard="flood", group=f"g{n}", cadence_ms=10 * MIN)
    for n, kind in enumerate(("water_level", "crowd_count", "rain"))
]


@settings(max_examples=40)
@given(
    found=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2), st.floats(0, 900)), max_size=60),
    cuts=st.sets(st.integers(0, 60)),
)
def test_scores_do_not_depend_on_where_a_batch_ends(
    found: list[tuple[int, int, float]], cuts: set[int]
) -> None:
    at, batch = T0, []
    for minutes, n, value in found:
        at += minutes * MIN + 1
        batch.append((Reading(STATIONS[n].id, STATIONS[n].kind, value, at, at), False))
    one, many = (SlowLane(city_of(*STATIONS), subjects()) for _ in range(2))
    together = one.take(batch, at, T0)
    edges = sorted({0, len(batch), *(cut for cut in cuts if cut < len(batch))})
    apart = []
    for start, end in pairwise(edges):
        apart += many.take(batch[start:end], at, T0)

    def by_detector(scores: list[object]) -> list[bytes]:
        return sorted(msgspec.msgpack.encode(score) for score in scores)

    assert by_detector(list(together)) == by_detector(list(apart))
    assert one.dump_changed() == many.dump_changed()
    assert not one.errors
