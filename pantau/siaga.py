"""Siaga: the published flood level, 4 (normal) down to 1 (disaster). Smaller is worse: never compare it with ``<``.

Code compares severities (0 normal .. 3 worst) and turns them into Siaga at the edge. The number is stable, the word is
not (one agency prints II as "kritis", another as "siaga"), so the words come from the city's ``city.toml``.
"""

from typing import Final

__all__ = ["SEVERITIES", "severity_of", "siaga_of"]

SEVERITIES: Final = (0, 1, 2, 3)


def siaga_of(severity: int) -> int:
    """Published level of a severity: 0 -> 4, 1 -> 3, 2 -> 2, 3 -> 1."""
    return 4 - severity


def severity_of(siaga: int) -> int:
    """Severity of a published level: 4 -> 0, 3 -> 1, 2 -> 2, 1 -> 3."""
    return 4 - siaga
