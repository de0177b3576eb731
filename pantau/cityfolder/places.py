"""areas.csv, stations.csv and warn_areas.csv -> where things are and what is measured there."""

from collections.abc import Collection, Mapping

import msgspec

from pantau.city import Area
from pantau.cityfolder.cells import Row
from pantau.cityfolder.tables import Table
from pantau.kind import Kind
from pantau.station import ABOUT_US, HAZARDS, Hazard, Station

__all__ = ["names_of", "read_areas", "read_stations", "read_warns"]

STATION_HAZARDS: tuple[Hazard, ...] = tuple(hazard for hazard in HAZARDS if hazard not in ABOUT_US)
"""What a station can warn of; ``data`` and ``system`` are about us, not about a place."""
_MINUTES_A_YEAR = 527_040


def read_areas(table: Table) -> dict[str, Area]:
    """Areas by code."""
    areas: dict[str, Area] = {}
    for row in table.rows:
        code = row.name("code", "an area's code")
        lat, lon = _place(row)
        if code in areas:
            row.wrong("code", "a code that no other row has", "remove one of the two rows")
            continue
        areas[code] = Area(
            code=code,
            name=row.required("name", "the area's name"),
            kecamatan=row.text("kecamatan"),
            city=row.text("city"),
            lat=lat,
            lon=lon,
            area_km2=row.number("area_km2", "km2, a number above 0", above=0, high=1e7),
            population=row.whole("population", "residents, a whole number"),
        )
        row.whole("rw")
        row.whole("rw_floodprone")
    return areas


def read_stations(table: Table, areas: Collection[str] | None, kinds: dict[str, Kind]) -> dict[str, Station]:
    """Stations by id, in the file's order.

    Args:
        areas: known codes, None when areas.csv could not be read.
    """
    stations: dict[str, Station] = {}
    for row in table.rows:
        station = _station(row, table.keys, areas, kinds)
        if station.id in stations:
            row.wrong("id", "an id that no other row has", "remove one of the two rows")
        else:
            stations[station.id] = station
        if areas is not None and station.id in areas:
            row.wrong("id", "an id that is no area's code: alerts of both would be one", "choose another")
    _check_overlaps(table, stations)
    return _with_both_sides(stations)


def read_warns(
    table: Table, stations: Collection[str] | None, areas: dict[str, Area], codes: Collection[str] | None
) -> dict[str, tuple[str, ...]]:
    """Codes of the areas each station warns, in the file's order."""
    warns: dict[str, list[str]] = {}
    for row in table.rows:
        station = row.reference("station", stations, "stations.csv")
        code = row.reference("area", codes, "areas.csv")
        if code in warns.setdefault(station, []):
            row.says(f"station {station!r} warns area {code!r} twice; remove one of the two rows")
        elif code in areas and row.text("kelurahan") not in {"", areas[code].name}:
            row.wrong(
                "kelurahan", f"{areas[code].name!r}, the name of {code} in areas.csv", "correct name or code"
            )
        warns[station].append(code)
    return {station: tuple(codes) for station, codes in warns.items()}


def names_of(stations: Mapping[str, Station]) -> dict[str, tuple[str, ...]]:
    """Ids that answer to a name: id, name and aliases, casefolded; an ambiguous name keeps all of them."""
    names: dict[str, dict[str, None]] = {}
    for station in stations.values():
        for name in (station.id, station.name, *station.aliases):
            names.setdefault(name.strip().casefold(), {})[station.id] = None
    return {name: tuple(ids) for name, ids in names.items()}


