"""A small invented city and short ways to make changes in it, for the tests of alerts."""

from typing import Any

import msgspec
from sqlalchemy import Engine

from alerts.news import Change
from alerts.store.alerts import apply
from alerts.store.tables import metadata
from app.database import open_engine
from pantau.alert import AlertKey, AlertState, Occasion, note, operate, update
from pantau.city import Area, City, Link, Recipient
from pantau.event import Transition
from pantau.kinds.crowd_count import KIND as CROWD
from pantau.kinds.water_level import KIND as WATER
from pantau.record import LatestRecord
from pantau.station import Station

HOUR, MINUTE = 3_600_000, 60_000
NIGHT = 1_391_007_000_000  # 2014-01-29T14:50:00Z, 21.50 in Jakarta

RIVER: dict[str, Any] = {"kind": "water_level", "hazard": "flood", "group": "kali", "river": "Kali Besar"}
WARNED = tuple(f"99.01.01.{number}" for number in range(1001, 1013))
AREAS = {
    code: Area(code, f"Kampung {letter}", "Hulu" if letter < "G" else "Hilir", "Kota Contoh")
    for code, letter in zip(WARNED, "ABCDEFGHIJKL", strict=True)
}
ROLES = (
    Recipient(role="operator", audience="operators", channels=("webhook", "mqtt")),
    Recipient(role="posko", audience="command", channels=("webhook",), hazards=("flood", "tidal", "density")),
    Recipient(role="sekda", audience="command", channels=("apprise",), hazards=("flood",), min_severity=2),
    Recipient(role="governor", audience="command", channels=("apprise",), hazards=("flood",), min_severity=3),
    Recipient(role="camat_hulu", audience="command", channels=("apprise",), areas=("hulu",)),
    Recipient(role="lurah_l", audience="command", channels=("apprise",), areas=("99.01.01.1012",)),
    Recipient(role="crowd_control", audience="command", channels=("webhook",), hazards=("density",)),
    Recipient(role="public", audience="public", channels=("mqtt",), language="en"),
)
TOWN = City(
    id="contoh", name="Contoh", timezone="Asia/Jakarta", languages=("id", "en"),
    label={"id": ("Normal", "Waspada", "Siaga", "Awas"), "en": ("Normal", "Watch", "Warning", "Danger")},
    advice={
        "id": ("Tetap ikuti informasi resmi.", "Jauhi bantaran.", "Bersiap mengungsi.", "Segera mengungsi."),
        "en": ("Keep following official news.", "Stay off the banks.", "Be ready to leave.", "Leave now."),
    },
    crowd_advice={
        "id": ("Tidak perlu tindakan.", "Cari jalan lain.", "Jangan masuk.", "Menepi perlahan."),
        "en": ("Nothing to do.", "Choose another way.", "Do not enter.", "Move slowly to the edge."),
    },
    forecast_advice={
        "id": ("Jauhi kali.", "Bersiap selagi ada waktu.", "Kenali jalan mengungsi."),
        "en": ("Stay off the river.", "Prepare while there is time.", "Know your way out."),
    },
    emergency_number="112", kinds={"water_level": WATER, "crowd_count": CROWD},
    stations={
        station.id: station
        for station in (
            Station(id="hulu", name="Bendung Hulu", **RIVER),
            Station(id="tengah", name="Pos Tengah", **RIVER),
            Station(id="hilir", name="Pintu Air Hilir", area="99.01.01.1012", **RIVER),
            Station(id="laut", name="Pasar Ikan", kind="water_level", hazard="tidal", group="laut",
                    area="99.01.01.1001"),
            Station(id="alun", name="Alun-alun", kind="crowd_count", hazard="density", group="alun",
                    area="99.01.01.1002", area_m2=3000.0, cadence_ms=MINUTE),
        )
    },
    ladders={},
    links=(
        Link("hulu", "tengah", 180, 210), Link("tengah", "hilir", 360, 360), Link("hulu", "hilir", 360, 540),
        Link("hulu", "laut", None, None),
    ),
    warns={"hulu": WARNED, "tengah": WARNED[6:]}, areas=AREAS, rivers={}, bindings=(), recipients=ROLES,
    last_resort="posko",
)  # fmt: skip


def key_of(station: str = "hulu", cause: str = "level", hazard: str | None = None) -> AlertKey:
    return AlertKey(station, hazard or TOWN.stations[station].hazard, cause, station)


class Life:
    """One alert's life, driven through the real machine; every change it makes is kept in ``changes``."""

    def __init__(self, engine: Engine, key: AlertKey | None = None, city: City = TOWN) -> None:
        self.engine, self.key, self.city = engine, key or key_of(), city
        self.alert: AlertState | None = None
        self.changes: list[Change] = []
        self.at = NIGHT
        self.pos = 0

    def says(self, confirmed: int, tentative: int = 0, **occasion: Any) -> list[Change]:
        """Its voices now say this; ten minutes later than before."""
        self.at += 10 * MINUTE
        given = {
            "at": self.at,
            "now": self.at + 1000,
            "value": 100.0 + 50 * confirmed,
            "sensor": "main",
            **occasion,
        }
        self.alert, made = update(self.city.id, self.key, self.alert, confirmed, tentative, Occasion(**given))
        return self.keep(made)

    def does(self, trigger: str, by: str = "Sari") -> list[Change]:
        """An operator does something."""
        self.at += MINUTE
        assert self.alert is not None
        made = operate(self.alert, trigger, Occasion(at=self.at, now=self.at, by=by), until=self.at + HOUR)
        return self.keep([made] if made else [])

    def notes(self, what: str) -> list[Change]:
        """The machine notes something on the timeline."""
        self.at += MINUTE
        assert self.alert is not None
        value = None if what == "unconfirmed" else 200.0  # a reminder comes from a timer, not from a reading
        occasion = Occasion(at=self.at, now=self.at, value=value, sensor="main")
        return self.keep([note(self.alert, what, self.alert.severity, occasion)])

    def keep(self, made: list[Transition]) -> list[Change]:
        self.pos += 1
        with self.engine.begin() as conn:
            changes = apply(conn, [msgspec.structs.replace(each) for each in made], self.city, self.pos)
        self.changes += changes
        return changes


def one_change(**fields: object) -> Change:
    """The change of a single raise, with fields of its transition replaced."""
    engine = fresh_engine()
    change = Life(engine).says(2, value=160.0)[0]
    engine.dispose()
    return msgspec.structs.replace(change, transition=msgspec.structs.replace(change.transition, **fields))


def fresh_engine() -> Engine:
    """An empty database in memory."""
    engine = open_engine("sqlite://")
    metadata.create_all(engine)
    return engine


def emptied(engine: Engine) -> Engine:
    """A database without rows: quicker to have than a fresh one, for the many examples of a property."""
    with engine.begin() as conn:
        for table in metadata.sorted_tables:
            conn.execute(table.delete())
    return engine


def newest(station: str, value: float, at: int, **fields: object) -> LatestRecord:
    """The newest reading of a station."""
    given: dict[str, object] = {"flag": 1, "reason": "", "severity": None, "rate": None, **fields}
    return LatestRecord(
        station=station, sensor="main", kind=TOWN.stations[station].kind, value=value, observed_at=at,
        received_at=at + 1000, **given,  # type: ignore[arg-type]
    )  # fmt: skip
