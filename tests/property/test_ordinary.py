"""The short way through quality control gives what the long way gives, flag by flag and memory by memory."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pantau.quality import Limits, Past, Revision, judge, takes_ordinary
from pantau.reading import Reading

MIN = 60_000
LIMITS = st.builds(
    Limits,
    low=st.just(-500.0),
    high=st.just(900.0),
    step=st.sampled_from([None, 40.0]),
    spike=st.sampled_from([None, 3.0, 15.0]),
    flat_ms=st.sampled_from([None, 30 * MIN]),
    flat_above=st.sampled_from([None, 10.0]),
    gap_ms=st.just(30 * MIN),
    unit=st.just("cm"),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([MIN, 10 * MIN, 30 * MIN, 31 * MIN]),
        st.sampled_from([0.0, 0.0, 0.0, 1.0, -1.0, 8.0, -8.0, 20.0, 41.0, -41.0, 300.0, 2000.0]),
        st.sampled_from(["device", "operator:ani"]),
        st.booleans(),
    ),
    max_size=40,
)


def reading(at: int, value: float, source: str, *, vouched: bool) -> Reading:
    return Reading("s", "water_level", value, at, at, source=source, vouched=vouched)


@given(limits=LIMITS, steps=STEPS, start=st.sampled_from([0.0, 50.0]))
def test_the_ordinary_reading_is_judged_as_the_long_way_would(
    limits: Limits, steps: list[tuple[int, float, str, bool]], start: float
) -> None:
    short, long = Past(), Past()
    at, value = 1_700_000_000_000, start
    for wait, change, source, vouched in steps:
        at += wait
        value += change
        one, other = (reading(at, value, source, vouched=vouched) for _ in range(2))
        found: tuple[bool, bool, list[Revision]] = (False, False, [])
        if not takes_ordinary(short, one, limits):
            found = judge(short, one, limits)
        assert found == judge(long, other, limits)
        assert one == other
        assert msgspec.msgpack.encode(short) == msgspec.msgpack.encode(long)
        value = min(max(value, -600.0), 1000.0)
