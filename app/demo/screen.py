"""The demo's live table: stations, Siaga, trend, open alerts, readings per second, progress, what was told to whom."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from app.demo.receivers import Received
from pantau.city import City
from pantau.station import ABOUT_US

__all__ = ["Moment", "plain", "render"]

_COLOURS = {0: "green", 1: "yellow", 2: "dark_orange", 3: "bold red"}
_TRENDS = {"rising": "▲ rising", "falling": "▼ falling", "steady": "= steady", None: ""}
_WIDE = 118
"""From this many columns on all of the table is shown; below, what a narrow terminal would cut is left out."""
_FIXED_LINES = 13  # head, bar, frames and titles


class Moment(NamedTuple):
    """What the screen shows at one instant.

    Attributes:
        stations: properties as ``/api/v1/stations`` gives them.
        alerts: as ``/api/v1/alerts`` gives them.
        progress: of the replay, 0..1.
        told: newest notices, and how many arrived over each way.
    """

    at: int
    stations: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]]
    sent: int
    per_second: float
    progress: float
    told: Sequence[Received]
    counts: Mapping[str, int]
    page: str
    note: str


def render(moment: Moment, city: City, width: int, height: int) -> RenderableType:
    """The whole screen for a terminal of this size."""
    clock = datetime.fromtimestamp(moment.at / 1000, city.zone)
    head = Text.assemble(
        ("LATIHAN / EXERCISE ", "bold white on red"),
        f" {clock:%Y-%m-%d %H:%M} {clock.tzname()}  {moment.sent} readings, {moment.per_second:.0f}/s  ",
        (moment.page, "underline cyan"),
    )
    bar = Table.grid()
    bar.add_row(ProgressBar(total=1.0, completed=moment.progress, width=max(20, min(width - 8, 100))),
                f" {moment.progress:4.0%}")  # fmt: skip
    parts: list[RenderableType] = [head, bar]
    if moment.note:
        parts.append(Text(moment.note, style="yellow"))
    left = max(9, height - _FIXED_LINES - len(moment.note) // max(width, 1) - bool(moment.note))
    listed = max(2, min(7, left // 4))
    parts += [
        _stations(moment.stations, rows=max(3, left - 2 * listed), wide=width >= _WIDE),
        _alerts(moment.alerts, listed),
        _notices(moment, listed),
    ]
    return Group(*parts)


def plain(moment: Moment, city: City) -> str:
    """One line, for a pipe or a log."""
    clock = datetime.fromtimestamp(moment.at / 1000, city.zone)
    worst = ", ".join(
        f"{station['name']} {station['value']:g} {station['unit']} (Siaga {station['siaga']})"
        for station in sorted(moment.stations, key=lambda one: -(one["severity"] or 0))
        if station["severity"] and station["siaga"]
    )
    told = ", ".join(f"{over} {count}" for over, count in sorted(moment.counts.items())) or "nobody yet"
    return (
        f"[LATIHAN / EXERCISE] {clock:%Y-%m-%d %H:%M} {clock.tzname()}  {moment.progress:4.0%}  {moment.sent} readings"
        f"  {len(moment.alerts)} open alerts  told: {told}  {worst}"
    )


def _stations(stations: Sequence[Mapping[str, Any]], *, rows: int, wide: bool) -> Table:
    table = Table(expand=False)
    columns = ("station", "river", "value", "Siaga", "trend", "age", "state")
    chosen = columns if wide else ("station", "value", "Siaga", "trend", "state")
    for column in chosen:
        table.add_column(column, justify="right" if column in {"value", "age"} else "left", no_wrap=True)
    shown = [station for station in stations if station["value"] is not None]
    shown.sort(key=lambda station: (-(station["severity"] or 0), station["kind"], station["name"]))
    for station in shown[:rows]:
        cells = _cells(station, wide=wide)
        table.add_row(*(cells[column] for column in chosen))
    if len(shown) > rows:
        table.caption = f"and {len(shown) - rows} more on the page"
    return table


def _cells(station: Mapping[str, Any], *, wide: bool) -> dict[str, str | Text]:
    siaga = "" if station["siaga"] is None else f"{station['siaga']} {(station['label'] or {}).get('en', '')}"
    trend = _TRENDS.get(station["trend"], "")
    return {
        "station": station["name"] if wide else station["name"][:26],
        "river": station["river"] or "",
        "value": f"{station['value']:g} {station['unit']}",
        "Siaga": Text(siaga, style=_COLOURS.get(station["severity"], "")),
        "trend": trend if wide else trend[:1],
        "age": f"{(station['age_s'] or 0) // 60} min",
        "state": station["state"],
    }


def _alerts(alerts: Sequence[Mapping[str, Any]], listed: int) -> Panel:
    """Open alerts, what concerns people first, the worst on top."""
    worst_first = sorted(alerts, key=lambda alert: (alert["hazard"] in ABOUT_US, -alert["severity"]))
    lines = [
        Text(
            f"{alert['headline']['en']}" + ("" if alert["confirmed"] else "  (unconfirmed)"),
            style=_COLOURS.get(alert["severity"], ""),
            no_wrap=True,
            overflow="ellipsis",
        )
        for alert in worst_first[:listed]
    ]
    more = f", {len(alerts) - listed} more on the page" if len(alerts) > listed else ""
    return Panel(Group(*lines), title=f"{len(alerts)} open alerts{more}", title_align="left")


def _notices(moment: Moment, listed: int) -> Panel:
    lines = [
        Text(f"{one.over:<8} {one.role:<12} {one.title}", no_wrap=True, overflow="ellipsis")
        for one in list(moment.told)[-listed:]
    ]
    counts = ", ".join(f"{over} {count}" for over, count in sorted(moment.counts.items())) or "none yet"
    return Panel(Group(*lines), title=f"notices received here: {counts}", title_align="left")
