"""A Posko Banjir feed written at random is read row by row; no bytes give another error, none keep the parser busy."""

from datetime import UTC, datetime, timedelta, timezone
from time import perf_counter
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.posko import MAX_ROWS, Limits, PoskoRow, rows
from pantau.errors import RefusedMessage
from tests.ingest.small_city import T0

ROW = "SP_GET_LAST_STATUS_PINTU_AIR"
ZONE = ZoneInfo("Asia/Jakarta")
WORDS = st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=12).map(str.strip)


def document(*found: dict[str, str], encoding: str = "utf-8") -> bytes:
    body = "".join(
        f"<{ROW}>{''.join(f'<{key}>{escape(value)}</{key}>' for key, value in fields.items())}</{ROW}>"
        for fields in found
    )
    return f'<?xml version="1.0" encoding="{encoding}"?><DocumentElement>{body}</DocumentElement>'.encode(
        encoding
    )


@st.composite
def posts(draw: st.DrawFn) -> tuple[dict[str, str], int, float]:
    at = T0 - draw(st.integers(0, 86_400)) * 1000
    moment = datetime.fromtimestamp(at / 1000, UTC)
    offset = draw(st.integers(-14 * 60, 14 * 60))
    stamp = draw(
        st.sampled_from(
            [
                moment.astimezone(timezone(timedelta(minutes=offset))).isoformat(),
                moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S"),
                moment.astimezone(ZONE).strftime("%Y-%m-%d %H.%M.%S"),
                moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            ]
        )
    )
    mm = draw(st.integers(-60_475, 100_000))
    fields = {
        "ID_PINTU_AIR": draw(WORDS),
        "NAMA_PINTU_AIR": draw(WORDS),
        "TANGGAL": stamp,
        "TINGGI_AIR": str(mm),
    }
    return fields, at, mm / 10


@given(st.lists(posts(), min_size=1, max_size=6), st.sampled_from(["utf-8", "utf-16"]))
def test_every_row_is_read(found: list[tuple[dict[str, str], int, float]], encoding: str) -> None:
    read = rows(document(*(fields for fields, *_ in found), encoding=encoding), ZONE, T0)
    assert [(row.index, row.id, row.name, row.observed_at, row.level_cm) for row in read] == [
        (index, fields["ID_PINTU_AIR"], fields["NAMA_PINTU_AIR"], at, level)
        for index, (fields, at, level) in enumerate(found)
    ]
    assert all(row.problem is None for row in read)


@given(st.lists(posts(), min_size=1, max_size=5), st.data())
def test_a_broken_row_changes_none_of_its_neighbours(
    found: list[tuple[dict[str, str], int, float]], data: st.DataObject
) -> None:
    good = [fields for fields, *_ in found]
    whole = rows(document(*good), ZONE, T0)
    broken = data.draw(st.integers(0, len(good) - 1))
    field = data.draw(st.sampled_from(["TANGGAL", "TINGGI_AIR"]))
    good[broken] = {
        **good[broken],
        field: data.draw(st.sampled_from(["", "x", "1970-01-01 00:00:00", "1e9", "NaN"])),
    }
    read = rows(document(*good), ZONE, T0)
    assert [row for row in read if row.index != broken] == [row for row in whole if row.index != broken]
    problem = read[broken].problem
    assert problem is not None
    assert problem.index == broken


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f"<DocumentElement>{text}".encode()))
def test_any_bytes_are_rows_or_refused(payload: bytes) -> None:
    refused = None
    try:
        found = rows(payload, ZONE, T0)
    except RefusedMessage as error:
        refused, found = error, []
    assert all(isinstance(row, PoskoRow) for row in found)
    assert refused is None or refused.reason.isprintable()


def limits(three: str, two: str, one: str) -> Limits | None:
    (row,) = rows(document({"SIAGA3": three, "SIAGA2": two, "SIAGA1": one}))
    return row.limits_cm


@pytest.mark.parametrize(
    ("given_mm", "expected"),
    [
        (("800", "1500", "2000"), Limits(80, 150, 200)),
        (("-500", "0", "450"), Limits(-50, 0, 45)),
        (("5000", "5000", "5000"), None),
        (("0", "0", "0"), None),
        (("", "", ""), None),
        (("800", "", "2000"), Limits(80, None, 200)),
        (("5000", "5000", "6000"), Limits(500, 500, 600)),
    ],
)
def test_a_placeholder_is_no_limit_and_zero_is_one(
    given_mm: tuple[str, str, str], expected: Limits | None
) -> None:
    assert limits(*given_mm) == expected


@pytest.mark.parametrize("year", ["0001", "1970", "2001"])
def test_sentinel_years_are_seen_without_a_clock(year: str) -> None:
    (row,) = rows(document({"TANGGAL": f"{year}-01-01T00:00:00+07:00", "TINGGI_AIR": "1"}))
    assert row.problem is not None
    assert row.problem.code == "clock_not_set"


def test_a_time_without_offset_needs_a_zone() -> None:
    (row,) = rows(document({"TANGGAL": "2026-01-01 00:00:00", "TINGGI_AIR": "1"}))
    assert row.problem is not None
    assert row.problem.code == "naive_time"


def test_a_row_that_is_no_reading_still_says_what_it_knows() -> None:
    (row,) = rows(
        document(
            {"ID_PINTU_AIR": "7", "TINGGI_AIR": "1650", "SIAGA1": "9", "STATUS_SIAGA": "Status : Normal"}
        )
    )
    assert (row.id, row.level_cm, row.status, row.limits_cm) == (
        "7",
        165.0,
        "Status : Normal",
        Limits(None, None, 0.9),
    )


LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<DocumentElement/>", "empty"),
        (b"<html/>", "not_posko"),
        (f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><x>&l9;</x>'.encode(), "not_xml"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><x>&e;</x>', "not_xml"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>', "not_xml"),
        (b"<DocumentElement>&unknown;</DocumentElement>", "not_xml"),
        (b'<?xml version="1.0" encoding="unicode_escape"?><x/>', "not_xml"),
        (b'<?xml version="1.0" encoding="utf-7"?><x/>', "not_xml"),
        (b"<a>" * 600_000, "not_posko"),
        (b"<DocumentElement>" + f"<{ROW}/>".encode() * (MAX_ROWS + 1) + b"</DocumentElement>", "too_many"),
        (b"<a " + b"x" * 1_900_000, "not_xml"),
        (b"<a>" + b" " * 2_000_000, "too_large"),
    ],
    ids=lambda found: found if isinstance(found, str) else None,
)
def test_what_is_no_feed_is_refused_at_once(payload: bytes, code: str) -> None:
    began = perf_counter()
    with pytest.raises(RefusedMessage, match=f"^{code}:"):
        rows(payload, ZONE, T0)
    assert perf_counter() - began < 2
