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

__all__ = ["Moment", "plain", "render"]

_COLOURS = {0: "green", 1: "yellow", 2: "dark_orange", 3: "bold red"}
_TRENDS = {"rising": "▲ rising", "falling": "▼ falling", "steady": "= steady", None: ""}
_ROWS = 18
_NOTICES = 7


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


def render(moment: Moment, city: City) -> RenderableType:
    """The whole screen."""
    clock = datetime.fromtimestamp(moment.at / 1000, city.zone)
    head = Text.assemble(
        ("LATIHAN / EXERCISE ", "bold white on red"), f"  {city.name}  {clock:%Y-%m-%d %H:%M} {clock.tzname()}   ",
        f"{moment.sent} readings sent, {moment.per_second:.0f}/s   page: ", (moment.page, "underline cyan"),
    )  # fmt: skip
    parts: list[RenderableType] = [head, ProgressBar(total=1.0, completed=moment.progress, width=100)]
    if moment.note:
        parts.append(Text(moment.note, style="yellow"))
    parts += [_stations(moment.stations), _alerts(moment.alerts), _notices(moment)]
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


def _stations(stations: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(expand=False, title_justify="left")
    for column in ("station", "river", "value", "Siaga", "trend", "age", "state"):
        table.add_column(column, justify="right" if column in {"value", "age"} else "left", no_wrap=True)
    shown = [station for station in stations if station["value"] is not None]
    shown.sort(key=lambda station: (-(station["severity"] or 0), station["kind"], station["name"]))
    for station in shown[:_ROWS]:
        severity = station["severity"]
        siaga = (
            "" if station["siaga"] is None else f"{station['siaga']} {(station['label'] or {}).get('en', '')}"
        )
        table.add_row(
            station["name"], station["river"] or "", f"{station['value']:g} {station['unit']}",
            Text(siaga, style=_COLOURS.get(severity, "")), _TRENDS.get(station["trend"], ""),
            f"{(station['age_s'] or 0) // 60} min", station["state"],
        )  # fmt: skip
    hidden = len(shown) - _ROWS
    if hidden > 0:
        table.caption = f"and {hidden} more on the page"
    return table


def _alerts(alerts: Sequence[Mapping[str, Any]]) -> Panel:
    lines = [
        Text(
            f"{alert['headline']['en']}" + ("" if alert["confirmed"] else "  (unconfirmed)"),
            style=_COLOURS.get(alert["severity"], ""),
        )
        for alert in alerts[:_NOTICES]
    ]
    if len(alerts) > _NOTICES:
        lines.append(Text(f"and {len(alerts) - _NOTICES} more"))
    return Panel(Group(*lines), title=f"{len(alerts)} open alerts", title_align="left")


def _notices(moment: Moment) -> Panel:
    lines = [
        Text(f"{one.over:<8} {one.role:<14} {one.title}", no_wrap=True)
        for one in list(moment.told)[-_NOTICES:]
    ]
    counts = ", ".join(f"{over} {count}" for over, count in sorted(moment.counts.items())) or "none yet"
    return Panel(Group(*lines), title=f"notices received here: {counts}", title_align="left")
