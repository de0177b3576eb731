"""Drift through the whole pipeline: an alert about our data that ends when the readings are right again."""

import math
from pathlib import Path

from app.backtest import backtest
from models.artifact import Shelf
from models.baseline import baseline_of
from models.card import Card, Note
from models.detectors.drift import Drift
from pantau import cityfolder
from simulators.row import Recording, Row
from tests.detector_bench import MIN, T0

CITY = Path(__file__).parents[2] / "cities" / "contoh"
DAY = 86_400_000
A = "a" * 12


def four_hourly(first: int, days: int, low: float) -> list[tuple[int, float]]:
    """Six readings a day, from a low that scatters by one up by 15 cm and back."""
    return [
        (T0 + (first + day) * DAY + hour * 60 * MIN, low + day % 3 - 1 + 15 * math.sin(math.pi * hour / 24))
        for day in range(days)
        for hour in range(0, 24, 4)
    ]


def test_a_shifted_zero_is_an_alert_about_data_that_ends_with_it(tmp_path: Path) -> None:
    known = baseline_of(four_hourly(0, 365, 50))
    assert known is not None
    card = Card(
        version=A, family="forest", name="water_level", kind="water_level", estimator="E", features=("x",), data="0",
        start=0, end=1, stations={"awan-1": 1}, params={}, metrics={}, libraries={}, inputs={"awan-1": known},
    )  # fmt: skip
    shelf = Shelf(tmp_path / "models", "forest", "water_level")
    shelf.save(card, b"{}", "")
    shelf.promote(A, lambda stored: stored, Note(T0))
    drift = Drift()
    drift.configure(tmp_path)
    course = four_hourly(400, 20, 50) + four_hourly(420, 20, 62) + four_hourly(440, 40, 50)
    rows = [Row(at, "awan-1", "water_level", value) for at, value in course]
    found = list(backtest(Recording(name="invented", rows=rows), cityfolder.load(CITY), {"drift": drift}))
    assert [(one.hazard, one.cause, one.what, one.severity) for one in found] == [
        ("data", "drift", "raised", 1),
        ("data", "drift", "closed", 0),
    ]
    raised, closed = ((one.at - T0) / DAY for one in found)
    assert 420 < raised <= 434
    assert 440 < closed <= 455
    assert "lowest value of a day" in found[0].why["reason"]
    assert A in found[0].why["reason"]
