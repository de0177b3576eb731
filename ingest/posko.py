"""Rows of a Posko Banjir feed: the XML document's bytes in, one ``PoskoRow`` a post out, in centimetres and UTC.

The feed is one document with a row per post (``SP_GET_LAST_STATUS_PINTU_AIR``). Its unit, **millimetres**, is declared
nowhere; ``TANGGAL`` is the reading's time, with an offset or, in older dumps, on the local clock; a post whose limits
were never entered carries one number three times (5000/5000/5000), while 0 and negatives are limits. A row that gives
no reading says why in ``problem``; its neighbours are not touched by it.

The document comes from elsewhere, so it is bounded and may have no DTD: no entities, neither external nor nested.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from xml.parsers import expat

import msgspec

from ingest.complaint import shown
from ingest.format import Refusal
from ingest.stamp import BACK_MS, DAYS_BACK
from pantau.errors import RefusedMessage

__all__ = ["MAX_BYTES", "MAX_ROWS", "Limits", "PoskoRow", "rows"]

MAX_BYTES = 2_000_000
"""The feed of some forty posts has 40 kB."""
MAX_ROWS = 10_000
_ROW = "SP_GET_LAST_STATUS_PINTU_AIR"
_ROOT = "DocumentElement"
_MAX_DEPTH = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{1,9})?")
_STAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[T ]"
    r"(?P<hour>[0-9]{2})[:.](?P<minute>[0-9]{2})(?:[:.](?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_ENCODINGS = {"utf-8", "utf-16", "us-ascii", "iso-8859-1", "windows-1252"}
_NEVER = {1, 1970, 2001}
"""Years of the stamps that stand for "never": a day of these was before the feed."""


class Limits(msgspec.Struct, frozen=True):
    """Lower bounds as the feed has them, cm above the post's own zero; None: not set. Smaller numbers are worse."""

    siaga3: float | None
    siaga2: float | None
    siaga1: float | None


class PoskoRow(msgspec.Struct, frozen=True, kw_only=True):
    """One post of the feed.

    Attributes:
        index: place in the document, from 0.
        id: ``ID_PINTU_AIR``, stable; two sensors of one post have two, with different zeros.
        code: ``KODE_STASIUN``.
        name: ``NAMA_PINTU_AIR``, which is not stable.
        river: ``LOKASI``.
        status: what the feed itself calls it, e.g. ``Status : Siaga 3``.
        level_cm: ``TINGGI_AIR``, cm above the post's own zero.
        observed_at: ``TANGGAL``, ms since 1970 UTC.
        limits_cm: None when they were never set.
        problem: why the row gives no reading; level_cm and observed_at are both there when it is None.
    """

    index: int
    id: str = ""
    code: str = ""
    name: str = ""
    river: str = ""
    status: str = ""
    level_cm: float | None = None
    observed_at: int | None = None
    limits_cm: Limits | None = None
    problem: Refusal | None = None


def rows(xml: bytes, zone: tzinfo | None = None, received_at: int | None = None) -> list[PoskoRow]:
    """All rows of a document, in its order.

    Args:
        xml: the document as fetched.
        zone: of times without an offset; without it they are a problem (``naive_time``).
        received_at: ms; a time more than 366 days before it is a problem (``clock_not_set``). Without it only the
            sentinel years 1, 1970 and 2001 are.

    Raises:
        RefusedMessage: it is no such document: ``empty``, ``too_large``, ``not_xml``, ``not_posko``, ``too_many``.
    """
    found = _fields(xml)
    return [_row(index, fields, zone, received_at) for index, fields in enumerate(found)]


def _fields(xml: bytes) -> list[dict[str, str]]:
    if len(xml) > MAX_BYTES:
        raise RefusedMessage("too_large", f"the document has {len(xml)} bytes, at most {MAX_BYTES}")
    if not xml.strip():
        raise RefusedMessage("empty", "the payload is empty")
    document = _Document()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.XmlDeclHandler = document.declaration
    parser.StartDoctypeDeclHandler = document.doctype
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.text
    try:
        # In one piece: fed in many, an older expat takes quadratic time for one long token.
        parser.Parse(xml, True)  # noqa: FBT003 - expat's parameter has no name
    except expat.ExpatError as error:
        raise RefusedMessage(
            "not_xml", f"payload {shown(xml[:60])} is not XML: {shown(str(error))}"
        ) from None
    return document.rows()


