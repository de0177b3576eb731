"""A SensorThings server (OGC 18-088, FROST for one): observations of some Datastreams in, readings out.

Each Datastream is asked for what lies at or after the beginning of the last observation taken: the last one comes
again, which shows a correction of it, and no interval is left out that begins where the last one ended. What is missing
after an outage comes page by page, at most ``pages`` a Datastream and poll.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urljoin

import msgspec

from ingest.bridge import Answer, Ask, Look, Mark, Page, Seen
from ingest.complaint import NOT_JSON, not_json, shown, zoned
from ingest.fetch import NotThere, same_place
from ingest.stamp import BACK_MS, aged
from ingest.units import converted
from pantau.city import City, Feed
from pantau.errors import RefusedMessage, Unavailable
from pantau.kind import Kind

__all__ = ["BRIDGE", "SensorThings"]

_OPTIONS = {"first_hours": (24, 8_760), "pages": (10, 1_000), "top": (1_000, 10_000)}
"""Each with its default and its greatest value."""
_AHEAD_MS = 120_000
"""A stamp further ahead than this is passed over until its time has come: it would hide all that follows."""
_UNIT_FOR_MS = 86_400_000
"""A Datastream's unit is asked for once a day."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?([eE][+-]?[0-9]{1,2})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SensorThings:
    """``url`` is the service's root, such as ``https://host/FROST-Server/v1.1``; Datastreams are named by their id."""

    name = "sensorthings"

    def problems(self, city: City, feed: Feed) -> list[str]:
        """See ``ingest.bridge.Bridge``."""
        del city
        found = [
            f"option {name!r} is not known; known are {', '.join(_OPTIONS)}; remove or rename it"
            for name in feed.options
            if name not in _OPTIONS
        ]
        for name, (_, most) in _OPTIONS.items():
            value = feed.options.get(name, 1)
            if type(value) is not int or not 1 <= value <= most:
                found.append(f"{name} is {value!r:.80}, expected a whole number from 1 to {most}")
        if not feed.stations:
            found.append('stations is missing, expected {Datastream id = "station"}; add it')
        if "?" in feed.url:
            found.append(
                "the url holds a '?', expected the root of the service, such as .../v1.1; cut it off"
            )
        return found

    def open(self, city: City, feed: Feed) -> Look:
        """See ``ingest.bridge.Bridge``."""
        return _Service(city, feed).look


