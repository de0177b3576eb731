"""links.csv -> how water runs between stations, and which of them share a group.

A group is a connected component of the links: its stations are judged together, so the file must say so itself. A group
that changes silently would cut a running alert off from its past.
"""

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection
from graphlib import CycleError, TopologicalSorter

import msgspec

from pantau.city import Link
from pantau.cityfolder.cells import Row
from pantau.cityfolder.tables import Table
from pantau.station import Station

__all__ = ["check_groups", "read_links", "with_own_groups"]


def read_links(table: Table, stations: dict[str, Station], ids: Collection[str] | None) -> tuple[Link, ...]:
    """Links in the file's order; water that would run in a circle is noted."""
    found: dict[tuple[str, str], tuple[Row, Link]] = {}
    for row in table.rows:
        ends = tuple(row.reference(column, ids, "stations.csv") for column in ("upstream", "downstream"))
        upstream, downstream = ends
        low, high = _minutes(row)
        for end in ends:
            if end in stations and stations[end].hazard == "density":
                row.says(f"{end!r} is a crowd zone, expected stations on a river; remove the row")
        if upstream == downstream:
            row.wrong("downstream", "another station than upstream")
        elif (upstream, downstream) in found:
            row.says(
                f"{upstream} to {downstream} is already in line {found[(upstream, downstream)][0].line}; keep one"
            )
        else:
            link = Link(upstream, downstream, low, high, row.text("source"))
            found[(upstream, downstream)] = (row, link)
    _note_circles({ends: row for ends, (row, _) in found.items()})
    return tuple(link for _, link in found.values())


def with_own_groups(stations: dict[str, Station]) -> dict[str, Station]:
    """The stations, each with a group: a blank one is the station's own id."""
    return {
        key: station if station.group else msgspec.structs.replace(station, group=key)
        for key, station in stations.items()
    }


def check_groups(table: Table, stations: dict[str, Station], links: tuple[Link, ...]) -> None:
    """Notes where stations that are linked differ in their group, and where others share one.

    Args:
        table: stations.csv.
        stations: as the file has them, groups may be blank.
        links: all of them; with one missing the complaints would be wrong.
    """
    rows = {row.text("id"): row for row in reversed(table.rows)}
    owner: dict[str, list[str]] = {}
    for members in _components([key for key in stations if key], links):
        groups = [stations[member].group or (member if len(members) == 1 else "") for member in members]
        group = Counter(groups).most_common(1)[0][0]
        for member, own in zip(members, groups, strict=True):
            if own != group or not group:
                todo = f"links.csv joins {', '.join(members)}, which must share it; give them one group"
                rows[member].wrong("group", f"{group!r}" if group else "a name", todo)
                break
        if group in owner:
            others = ", ".join(owner[group][:5])
            todo = "give it a group of its own or add the missing link"
            rows[members[0]].wrong(
                "group", f"another than that of {others}, to which links.csv does not join it", todo
            )
        elif group:
            owner[group] = members


def _minutes(row: Row) -> tuple[int | None, int | None]:
    low = row.whole("low_min", "minutes, a whole number")
    high = row.whole("high_min", "minutes, a whole number")
    if bool(row.text("low_min")) != bool(row.text("high_min")):
        row.wrong(
            "low_min",
            f"a time as high_min ({row.text('high_min')!r}) has, or none for both",
            "fill or clear both",
        )
    if low is not None and high is not None and low > high:
        row.wrong("low_min", f"at most high_min ({high})")
    return low, high


def _note_circles(rows: dict[tuple[str, str], Row]) -> None:
    """One complaint a circle, at the last of its links, which is then left out to find the next circle."""
    edges = dict(rows)
    while True:
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for upstream, downstream in edges:
            sorter.add(downstream, upstream)
        try:
            sorter.prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            pairs = [pair for pair in itertools.pairwise(circle) if pair in edges]
            last = max(pairs, key=lambda pair: edges[pair].line)
            edges[last].says(f"water would run in a circle: {' -> '.join(circle)}; remove one of these links")
            del edges[last]
        else:
            return


def _components(stations: list[str], links: tuple[Link, ...]) -> list[list[str]]:
    """Stations that water joins, each list in the file's order."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    for link in links:
        neighbours[link.upstream].add(link.downstream)
        neighbours[link.downstream].add(link.upstream)
    order = {station: index for index, station in enumerate(stations)}
    seen: set[str] = set()
    found = []
    for start in stations:
        if start in seen:
            continue
        members, waiting = {start}, [start]
        while waiting:
            new = {other for other in neighbours[waiting.pop()] if other in order} - members
            members |= new
            waiting.extend(new)
        seen |= members
        found.append(sorted(members, key=order.__getitem__))
    return found
