"""A recording of any place: units, order, doubles, and every mistake with its line."""

from pathlib import Path

import pytest

from pantau.errors import ConfigError
from simulators.series import read_series


def written(folder: Path, text: str, name: str = "r.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_levels_come_out_in_cm_in_order_and_the_last_of_two_stays(tmp_path: Path) -> None:
    first = written(
        tmp_path,
        "time,station,value,unit,note\n2020-01-01T01:00:00Z,a,120,mm,x\n2020-01-01T07:00:00+07:00,a,10,cm,\n"
        "2020-01-01T01:00:00Z,a,1.25,m,\n\n2020-01-01T00:00:00Z,b,7,persons/h,\n",
    )
    second = written(tmp_path, "unit,value,station,time\ncm,5,a,2019-12-31T23:00:00Z\n", "s.csv")
    found = read_series(first, second)
    assert list(found) == ["a", "b"]
    assert list(found["a"].items()) == [
        (1_577_833_200_000, 5.0), (1_577_836_800_000, 10.0), (1_577_840_400_000, 125.0),
    ]  # fmt: skip
    assert (found["a"].name, found["b"].name) == ("cm", "persons/h")


@pytest.mark.parametrize(
    "time",
    ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z", "2020-01-01 07:00:00+07:00", "2020-01-01t00:00:00z"],
)
@pytest.mark.parametrize("text", ["{},a,5,cm\r\n", '"{}","a","5","cm"\n', "\n  \n{}, a , 0.05 ,m\n\n"])
def test_every_way_to_write_the_same_gives_the_same(tmp_path: Path, time: str, text: str) -> None:
    found = read_series(written(tmp_path, "\ufefftime,station,value,unit\n" + text.format(time)))
    assert [(name, *series.items()) for name, series in found.items()] == [("a", (1_577_836_800_000, 5.0))]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "time,value,unit\n",
            ":1: column(s) station missing; expected time,station,value,unit in the header",
        ),
        (
            "time,station,value,unit\n2020-01-01T00:00:00,a,1,cm\n",
            ":2: time is '2020-01-01T00:00:00', expected RFC 3339",
        ),
        (
            "time,station,value,unit\n2020-01-01T00:00:00Z,a,1,cm\nyesterday,a,1,cm\n",
            ":3: time is 'yesterday'",
        ),
        (
            "time,station,value,unit\n2020-01-01T00:00:00Z,a,1 m,cm\n",
            ":2: value is '1 m', expected a finite number",
        ),
        ("time,station,value,unit\n2020-01-01T00:00:00Z,a,inf,cm\n", ":2: value is 'inf'"),
        ("time,station,value,unit\n2020-01-01T00:00:00Z,a,1e307,m\n", ":2: value is '1e307'"),
        ("time,station,value,unit\n2020-01-01T00:00:00Z,,1,m\n", ":2: station is '', expected a name"),
        ("time,station,value,unit\n2020-01-01T00:00:00Z,a,12,5,cm\n", ":2: 5 fields, expected 4"),
        ("time;station;value;unit\n", "found 'time;station;value;unit'"),
        ("time,station,value,unit\n", "has no rows"),
        (
            "time,station,value,unit\n2020-01-01T00:00:00Z,a,1,cm\n2020-01-01T01:00:00Z,a,1,m3/s\n",
            "station 'a' has units",
        ),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"r\.csv") as error:
        read_series(written(tmp_path, text))
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_series(tmp_path / "nowhere.csv")
