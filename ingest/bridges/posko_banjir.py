"""A Posko Banjir feed: one XML document of all posts, millimetres in, centimetres out; ``ingest.posko`` reads the rows.

The document shows each post's newest reading only, so every post counts that differs from what it showed before.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from ingest.bridge import Ask, Look, Mark, Page, Seen
from ingest.posko import PoskoRow, rows
from pantau.city import City, Feed

__all__ = ["BRIDGE", "PoskoBanjir"]


class PoskoBanjir:
    """Posts are named by ``ID_PINTU_AIR``; without ``stations`` those that are ids of stations.csv are taken."""

    name = "posko_banjir"

    def problems(self, city: City, feed: Feed) -> list[str]:
        """See ``ingest.bridge.Bridge``; the one option is ``limits``."""
        found = [
            f"{source} = {target!r} is a station of {city.stations[target.partition('/')[0]].kind}, "
            "expected one of water_level: the feed has nothing else"
            for source, target in feed.stations.items()
            if city.stations[target.partition("/")[0]].kind != "water_level"
        ]
        if not feed.stations and not any(s.kind == "water_level" for s in city.stations.values()):
            found.append("the city has no station of water_level; add one to stations.csv")
        found += [
            f"option {name!r} is not known; the only one is limits; remove it"
            for name in feed.options
            if name != "limits"
        ]
        if not isinstance(feed.options.get("limits", True), bool):
            found.append(f"limits is {feed.options['limits']!r}, expected true or false")
        return found

    def open(self, city: City, feed: Feed) -> Look:
        """See ``ingest.bridge.Bridge``."""
        levels = {s.id: s.id for s in city.stations.values() if s.kind == "water_level"}
        return partial(_look, city, feed, feed.stations or levels)


def _look(
    city: City, feed: Feed, stations: Mapping[str, str], ask: Ask, _marks: Mapping[str, Mark], now: int
) -> Iterator[Page]:
    answer = ask(feed.url)
    if answer is None:
        return
    skipped: Counter[str] = Counter()
    findings: list[str] = []
    newest: dict[str, Seen] = {}
    here: set[str] = set()
    # A naive TANGGAL is on the city's clocks: the feed is its own.
    for row in rows(answer.body, city.zone, now):
        if row.id not in stations:
            skipped["unmapped"] += 1
            continue
        here.add(row.id)
        if feed.options.get("limits", True):
            findings += _differing(city, stations[row.id].partition("/")[0], row, now)
        if row.problem is not None:
            skipped[row.problem.code] += 1
            findings.append(row.problem.reason)
        elif row.observed_at is not None and row.level_cm is not None:
            former = newest.get(row.id)
            if former is None or former.observed_at <= row.observed_at:
                newest[row.id] = Seen(row.id, row.observed_at, row.level_cm, "cm")
    if feed.stations:
        findings += [f"post {post} is not in the feed (any more)" for post in stations if post not in here]
    yield Page(tuple(newest.values()), skipped, findings)


def _differing(city: City, station: str, row: PoskoRow, now: int) -> list[str]:
    """The feed's limits are not ours, but somebody should know when they differ."""
    ladder = city.ladder_at(station, now)
    ours = ladder.limits if ladder else None
    limits = row.limits_cm
    theirs = (limits.siaga3, limits.siaga2, limits.siaga1) if limits else None
    if theirs == ours:
        return []
    return [
        f"post {row.id}: the feed has Siaga 3/2/1 at {_shown(theirs)}, ladders.csv has {_shown(ours)} for {station}"
    ]


def _shown(limits: tuple[float | None, float | None, float | None] | None) -> str:
    if limits is None:
        return "no limits"
    return "/".join("-" if limit is None else f"{limit:g}" for limit in limits) + " cm"


BRIDGE = PoskoBanjir()
