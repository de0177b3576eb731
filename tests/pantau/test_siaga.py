"""Siaga and severity are two ways of counting one scale, in opposite directions."""

import pytest

from pantau.siaga import SEVERITIES, severity_of, siaga_of


@pytest.mark.parametrize(("severity", "siaga"), [(0, 4), (1, 3), (2, 2), (3, 1)])
def test_smaller_is_worse(severity: int, siaga: int) -> None:
    assert siaga_of(severity) == siaga
    assert severity_of(siaga) == severity


def test_all_severities_are_listed() -> None:
    assert SEVERITIES == (0, 1, 2, 3)