class _Service:
    """One service; remembers the units of its Datastreams for a day."""

    def __init__(self, city: City, feed: Feed) -> None:
        self._root = feed.url.rstrip("/")
        self._stations = feed.stations
        self._city = city
        self._first_hours, self._pages, self._top = (
            int(feed.options.get(name, default)) for name, (default, _) in _OPTIONS.items()
        )
        self._units: dict[str, tuple[int, str]] = {}

    def look(self, ask: Ask, marks: Mapping[str, Mark], now: int) -> Iterator[Page]:
        """One Datastream that fails is told and does not cost the others; when all fail, the look does."""
        trouble: Unavailable | RefusedMessage | None = None
        failed = 0
        for source in self._stations:
            try:
                yield from self._datastream(source, ask, marks.get(source, Mark()), now)
            except (NotThere, RefusedMessage) as error:
                trouble, failed = error, failed + 1
                yield Page(skipped={"datastream": 1}, findings=[f"Datastream {source}: {error}"])
        if trouble is not None and failed == len(self._stations):
            raise trouble

    def _datastream(self, id: str, ask: Ask, mark: Mark, now: int) -> Iterator[Page]:
        address = f"{self._root}/Datastreams({_key(id)})"
        unit = self._unit(id, address, ask, now)
        since = mark.cursor or _rfc3339(now - self._first_hours * 3_600_000)
        # Spaces as %20: "+" is a space in forms only. Times stand without quotes.
        query = quote(f"phenomenonTime ge {since}", safe="")
        url = f"{address}/Observations?$filter={query}&$orderby=phenomenonTime%20asc&$top={self._top}"
        for _ in range(self._pages):
            found = _json(_whole(ask(url), url))
            page, follows = self._page(id, found, unit, mark, now)
            yield page
            if follows is None:
                return
            there = urljoin(url, follows)
            if not same_place(there, self._root):
                raise RefusedMessage(
                    "bad_payload",
                    f"the next page is said to be at {shown(there)}, not at {self._root}: not followed; the server "
                    "is told a wrong address of its own, or the url in city.toml must be corrected",
                )
            url = there

    def _page(
        self, id: str, found: dict[str, Any], unit: str, mark: Mark, now: int
    ) -> tuple[Page, str | None]:
        items, follows = found.get("value"), found.get("@iot.nextLink")
        if not isinstance(items, list) or not isinstance(follows, str | None):
            raise RefusedMessage("bad_payload", f"found {shown(found)}: no page of Observations")
        skipped: Counter[str] = Counter()
        findings: list[str] = []
        seen: dict[int, tuple[int, Seen]] = {}
        cursor = ""
        for item in items:
            try:
                start, end, number, value = _observation(item)
                aged(min(end, now), now, number=False)
            except RefusedMessage as refused:
                skipped[refused.code] += 1
                findings.append(f"Datastream {id}: {refused.reason}")
                continue
            if end > now + _AHEAD_MS:
                skipped["ahead"] += 1
                continue
            cursor = max(cursor, _rfc3339(max(start, end - BACK_MS)))
            if value is None:
                skipped["no_result"] += 1
            elif mark.observed_at is None or end >= mark.observed_at:
                # Of several at one instant the one entered last counts, in whatever order they come.
                former = seen.get(end)
                if former is None or former[0] <= number:
                    seen[end] = (number, Seen(id, end, value, unit))
        in_order = tuple(one for _, (_, one) in sorted(seen.items()))
        cursors = {id: max(cursor, mark.cursor)} if cursor else {}
        return Page(in_order, skipped, findings, cursors), follows

    def _unit(self, id: str, address: str, ask: Ask, now: int) -> str:
        at, known = self._units.get(id, (0, ""))
        if known and now - at < _UNIT_FOR_MS:
            return known
        found = _json(_whole(ask(address), address))
        unit = found.get("unitOfMeasurement")
        symbol = unit.get("symbol") if isinstance(unit, dict) else None
        kind = self._kind(id)
        if not isinstance(symbol, str) or not symbol:
            raise RefusedMessage(
                "wrong_unit", f"unitOfMeasurement is {shown(unit)}: {kind.name} takes {', '.join(kind.units)}"
            )
        converted(0.0, symbol, kind)  # a unit that the kind does not take is told before anything is fetched
        self._units[id] = (now, symbol)
        return symbol

    def _kind(self, id: str) -> Kind:
        station = self._stations[id].partition("/")[0]
        return self._city.kinds[self._city.stations[station].kind]


def _key(id: str) -> str:
    """An id as it stands in an address: a number plain, a text in quotes."""
    return id if id.isascii() and id.isdigit() else quote("'" + id.replace("'", "''") + "'", safe="'")


def _whole(answer: Answer | None, url: str) -> bytes:
    if answer is None:
        raise Unavailable("feed", f"{url}: answered 304 to a question without a condition")
    return answer.body


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except NOT_JSON as error:
        raise not_json(body, error) from None
    if not isinstance(found, dict):
        raise RefusedMessage("bad_payload", f"found {shown(found)}, expected an object of SensorThings")
    return found


def _observation(item: object) -> tuple[int, int, int, float | None]:
    """Begin, end (ms), the server's number of it (0: it has none) and the value, None when there is no result."""
    if not isinstance(item, dict):
        raise RefusedMessage("bad_payload", f"found {shown(item)}, expected an Observation")
    text = item.get("phenomenonTime")
    if not isinstance(text, str):
        raise RefusedMessage("missing_field", f"phenomenonTime is {shown(text)}: expected RFC 3339")
    start, slash, end = text.partition("/")
    since = _instant(start)
    until = _instant(end) if slash else since
    if until < since:
        raise RefusedMessage("bad_time", f"phenomenonTime is {shown(text)}: it ends before it begins")
    number = item.get("@iot.id")
    return since, until, number if type(number) is int else 0, _value(item.get("result"))


def _value(result: object) -> float | None:
    if result is None:
        return None
    if type(result) in {int, float} or (isinstance(result, str) and _NUMBER.fullmatch(result)):
        try:
            return float(result)  # type: ignore[arg-type] # one of the three above
        except OverflowError:
            pass
    raise RefusedMessage("bad_value", f"result is {shown(result)}: expected a number")


def _instant(text: str) -> int:
    naive = "no offset: nobody knows which zone"
    at = zoned("phenomenonTime", text, expected="RFC 3339", naive=naive)
    return round((at - _EPOCH) / timedelta(milliseconds=1))


def _rfc3339(at: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


BRIDGE = SensorThings()
