"""ladders.csv, capacity_rules.csv and the areas of crowd zones -> the limits of each station, by date."""

import itertools
from collections.abc import Collection
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec

from pantau.city import FAR_FUTURE, FAR_PAST, CapacityRule, DatedLadder
from pantau.cityfolder.cells import Row
from pantau.cityfolder.settings import Settings
from pantau.cityfolder.tables import Table
from pantau.density import allowed_share, crowd_limits
from pantau.kind import Kind
from pantau.ladder import Ladder
from pantau.station import Station

__all__ = ["crowd_ladders", "read_ladders", "read_rules"]

LIMITS = ("siaga3", "siaga2", "siaga1")
_CROWD_DEADBAND = 0.05
"""Part of a crowd zone's first limit; a fixed number of persons would suit neither a square nor a stairway."""
_A_WEEK_MIN = 10_080


class _Dated(msgspec.Struct, frozen=True):
    """A ladder with the row it stands in."""

    row: Row
    ladder: DatedLadder


def read_ladders(
    table: Table,
    stations: dict[str, Station],
    ids: Collection[str] | None,
    kinds: dict[str, Kind],
    settings: Settings,
) -> dict[str, tuple[DatedLadder, ...]]:
    """Ladders by station, oldest first."""
    zone = ZoneInfo(settings.timezone)
    found: dict[str, list[_Dated]] = {}
    for row in table.rows:
        key = row.reference("station", ids, "stations.csv")
        station = stations.get(key)
        ladder = _ladder(row, station, settings)
        if station is not None and station.kind in kinds:
            _note_unreachable(row, ladder, station, kinds[station.kind])
        start, end = row.days()
        since, until = _span(start, end, zone)
        dated = DatedLadder(since, until, ladder, row.text("source"))
        found.setdefault(key, []).append(_Dated(row, dated))
    return {key: _in_order(rows) for key, rows in found.items()}


def read_rules(
    table: Table, stations: dict[str, Station], ids: Collection[str] | None
) -> tuple[CapacityRule, ...]:
    """Dated limits on crowds, in the file's order."""
    rules = []
    for row in table.rows:
        if not row.text("valid_from"):
            row.wrong("valid_from", "a day as YYYY-MM-DD", "fill the cell")
        start, end = row.days()
        zones = row.words("stations")
        for zone in zones:
            known = row.refer("stations", zone, ids, "stations.csv")
            if known and zone in stations and stations[zone].hazard != "density":
                row.says(f"stations names {zone!r}, which is no crowd zone; remove it")
        percent = row.number("percent", "a percentage from 0 to 100", low=0, high=100, required=True)
        rules.append(
            CapacityRule(
                valid_from=start or date.min,
                valid_to=end,
                percent=100.0 if percent is None else percent,
                stations=zones,
                source=row.text("source"),
            )
        )
    return tuple(rules)


def crowd_ladders(
    station: Station, rules: tuple[CapacityRule, ...], settings: Settings
) -> tuple[DatedLadder, ...]:
    """Limits of a crowd zone without a row of its own, anew at each local midnight at which a rule begins or ends."""
    if station.area_m2 is None and station.capacity is None:
        return ()
    zone = ZoneInfo(settings.timezone)
    spans = [
        _span(rule.valid_from, rule.valid_to, zone)
        for rule in rules
        if station.capacity is not None and (not rule.stations or station.id in rule.stations)
    ]
    edges = sorted({FAR_PAST, FAR_FUTURE, *itertools.chain.from_iterable(spans)})
    found: list[DatedLadder] = []
    for start, end in itertools.pairwise(edges):
        day = date.min if start == FAR_PAST else datetime.fromtimestamp(start / 1000, zone).date()
        ladder, source = _crowd_ladder(station, *allowed_share(rules, station.id, day), settings)
        if found and (found[-1].ladder, found[-1].source) == (ladder, source):
            found[-1] = msgspec.structs.replace(found[-1], valid_to=end)
        else:
            found.append(DatedLadder(start, end, ladder, source))
    return tuple(found)


def _crowd_ladder(station: Station, percent: float, source: str, settings: Settings) -> tuple[Ladder, str]:
    limits, words = crowd_limits(station, settings.density_limits, percent, source, strict=settings.strict)
    deadband = _CROWD_DEADBAND * (limits[0] or 0.0)
    ladder = Ladder(limits=limits, deadband=deadband, hold_ms=settings.hold_ms, strict=settings.strict)
    return ladder, words


def _ladder(row: Row, station: Station | None, settings: Settings) -> Ladder:
    first, second, third = (row.number(column) for column in LIMITS)
    limits = (first, second, third)
    given = [limit for limit in limits if limit is not None]
    if not any(row.text(column) for column in LIMITS):
        row.says(
            "siaga3, siaga2 and siaga1 are all blank, expected at least one limit; fill one or remove the row"
        )
    if any(upper <= lower for lower, upper in itertools.pairwise(given)):
        cells = ", ".join(row.text(column) or "blank" for column in LIMITS)
        same = "; equal limits often mean 'not set': then remove the row" if len(set(given)) == 1 else ""
        row.says(f"siaga3, siaga2, siaga1 are {cells}, expected them to rise; correct the limits{same}")
    deadband = row.number("deadband", "a number, 0 or more", low=0)
    hold = row.number("hold_min", "minutes from 0 to 10080", low=0, high=_A_WEEK_MIN)
    if deadband is None:
        is_crowd = station is not None and station.hazard == "density" and given
        deadband = _CROWD_DEADBAND * given[0] if is_crowd else settings.deadband
    hold_ms = settings.hold_ms if hold is None else round(hold * 60_000)
    return Ladder(limits=limits, deadband=deadband, hold_ms=hold_ms, strict=settings.strict)


def _note_unreachable(row: Row, ladder: Ladder, station: Station, kind: Kind) -> None:
    """A limit outside of what the sensor can report would never be told to anybody."""
    low = kind.low if station.range_low is None else station.range_low
    high = kind.high if station.range_high is None else station.range_high
    for column, limit in zip(LIMITS, ladder.limits, strict=True):
        if limit is not None and low < high and not low <= limit <= high:
            expected = f"a limit inside the sensor's range, {low:g} to {high:g}: it could never be reached"
            row.wrong(column, expected, "correct the limit or the range in stations.csv")


def _in_order(rows: list[_Dated]) -> tuple[DatedLadder, ...]:
    rows = sorted(rows, key=lambda dated: (dated.ladder.valid_from, dated.row.line))
    for earlier, later in itertools.pairwise(rows):
        if later.ladder.valid_from < earlier.ladder.valid_to:
            late, early = sorted((earlier.row, later.row), key=lambda row: -row.line)
            late.says(
                f"ladder of {late.text('station')!r} is valid from {late.text('valid_from') or 'ever'} to "
                f"{late.text('valid_to') or 'ever'}, expected no day in common with line {early.line} "
                f"({early.text('valid_from') or 'ever'} to {early.text('valid_to') or 'ever'}); correct the days"
            )
    return tuple(dated.ladder for dated in rows)


def _span(start: date | None, end: date | None, zone: ZoneInfo) -> tuple[int, int]:
    """Instants from the start of one day to the start of another, ms; None reaches as far as time does."""
    return (
        FAR_PAST if start is None or start == date.min else _midnight(start, zone),
        FAR_FUTURE if end is None else _midnight(end, zone),
    )


def _midnight(day: date, zone: ZoneInfo) -> int:
    """Start of a day on the city's clocks, ms."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