def _station(
    row: Row, ids: Collection[str] | None, areas: Collection[str] | None, kinds: dict[str, Kind]
) -> Station:
    lat, lon = _place(row)
    area = row.text("area")
    if area:
        row.refer("area", area, areas, "areas.csv")
    overlaps = row.words("overlaps")
    for other in overlaps:
        row.refer("overlaps", other, ids, "stations.csv")
    cadence = row.number(
        "cadence_min", "a number of minutes above 0", low=0.001, high=_MINUTES_A_YEAR, required=True
    )
    kind, hazard = row.word("kind", kinds), row.word("hazard", STATION_HAZARDS)
    low, high = row.number("range_low"), row.number("range_high")
    station = Station(
        id=row.name("id", "a station's id"),
        name=row.required("name", "the station's name"),
        kind=kind,
        hazard=_hazard(hazard),
        group=row.name("group", "a group's name") if row.text("group") else "",
        aliases=row.words("aliases"),
        post=row.text("post"),
        river=row.text("river"),
        lat=lat,
        lon=lon,
        area=area,
        cadence_ms=600_000 if cadence is None else max(1, round(cadence * 60_000)),
        range_low=low,
        range_high=high,
        area_m2=row.number("area_m2", "m2, a number above 0", above=0, high=1e8),
        capacity=row.whole("capacity", "persons, a whole number"),
        overlaps=overlaps,
        note=row.text("note"),
        source=row.text("source"),
    )
    if kind in kinds:
        _check_kind(row, station, hazard, kinds[kind])
    return station


def _hazard(word: str) -> Hazard:
    return next((hazard for hazard in STATION_HAZARDS if hazard == word), "flood")


def _check_kind(row: Row, station: Station, hazard: str, kind: Kind) -> None:
    low = kind.low if station.range_low is None else station.range_low
    high = kind.high if station.range_high is None else station.range_high
    if low >= high:
        expected = "expected low below high; correct one (a blank one is the kind's)"
        row.says(f"range_low is {low:g} and range_high is {high:g}, {expected}")
    counts = kind.unit == "persons"
    if hazard in STATION_HAZARDS and counts != (hazard == "density"):
        row.wrong(
            "hazard", f"{'' if counts else 'not '}'density' for kind {kind.name}, which is in {kind.unit}"
        )
    if counts and not row.text("area_m2") and not row.text("capacity"):
        expected = "the zone's standing area in m2, or a capacity"
        row.wrong("area_m2", expected, "measure it: a count alone is no density")
    if station.capacity == 0:
        row.wrong("capacity", "persons, above 0", "leave it blank when it is not known")
    if station.id == "public":
        row.wrong("id", "a station's id; 'public' is a reserved word in topics", "choose another")


def _check_overlaps(table: Table, stations: dict[str, Station]) -> None:
    for row in table.rows:
        for other in row.words("overlaps"):
            if other == row.text("id"):
                row.says(f"overlaps names {other!r}, the zone itself; remove it")
            elif other in stations and stations[other].hazard != "density":
                row.says(f"overlaps names {other!r}, which is no crowd zone; remove it")


def _place(row: Row) -> tuple[float | None, float | None]:
    """Latitude and longitude, both or neither."""
    lat = row.number("lat", "degrees from -90 to 90", low=-90, high=90)
    lon = row.number("lon", "degrees from -180 to 180", low=-180, high=180)
    if bool(row.text("lat")) != bool(row.text("lon")):
        row.says(
            f"lat is {row.text('lat')!r} and lon is {row.text('lon')!r}, expected both or neither; "
            "fill the other, or leave both blank while the place is unknown"
        )
    if lat == 0 and lon == 0:
        row.says("lat and lon are both 0, a point in the ocean; leave both blank while the place is unknown")
    return lat, lon


def _with_both_sides(stations: dict[str, Station]) -> dict[str, Station]:
    """Zones that overlap, named by both even where the file says it once."""
    overlaps = {key: dict.fromkeys(station.overlaps) for key, station in stations.items()}
    for key, station in stations.items():
        for other in station.overlaps:
            overlaps.get(other, {})[key] = None
    return {key: _replaced(station, tuple(overlaps[key])) for key, station in stations.items()}


def _replaced(station: Station, overlaps: tuple[str, ...]) -> Station:
    return station if station.overlaps == overlaps else msgspec.structs.replace(station, overlaps=overlaps)
