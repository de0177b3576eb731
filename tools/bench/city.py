"""A city for load: gauges, each a river of its own with three limits, and crowd zones, all told to one operator."""

from pathlib import Path

from pantau import cityfolder
from pantau.city import City

__all__ = ["FIRST_LIMIT_CM", "make_city"]

FIRST_LIMIT_CM = 200
"""Of every gauge; the others are 270 and 350."""

_CITY = """\
name = "Bench"
timezone = "Asia/Jakarta"
languages = ["en", "id"]
emergency_number = "112"
last_resort = "duty_officer"

[ladder]
boundary = ">="
deadband = 5
hold_min = 10

[crowd]
density_per_m2 = [3, 4, 5]
"""
_WORDS = """
[label]
en = ["Normal", "Watch", "Warning", "Danger"]
id = ["Normal", "Waspada", "Siaga", "Awas"]

[advice]
en = ["Nothing.", "Watch.", "Prepare.", "Leave."]
id = ["Tidak ada.", "Waspada.", "Bersiap.", "Mengungsi."]

[crowd.advice]
en = ["Nothing.", "Watch.", "Prepare.", "Leave."]
id = ["Tidak ada.", "Waspada.", "Bersiap.", "Mengungsi."]

[[binding]]
topic = "pantau/v1/{city}/+/+"
format = "native"
"""
_TABLES = {
    "links.csv": "upstream,downstream,low_min,high_min,source",
    "warn_areas.csv": "station,area,kelurahan,note",
    "areas.csv": "code,name,kecamatan,city,lat,lon,area_km2,population,rw,rw_floodprone",
    "capacity_rules.csv": "valid_from,valid_to,percent,stations,source",
    "calendar.csv": "date,name,source\n2026-01-01,New Year,fixed day",
    "recipients.csv": "role,audience,channels,hazards,min_severity,areas,language,source\n"
    "duty_officer,operators,webhook,,1,,en,bench",
}
_STATIONS = (
    "id,name,aliases,kind,hazard,post,river,group,lat,lon,area,cadence_min,range_low,range_high,"
    "area_m2,capacity,overlaps,note,source"
)
_LADDERS = "station,valid_from,valid_to,siaga3,siaga2,siaga1,deadband,hold_min,source"


_ZONE_AREA_M2 = 1000


def make_city(folder: Path, gauges: int, zones: int = 0) -> City:
    """Write the folder ``bench`` with so many gauges (``g...``) and crowd zones (``z...``) and load it."""
    home = folder / "bench"
    home.mkdir(parents=True)
    rows = [f"{one},Gauge {one},,water_level,flood,,,,,,,10,,,,,,,bench" for one in _ids("g", gauges)]
    rows += [
        f"{one},Zone {one},,crowd_count,density,{one},,,,,,10,,,{_ZONE_AREA_M2},,,,bench"
        for one in _ids("z", zones)
    ]
    ladders = [f"{one},,,{FIRST_LIMIT_CM},270,350,,,bench" for one in _ids("g", gauges)]
    tables = _TABLES | {
        "stations.csv": "\n".join([_STATIONS, *rows]),
        "ladders.csv": "\n".join([_LADDERS, *ladders]),
        "rivers.geojson": '{"type": "FeatureCollection", "features": []}',
        "city.toml": _CITY + _WORDS,
    }
    for name, text in tables.items():
        (home / name).write_text(text + "\n", encoding="utf-8")
    return cityfolder.load(home)


def _ids(letter: str, count: int) -> list[str]:
    return [f"{letter}{n:06}" for n in range(count)]
