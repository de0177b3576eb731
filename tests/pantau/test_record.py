"""The newest record of each sensor, whatever came before it."""

from hypothesis import given
from hypothesis import strategies as st

from pantau.record import LatestRecord, Newest


def record(station: str, sensor: str, value: float) -> LatestRecord:
    return LatestRecord(
        station=station, sensor=sensor, kind="water_level", value=value, flag=1, reason="", observed_at=0, received_at=0
    )  # fmt: skip


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["main", "x", "y"]), st.floats(0, 9)), max_size=12
    )
)
def test_each_sensor_has_its_newest_record_and_a_copy_is_not_changed(
    rows: list[tuple[str, str, float]],
) -> None:
    newest, expected = Newest(), dict[str, dict[str, float]]()
    before, was = newest.copy(), dict[str, dict[str, float]]()
    for index, (station, sensor, value) in enumerate(rows):
        newest.add([record(station, sensor, value)])
        expected.setdefault(station, {})[sensor] = value
        if index == len(rows) // 2:
            before, was = newest.copy(), {name: dict(sensors) for name, sensors in expected.items()}
    for known, values in ((newest, expected), (before, was)):
        found = {name: {one.sensor: one.value for one in records} for name, records in known.items()}
        assert found == values
        assert all(len(records) == len(found[name]) for name, records in known.items()), "one record a sensor"
    assert newest.of("nobody") == ()
