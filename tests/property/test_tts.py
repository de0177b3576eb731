"""The Things Stack uplinks made at random: what the formatter returned is what comes out, defaults left out or not."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import Decoder
from ingest.format import Message
from pantau.city import Binding
from pantau.reading import Reading
from tests.ingest.small_city import T0, small_city

TOPIC = "v3/app@tenant/devices/dev/up"
KEYS = st.text(
    st.characters(codec="ascii", exclude_characters=".", categories=["L", "N"]), min_size=1, max_size=6
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)


def decoder(**options: Any) -> Decoder:
    return Decoder(small_city(Binding("v3/+/devices/+/up", "tts", {"devices": {"dev": "116"}, **options})))


def without_defaults(fields: dict[str, Any]) -> dict[str, Any]:
    """As the stack's own fields are sent: none that is 0, "" or false."""
    return {key: value for key, value in fields.items() if value not in (0, "", False)}


@given(
    path=st.lists(KEYS, min_size=1, max_size=3),
    value=st.floats(-1e6, 1e6) | st.integers(-1000, 1000),
    f_cnt=st.integers(0, 3) | st.integers(0, 2**32 - 1),
    beside=st.dictionaries(KEYS, JSON, max_size=3),
    nanos=st.integers(0, 999_999_999),
)
def test_the_value_and_the_counter_come_out(
    path: list[str], value: float, f_cnt: int, beside: dict[str, Any], nanos: int
) -> None:
    payload: Any = value
    for depth, key in enumerate(reversed(path), 1):
        payload = {**(beside if depth == len(path) else {}), key: payload}
    uplink = without_defaults({"f_cnt": f_cnt, "f_port": 1, "frm_payload": "AA=="})
    uplink |= {"decoded_payload": payload, "received_at": f"2026-01-02T02:59:59.{nanos:09}Z"}
    message = Message(TOPIC, json.dumps({"uplink_message": uplink}).encode(), T0, qos=0)
    batch = decoder(value=".".join(path)).decode([message])
    (reading,) = batch.readings
    assert abs(reading.observed_at - (T0 - 1000 + nanos / 1e6)) <= 1
    assert reading == Reading(
        "116", "water_level", float(value), reading.observed_at, T0, seq=f_cnt, time_source="received"
    )


@given(payload=st.fixed_dictionaries({"uplink_message": st.fixed_dictionaries(
    {"decoded_payload": st.dictionaries(st.just("x"), JSON)},
    optional={"f_cnt": JSON, "f_port": JSON, "frm_payload": JSON, "received_at": JSON},
)}, optional={"received_at": JSON, "simulated": JSON}))  # fmt: skip
def test_whatever_stands_in_the_fields_gives_a_reading_or_a_refusal(payload: dict[str, Any]) -> None:
    batch = decoder(value="x", time="t").decode([Message(TOPIC, json.dumps(payload).encode(), T0)])
    assert len(batch.readings) + len(batch.refused) + batch.ignored == 1
    assert all(refused.code != "format_error" for refused in batch.refused)
    found = payload["uplink_message"]["decoded_payload"].get("x")
    for reading in batch.readings:
        assert reading.value == found