class _Document:
    """Collects the text of the fields of each row; everything else in the document is passed over."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._rows: list[dict[str, str]] = []
        self._text: list[str] = []
        self._root = ""

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        # Any other name would be looked up among Python's codecs, which raise what they like.
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise RefusedMessage("not_xml", f"the encoding is {shown(encoding)}: send UTF-8")

    def doctype(self, *_declaration: object) -> None:
        raise RefusedMessage("not_xml", "the document has a DTD, which the feed never has: not read further")

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._root = self._root or name
        self._path.append(name)
        if len(self._path) > _MAX_DEPTH:
            raise RefusedMessage("not_posko", f"elements are nested more than {_MAX_DEPTH} deep")
        if len(self._path) == 2 and name == _ROW:
            if len(self._rows) == MAX_ROWS:
                raise RefusedMessage("too_many", f"the document has more than {MAX_ROWS} rows")
            self._rows.append({})
        self._text.clear()

    def text(self, text: str) -> None:
        if len(self._path) == 3 and self._path[1] == _ROW:
            self._text.append(text)

    def end(self, name: str) -> None:
        if len(self._path) == 3 and self._path[1] == _ROW:
            self._rows[-1][name.upper()] = "".join(self._text).strip()
        self._path.pop()
        self._text.clear()

    def rows(self) -> list[dict[str, str]]:
        if self._rows:
            return self._rows
        if self._root == _ROOT:
            raise RefusedMessage("empty", f"the document has no row {_ROW}")
        raise RefusedMessage(
            "not_posko",
            f"the document's root is {shown(self._root)}, without any {_ROW}: expected {_ROOT} with such rows",
        )


def _row(index: int, fields: dict[str, str], zone: tzinfo | None, received_at: int | None) -> PoskoRow:
    level = at = problem = None
    try:
        level = _level(fields.get("TINGGI_AIR", ""))
        at = _instant(fields.get("TANGGAL", ""), zone, received_at)
    except RefusedMessage as refused:
        post = shown(fields.get("ID_PINTU_AIR", ""))
        problem = Refusal(refused.code, f"post {post}: {refused.reason}", index)
    return PoskoRow(
        index=index,
        id=fields.get("ID_PINTU_AIR", ""),
        code=fields.get("KODE_STASIUN", ""),
        name=fields.get("NAMA_PINTU_AIR", ""),
        river=fields.get("LOKASI", ""),
        status=fields.get("STATUS_SIAGA", ""),
        level_cm=level,
        observed_at=at,
        limits_cm=_limits(fields),
        problem=problem,
    )


def _level(text: str) -> float:
    if not text:
        raise RefusedMessage("missing_field", "TINGGI_AIR is missing or empty: there is no level")
    level = _centimetres(text)
    if level is None:
        raise RefusedMessage("bad_value", f"TINGGI_AIR is {shown(text)}: expected millimetres, e.g. 1650")
    return level


def _centimetres(text: str) -> float | None:
    return round(float(text) / 10, 6) if _NUMBER.fullmatch(text) else None


def _limits(fields: dict[str, str]) -> Limits | None:
    given = [_centimetres(fields.get(name, "")) for name in ("SIAGA3", "SIAGA2", "SIAGA1")]
    # One number three times is a placeholder (5000/5000/5000), three blanks are none at all.
    return None if len(set(given)) == 1 else Limits(*given)


def _instant(text: str, zone: tzinfo | None, received_at: int | None) -> int:
    if not text:
        raise RefusedMessage("missing_field", "TANGGAL is missing or empty: the reading has no time")
    stamp = _STAMP.fullmatch(text)
    if stamp is None:
        raise _bad_time(text)
    year, month, day, hour, minute, second = (int(stamp[name] or 0) for name in _PARTS)
    micro = int((stamp["fraction"] or "").ljust(6, "0")[:6])
    offset = _offset(stamp["offset"], zone, text)
    try:
        local = datetime(year, month, day, hour, minute, second, micro, offset)
    except ValueError:
        raise _bad_time(text) from None
    if received_at is None and local.year in _NEVER:
        raise RefusedMessage("clock_not_set", f"TANGGAL is {shown(text)}, which stands for never")
    at = (local - _EPOCH) // timedelta(milliseconds=1)
    if received_at is not None and at < received_at - BACK_MS:
        raise RefusedMessage(
            "clock_not_set",
            f"TANGGAL is {shown(text)}, more than {DAYS_BACK} days before it was received: the post has not measured "
            "since, or its clock was never set",
        )
    return at


def _offset(text: str | None, zone: tzinfo | None, stamp: str) -> tzinfo:
    if text == "Z":
        return UTC
    if text is not None:
        minutes = int(text[1:3]) * 60 + int(text[-2:])
        if minutes >= 24 * 60:
            raise _bad_time(stamp)
        return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
    if zone is None:
        raise RefusedMessage("naive_time", f"TANGGAL {shown(stamp)} has no offset: nobody knows which zone")
    return zone


def _bad_time(text: str) -> RefusedMessage:
    return RefusedMessage(
        "bad_time", f"TANGGAL is {shown(text)}: expected 2026-04-30T10:00:00+07:00 or 2026-04-30 10:00:00"
    )
