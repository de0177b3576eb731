"""Line protocol: one reading is one line, and a tag comes back as it was."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.store.line import head, parse_tag, tag, to_line
from pantau.reading import Flag, Reading


def line(**fields: object) -> str:
    given = {
        "station": "116",
        "kind": "water_level",
        "value": 1.0,
        "observed_at": 5,
        "received_at": 7,
        **fields,
    }
    reading = Reading(**given)  # type: ignore[arg-type]
    return to_line(reading, head("contoh", reading))


def test_a_reading_is_a_line_with_all_its_fields() -> None:
    assert line(value=-2, flag=Flag.SUSPECT, reason='off by "3"') == (
        "water_level,city=contoh,sensor=main,station=116 "
        'value=-2.0,flag=3i,received_at=7i,reason="off by \\"3\\"" 5'
    )


def test_a_good_reading_has_no_reason_and_no_field_for_it() -> None:
    assert line(flag=Flag.GOOD) == (
        "water_level,city=contoh,sensor=main,station=116 value=1.0,flag=1i,received_at=7i 5"
    )


def test_an_empty_reason_of_another_flag_is_written_so_that_it_clears_the_former_one() -> None:
    assert 'reason=""' in line(flag=Flag.SUSPECT)


def test_signs_of_the_protocol_are_escaped() -> None:
    assert "sensor=a\\ b\\,c\\=d" in line(sensor="a b,c=d")
    assert "sensor=a%5Cb%0Ac%25" in line(sensor="a\\b\nc%")


@given(st.text())
def test_any_tag_comes_back(text: str) -> None:
    assert parse_tag(tag(text)) == text


@given(reason=st.text(), sensor=st.text(min_size=1), station=st.text(min_size=1))
def test_no_text_makes_a_second_line(reason: str, sensor: str, station: str) -> None:
    assert len(line(reason=reason, sensor=sensor, station=station).encode().split(b"\n")) == 1
