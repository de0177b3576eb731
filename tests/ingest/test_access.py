"""Rights as data: no topic that a device may be given reaches what is not a device's."""

import base64
import hashlib
from itertools import product
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ingest.access import (
    ROLES,
    SCRATCH,
    allow,
    first_config,
    new_id,
    problem_of_id,
    problem_of_topic,
    stored_password,
    writes_of,
)
from ingest.dynsec import _credential, _responses
from ingest.topic import matches, may_meet

OURS = (
    "pantau/v1/contoh/public/health",
    "pantau/v1/contoh/notices/duty",
    "pantau/v1/contoh/water_level/awan-1",
    f"{SCRATCH}/1",
    "$SYS/broker/uptime",
    "$CONTROL/dynamic-security/v1",
)
LEVELS = st.sampled_from(["+", "#", "pantau", "v1", "contoh", "public", "frigate", "$SYS", "", "a+", "x#"])


@given(st.lists(LEVELS, max_size=6).map("/".join))
@example("+/v1/#")
@example("pantau/#")
@example("pantau/doctor/+")
@example("#")
def test_no_further_topic_reaches_what_is_ours(topic: str) -> None:
    if not problem_of_topic(topic):
        assert not any(matches(topic, one) for one in OURS)


@given(st.text(max_size=80))
def test_an_id_that_is_taken_is_one_level_of_a_topic_and_no_wildcard(name: str) -> None:
    if not problem_of_id(name):
        assert not set(name) & set("/+#$ \x00")
        assert 0 < len(name) <= 64
        assert name not in ROLES


def test_two_credentials_of_one_station_never_share_an_id() -> None:
    made = {new_id("awan-1") for _ in range(100)}
    assert len(made) == 100
    assert not any(problem_of_id(name) for name in made)


def test_a_station_without_a_sensor_may_name_any_and_one_with_a_sensor_only_that() -> None:
    assert writes_of("contoh", "water_level", "awan-1") == (
        "pantau/v1/contoh/water_level/awan-1",
        "pantau/v1/contoh/water_level/awan-1/+",
    )
    assert writes_of("contoh", "water_level", "awan-1", "radar") == (
        "pantau/v1/contoh/water_level/awan-1/radar",
    )


def test_what_may_be_read_may_be_subscribed_to_and_received() -> None:
    kinds = {(entry["acltype"], entry["topic"]) for entry in allow(write=("a",), read=("b",))}
    assert kinds == {("publishClientSend", "a"), ("subscribePattern", "b"), ("publishClientReceive", "b")}


def test_a_password_is_kept_as_its_salted_hash() -> None:
    kept = stored_password("geheim")
    digest = hashlib.pbkdf2_hmac("sha512", b"geheim", base64.b64decode(kept["salt"]), kept["iterations"])
    assert base64.b64decode(kept["password"]) == digest
    assert stored_password("geheim") != kept
    assert "geheim" not in str(first_config({"admin": "geheim"}))


def test_nobody_may_do_anything_by_default_but_take_a_subscription_back() -> None:
    allowed = first_config({})["defaultACLAccess"]
    assert [right for right, given_ in allowed.items() if given_] == ["unsubscribe"]


@given(st.binary(max_size=200))
@example(b"[" * 5_000)
@example(b'{"responses": 1}')
def test_any_answer_is_understood_or_left(payload: bytes) -> None:
    assert isinstance(_responses(payload), list)


@given(st.dictionaries(st.sampled_from(["textdescription", "textname"]), st.text(max_size=50)))
def test_a_client_that_we_did_not_make_is_left_out(client: dict[str, Any]) -> None:
    assert _credential({**client, "username": "foreign"}) is None


LEVEL = st.sampled_from(["a", "b", "+"])
FILTER = st.tuples(st.lists(LEVEL, min_size=1, max_size=3), st.booleans()).map(
    lambda made: "/".join([*made[0], *(["#"] if made[1] else [])])
)
EVERY = ["/".join(levels) for size in range(1, 6) for levels in product("abc", repeat=size)]


@given(FILTER, FILTER)
def test_two_filters_meet_when_some_topic_matches_both(one: str, other: str) -> None:
    assert may_meet(one, other) is any(matches(one, topic) and matches(other, topic) for topic in EVERY)
    assert may_meet(one, other) is may_meet(other, one)
