"""A sample evening for the tests of status: the real city, one station in every state, alerts of every sort."""

from pathlib import Path

from pantau import cityfolder
from pantau.city import City
from pantau.reading import Reading
from pantau.record import AlertRecord, LatestRecord, ScoreRecord, TransitionRecord
from tests.fakes_board import BoardInMemory

NOW = 1_391_009_400_000
"""2014-01-29 22:30 WIB."""
MIN = 60_000
ROOT = Path(__file__).parents[2]

KATULAMPA, DEPOK, MANGGARAI, KARET = "116", "118", "122", "125"


def load_city() -> City:
    """Jakarta's folder."""
    return cityfolder.load(ROOT / "cities" / "jakarta")


def latest(
    station: str, value: float, *, age_min: float = 5, kind: str = "water_level", **more: object
) -> LatestRecord:
    """A latest record of sensor main, ``age_min`` before ``NOW``."""
    at = NOW - round(age_min * MIN)
    values: dict[str, object] = {
        "station": station, "sensor": "main", "kind": kind, "value": value, "flag": 1, "reason": "",
        "observed_at": at, "received_at": at + 500, "rate": 0.0, "severity": 0,
    }  # fmt: skip
    return LatestRecord(**{**values, **more})  # type: ignore[arg-type]


def alert(id: str, station: str, severity: int, **more: object) -> AlertRecord:
    """An open, confirmed level alert unless said otherwise."""
    values: dict[str, object] = {
        "id": id, "hazard": "flood", "cause": "level", "scope": station, "station": station,
        "state": "unacknowledged", "severity": severity, "confirmed": True, "confirmed_severity": severity,
        "worst": severity, "raised_at": NOW - 40 * MIN, "changed_at": NOW - 30 * MIN, "n": 1,
    }  # fmt: skip
    return AlertRecord(**{**values, **more})  # type: ignore[arg-type]


def transition(id: str, n: int, what: str, severity: int, **more: object) -> TransitionRecord:
    """A confirmed transition, ten minutes apart."""
    at = NOW - 50 * MIN + n * 10 * MIN
    values: dict[str, object] = {
        "alert": id, "n": n, "at": at, "now": at + 900, "what": what, "severity": severity, "confirmed": True,
        "state": "unacknowledged", "sensor": "main",
    }  # fmt: skip
    return TransitionRecord(**{**values, **more})  # type: ignore[arg-type]


def sample_board(city: City) -> BoardInMemory:
    """One station in each state, a Siaga 1, a Siaga 2, a pending jump, a crowd, a fault, a closed alert."""
    board = BoardInMemory()
    water = [s.id for s in city.stations.values() if s.kind == "water_level" and city.ladder_at(s.id, NOW)]
    spare = [name for name in water if name not in {KATULAMPA, DEPOK, MANGGARAI}]
    board.put(
        latest(KATULAMPA, 160, severity=2, rate=42.5),
        latest(DEPOK, 380, severity=3, rate=30.0),
        latest(MANGGARAI, 742, rate=12.0),
        latest(spare[0], 260, tentative=2, flag=3, reason="jump of +90 cm in 10 min", rate=540.0),
        latest(spare[1], 96, age_min=190),
        latest(spare[2], 20),
        latest(spare[3], 99_999, flag=4, reason="99999 cm is outside the range", rate=None),
        latest(spare[4], -44, rate=-8.0),
        latest(spare[5], 100, severity=1, rate=-6.0, flag=3, reason="unchanged"),
        *(latest(name, 60, age_min=7) for name in spare[6:12]),
        latest("crowd-monas", 214_000, kind="crowd_count", severity=1, rate=9000.0, age_min=1),
        latest("crowd-patung-kuda", 9_000, kind="crowd_count", rate=-40.0, age_min=1),
    )
    board.take_out(spare[2], "sensor diganti")
    board.put(
        alert("a" * 20, DEPOK, 3, value=380.0, areas=tuple(city.warns.get(DEPOK, ()))),
        alert("b" * 20, KATULAMPA, 2, value=160.0, areas=tuple(city.warns.get(KATULAMPA, ()))),
        alert("c" * 20, spare[0], 2, value=260.0, confirmed=False, confirmed_severity=0, worst=0),
        alert("d" * 20, "crowd-monas", 1, hazard="density", value=214_000.0, areas=("31.71.01.1001",)),
        alert("e" * 20, spare[1], 1, hazard="data", cause="main"),
        alert("f" * 20, MANGGARAI, 0, state="normal", closed_at=NOW - 20 * MIN, worst=1, confirmed_severity=0,
              value=744.0, raised_at=NOW - 300 * MIN),
    )  # fmt: skip
    why = {
        "limits": [80.0, 150.0, 200.0],
        "unit": "cm",
        "boundary": ">=",
        "deadband": 5.0,
        "hold_min": 10.0,
        "flag": 1,
    }
    board.timelines["b" * 20] = [
        transition("b" * 20, 1, "raised", 1, value=96.0, why=why),
        transition("b" * 20, 2, "raised", 2, value=160.0, confirmed=False, why={**why, "flag": 3}),
        transition("b" * 20, 3, "confirmed", 2, value=158.0, why=why),
        transition("b" * 20, 4, "acknowledged", 2, by="Sari", why={"note": "called the post"}),
    ]
    board.history = [
        Reading(
            KATULAMPA,
            "water_level",
            60.0 + i,
            NOW - (100 - i) * 10 * MIN,
            NOW - (100 - i) * 10 * MIN + 400,
            flag=1,
        )
        for i in range(100)
    ]
    board.score_rows = [
        ScoreRecord(station=KATULAMPA, sensor="main", detector="isolation_forest", version="1", at=NOW - MIN,
                    score=0.71, reason="rises faster than 99 % of its past", shadow=True)
    ]  # fmt: skip
    return board
