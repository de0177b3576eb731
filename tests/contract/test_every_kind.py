"""Every kind, found by itself: units that convert, a span that can hold values, words for people."""

from pathlib import Path

import pytest

from pantau import registry
from pantau.kind import Kind

KINDS: dict[str, Kind] = registry.find("pantau.kinds", "KIND", Kind, "name")
FILES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "pantau" / "kinds").glob("*.py") if path.stem[0] != "_"
)


def test_every_file_is_a_kind_of_its_own_name() -> None:
    assert set(FILES) <= set(KINDS)
    assert {"water_level", "crowd_count", "rain"} <= set(KINDS)


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_its_name_can_be_a_level_of_a_topic_and_a_measurement(kind: Kind) -> None:
    assert kind.name.isidentifier()
    assert kind.name == kind.name.lower()
    assert kind.name != "public"  # reserved in the topic tree


def test_its_own_unit_counts_once_and_every_other_has_a_factor(kind: Kind) -> None:
    assert kind.units[kind.unit] == 1.0
    assert all(factor > 0 for factor in kind.units.values())


def test_its_span_holds_values_and_its_checks_lie_inside(kind: Kind) -> None:
    assert kind.low < kind.high
    span = kind.high - kind.low
    assert all(0 < limit < span for limit in (kind.step, kind.spike) if limit is not None)
    assert kind.flat_h is None or kind.flat_h > 0
    assert kind.flat_above is None or kind.low <= kind.flat_above < kind.high
    assert kind.steady >= 0
    assert 0 <= kind.decimals <= 3


def test_people_can_read_it_in_both_languages(kind: Kind) -> None:
    assert {"id", "en"} <= set(kind.label)
    assert all(kind.label.values())


def test_only_what_can_be_published_on_the_siaga_scale_says_so() -> None:
    assert [name for name, kind in KINDS.items() if kind.siaga] == ["water_level"]
