"""The catalog's travel times as a forecast: hand-made rivers, and what holds for every river."""

from math import exp

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from models.recent import Recent
from models.travel import Course, Knots, courses, leads, reaches, routes
from pantau.city import FAR_FUTURE, FAR_PAST, City, DatedLadder, Link
from pantau.ladder import Ladder
from pantau.station import Station
from tests.detector_bench import MIN, T0, city_of

HOUR = 60 * MIN
UPPER = Ladder(limits=(80.0, 150.0, 200.0))
LOWER = Ladder(limits=(200.0, 270.0, 350.0))


def river(*links: Link, ladders: dict[str, Ladder] | None = None) -> City:
    """A city whose gauges are the ends of these links; ``a`` lies above ``b``, which lies above ``c``."""
    names = sorted({end for link in links for end in (link.upstream, link.downstream)})
    stations = [
        Station(id=n, name=f"Pos {n}", kind="water_level", hazard="flood", group="g", cadence_ms=HOUR)
        for n in names
    ]
    dated = {name: (DatedLadder(FAR_PAST, FAR_FUTURE, ladder),) for name, ladder in (ladders or {}).items()}
    return replace(city_of(*stations), links=links, ladders=dated)


def levels(*values: float, until: int = T0, every: int = HOUR) -> Recent:
    """Readings up to an instant, the last of them then."""
    recent = Recent()
    for index, value in enumerate(values):
        recent.add(until - (len(values) - 1 - index) * every, value)
    return recent


def expected(upstream: Recent, own: Recent, lead_h: float, low: int = 180, high: int = 180) -> Course:
    """What a gauge below ``a`` is expected to do."""
    city = river(Link("a", "b", low, high), ladders={"a": UPPER, "b": LOWER})
    above = reaches(routes(city, "b"), city, {"a": upstream}, T0, 3)
    knots = Knots.of(LOWER, own, T0)
    assert knots is not None
    return courses(own.values[-1], knots, above, T0, (round(lead_h * HOUR),))[0]


# --- the catalog ----------------------------------------------------------------------------------------------------


def test_a_published_time_counts_and_a_post_without_one_gets_the_sum_along_the_way() -> None:
    city = river(Link("a", "b", 60, 90), Link("b", "c", 120, 180))
    assert routes(city, "c") == (("b", 120 * MIN, 180 * MIN), ("a", 180 * MIN, 270 * MIN))
    direct = river(Link("a", "b", 60, 90), Link("b", "c", 120, 180), Link("a", "c", 200, 400))
    assert {r.upstream: (r.low_ms, r.high_ms) for r in routes(direct, "c")}["a"] == (
        200 * MIN,
        400 * MIN,
    )


def test_of_two_ways_of_as_many_links_the_faster_counts() -> None:
    city = river(
        Link("a", "b", 60, 60), Link("b", "d", 60, 60), Link("a", "c", 90, 90), Link("c", "d", 90, 90)
    )
    assert {r.upstream: r.high_ms for r in routes(city, "d")}["a"] == 120 * MIN


def test_a_link_without_a_published_time_leads_nowhere_and_a_ring_ends() -> None:
    for low, high in ((None, None), (None, 60), (60, None)):
        assert routes(river(Link("a", "b", low, high)), "b") == ()
    ring = river(Link("a", "b", 60, 60), Link("b", "a", 60, 60))
    assert [route.upstream for route in routes(ring, "b")] == ["a"]


def test_water_that_needs_more_than_nine_hours_is_not_looked_at() -> None:
    assert routes(river(Link("a", "b", 541, 600)), "b") == ()
    assert [r.upstream for r in routes(river(Link("a", "b", 540, 700)), "b")] == ["a"]


@pytest.mark.parametrize(
    ("high_min", "grid_min", "count"),
    [(540, 60, 9), (700, 60, 9), (210, 60, 4), (180, 60, 3), (150, 30, 5), (80, 15, 6), (10, 15, 4)],
)
def test_leads_reach_as_far_as_water_can_be_seen_in_steps_that_fit(
    high_min: int, grid_min: int, count: int
) -> None:
    found = leads(routes(river(Link("a", "b", 5, high_min)), "b"))
    assert found == tuple(grid_min * MIN * number for number in range(1, count + 1))


def test_a_gauge_without_ways_has_no_leads() -> None:
    assert leads(()) == ()


# --- ladders as lines -----------------------------------------------------------------------------------------------


def test_between_limits_a_level_lies_where_its_severity_does() -> None:
    knots = Knots.of(UPPER, levels(20, 20, 20, 20), T0)
    assert knots is not None
    assert list(knots.levels) == [20, 80, 150, 200]
    assert [knots.position(v) for v in (0, 20, 50, 80, 115, 150, 200)] == [0, 0, 0.5, 1, 1.5, 2, 3]
    assert knots.spacing == 60
    assert knots.position(260) == 4
    assert knots.level(4) == 260


def test_partial_ladders_and_limits_of_zero_and_below_are_limits() -> None:
    knots = Knots.of(Ladder(limits=(-50.0, None, 45.0)), levels(-165, -165), T0)
    assert knots is not None
    assert list(knots.severities) == [0, 1, 3]
    assert knots.position(-2.5) == pytest.approx(2)
    assert Knots.of(Ladder(limits=(None, None, None)), levels(1), T0) is None


def test_a_gauge_that_has_been_high_for_a_day_still_has_a_base_below_its_first_limit() -> None:
    knots = Knots.of(UPPER, levels(*[190.0] * 27), T0)
    assert knots is not None
    assert knots.levels[0] == 80 - 0.2 * 60


