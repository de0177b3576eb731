"""The campaign's city: the example city with more stations, cadences so long that real time judges nothing.

A run with kills takes longer than one without. What depends on how long it takes (silence, staleness, reminders) would
differ for that reason alone, so the cadences here are long, or the stamps so old that they are stale in every run.
"""

import shutil
from pathlib import Path

from tests.peers.process import ROOT

STREAM = (
    "awan-1", "awan-2", "awan-3", "awan-3b", "batu-1", "batu-2", "pond", *(f"gauge-{n:02}" for n in range(1, 14)),
)  # fmt: skip
"""Stations whose readings flow all the time."""
BATCHED = "gauge-90"
"""Sends ten readings in a message."""
STALE = "gauge-91"
"""Its readings are older than the stale limit, in order: stepped, told to nobody."""
SENTINEL = "gauge-92"
"""Its one reading is the last of a run."""
DESK = ("harbour", "gauge-80", "gauge-81")
"""Stations of the operators' script, in groups of their own."""
ZONES = tuple(f"zone-{n:02}" for n in range(1, 25))
"""Crowd zones too wide for their limits: only the slow lane speaks about them."""

LONG_MIN = 300
"""Cadence in minutes: stale after 15 hours, silent as late, a reminder after 7.5 hours."""
SHORT_MIN = 10


def make_city(parent: Path) -> Path:
    """Writes the city's folder."""
    home = parent / "faults"
    shutil.copytree(ROOT / "cities" / "contoh", home)
    _stations(home / "stations.csv")
    _ladders(home / "ladders.csv")
    (home / "recipients.csv").write_text(
        "role,audience,channels,hazards,min_severity,areas,language,source\n"
        "duty_officer,operators,webhook,,1,,en,invented\n"
        "disaster_agency,command,webhook;mqtt,flood;inundation;tidal,2,,id,invented\n"
        "mayor,command,apprise,flood,3,,id,invented: has no contact\n"
        "crowd_control,command,webhook,density,1,,en,invented\n",
        encoding="utf-8",
    )
    text = (home / "city.toml").read_text(encoding="utf-8")
    (home / "city.toml").write_text(text.replace("hold_min = 10", "hold_min = 1"), encoding="utf-8")
    return home


def _stations(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    names = next(line for line in lines if line.startswith("id,")).split(",")
    cadence = names.index("cadence_min")
    out = []
    for line in lines:
        cells = line.split(",")
        if len(cells) == len(names) and cells[0] != "id":
            cells[cadence] = str(LONG_MIN)
        out.append(",".join(cells))
    gauges = [name for name in (*STREAM, BATCHED, STALE, SENTINEL, *DESK) if name.startswith("gauge-")]
    for name in gauges:
        minutes = SHORT_MIN if name == STALE else LONG_MIN
        row = (
            f"{name},{name},,water_level,flood,{name},,,-5.15,119.43,99.01.03.1002,{minutes},,,,,,invented,x"
        )
        out.append(row)
    out += [
        f"{name},{name},,crowd_count,density,{name},,,-5.14,119.41,99.01.03.1003,{SHORT_MIN},,,4000,,,x,x"
        for name in ZONES
    ]
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


def _ladders(path: Path) -> None:
    gauges = [name for name in (*STREAM, BATCHED, STALE, *DESK) if name.startswith("gauge-")]
    rows = [f"{name},,,100,160,220,,,invented" for name in gauges]
    path.write_text(path.read_text(encoding="utf-8") + "\n".join(rows) + "\n", encoding="utf-8")