@given(
    st.lists(st.floats(-500, 500), min_size=1, max_size=20),
    st.lists(st.integers(-200, 900), min_size=1, max_size=3, unique=True),
    st.floats(0, 6),
)
def test_a_level_and_its_severity_lead_back_to_each_other(
    values: list[float], limits: list[int], position: float
) -> None:
    padded = (*sorted(float(limit) for limit in limits), None, None)[:3]
    knots = Knots.of(Ladder(limits=padded), levels(*values), T0)  # type: ignore[arg-type]
    assert knots is not None
    assert knots.position(knots.level(position)) == pytest.approx(position, abs=1e-6)


# --- what is expected -----------------------------------------------------------------------------------------------


def test_siaga_2_upstream_becomes_siaga_2_downstream_after_the_travel_time() -> None:
    found = expected(levels(20, 20, 20, 20, 20, 150), levels(*[90.0] * 6), 3)
    assert found.middle == pytest.approx(270)
    assert (found.source, found.moving) == ("a", True)
    assert found.at == T0 + 3 * HOUR


def test_before_the_travel_time_the_water_that_left_earlier_counts_and_is_trusted_in_proportion() -> None:
    upstream = levels(20, 20, 20, 80, 150, 150)  # an hour before the last: 150; two hours: 80
    own = levels(*[90.0] * 6)
    base_own = 90.0
    assert expected(upstream, own, 2).middle == pytest.approx(base_own + 2 / 3 * (270 - base_own))
    assert expected(upstream, own, 1).middle == pytest.approx(base_own + 1 / 3 * (200 - base_own))


def test_the_span_of_travel_times_is_the_band() -> None:
    upstream = levels(20, 20, 20, 80, 150, 200)
    found = expected(upstream, levels(*[90.0] * 6), 4, low=120, high=240)
    assert found.low == found.high == pytest.approx(350), "all of it is seen as it is now"
    found = expected(upstream, levels(*[90.0] * 6), 2, low=120, high=240)
    assert found.low == pytest.approx(200)
    assert found.high == pytest.approx(350)
    assert found.middle == pytest.approx((200 + 270 + 350) / 3, abs=4)


def test_later_than_the_travel_time_the_newest_water_upstream_stays() -> None:
    upstream, own = levels(20, 20, 20, 20, 20, 150), levels(*[90.0] * 6)
    assert expected(upstream, own, 8).middle == expected(upstream, own, 3).middle


def test_without_news_from_upstream_the_level_stays() -> None:
    own = levels(90, 90, 120, 160)
    for silent in (Recent(), levels(150, until=T0 - 12 * HOUR)):
        found = expected(silent, own, 3)
        assert (found.low, found.middle, found.high, found.source) == (160, 160, 160, "")


def test_own_water_runs_off_when_nothing_follows_from_upstream() -> None:
    own = levels(90, 90, 90, 90, 200)
    found = expected(levels(20, 20, 20, 20, 20), own, 6)
    assert found.middle == pytest.approx(90 + 110 * exp(-1))
    assert found.source == ""


def test_the_post_that_promises_most_counts() -> None:
    city = river(Link("a", "c", 60, 60), Link("b", "c", 60, 60), ladders={"a": UPPER, "b": UPPER, "c": LOWER})
    known = {"a": levels(20, 20, 20, 80), "b": levels(20, 20, 20, 150)}
    own = levels(90, 90, 90, 90)
    knots = Knots.of(LOWER, own, T0)
    assert knots is not None
    [found] = courses(90, knots, reaches(routes(city, "c"), city, known, T0, 3), T0, (HOUR,))
    assert found.middle == pytest.approx(270)
    assert found.source == "b"


def test_what_upstream_measures_after_the_forecast_is_not_looked_at() -> None:
    """On a restart the states upstream may be ahead of the reading that is judged again."""
    before = levels(20, 20, 20, 20, 50)
    after = levels(20, 20, 20, 20, 50)
    for step in range(1, 21):
        after.add(T0 + step * 10 * MIN, 200.0)
    own = levels(*[90.0] * 6)
    for lead in (1, 2, 3, 6):
        assert expected(after, own, lead) == expected(before, own, lead)


LEVELS = st.lists(st.floats(-50, 400), min_size=1, max_size=20)


@settings(max_examples=300)
@given(
    LEVELS, LEVELS, st.floats(0, 300), st.sampled_from([0.25, 1, 2, 3, 5, 9]), st.integers(0, 240), st.data()
)
def test_more_water_upstream_now_or_here_now_never_lowers_what_is_expected(
    up: list[float], here: list[float], more: float, lead: float, low: int, data: st.DataObject
) -> None:
    high = low + data.draw(st.sampled_from([0, 30, 180]))
    raised_up = [*up[:-1], up[-1] + more]
    # What is raised must not be what the base is counted from: else the whole river would only stand higher.
    assume(_quiet(up) == _quiet(raised_up))
    base = expected(levels(*up), levels(*here), lead, low, high)
    raised = expected(levels(*raised_up), levels(*here), lead, low, high)
    assert raised.middle >= base.middle - 1e-6
    assert raised.high >= base.high - 1e-6
    wetter = expected(levels(*up), levels(*here[:-1], here[-1] + more), lead, low, high)
    assert wetter.middle >= base.middle - 1e-6


def _quiet(values: list[float]) -> float:
    return sorted(values)[int(0.25 * (len(values) - 1))]


@settings(max_examples=300)
@given(
    LEVELS, LEVELS, st.sampled_from([0.25, 1, 2, 3, 5, 9]), st.integers(0, 240), st.sampled_from([0, 30, 180])
)
def test_low_middle_and_high_are_in_order(
    up: list[float], here: list[float], lead: float, low: int, more: int
) -> None:
    found = expected(levels(*up), levels(*here), lead, low, low + more)
    assert found.low <= found.middle <= found.high
