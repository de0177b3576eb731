import json
from collections import Counter
from itertools import pairwise

import pytest

from pantau.city import City
from pantau.errors import ConfigError
from simulators.fleet import FEWEST_READINGS, Fleet
from simulators.load import encode_publish

START = 1_769_904_000_000


def fleet(city: City, count: int = 60, each: int = 50) -> Fleet:
    return Fleet(city, count=count, each=each, step_ms=1000, start=START, seed=1)


def sent(plan: Fleet) -> list[tuple[str, dict[str, float]]]:
    return [(message.topic.decode(), json.loads(message.payload)) for message in plan.messages()]


def test_there_are_as_many_messages_as_said_and_only_doubles_repeat(jakarta: City) -> None:
    plan = fleet(jakarta)
    keys = Counter((topic, body["observed_at"]) for topic, body in sent(plan))
    assert len(keys) == plan.readings == 3000
    assert keys.total() == plan.readings + plan.doubles
    assert plan.doubles == sum(count - 1 for count in keys.values()) > 0
    assert len({(topic, json.dumps(body)) for topic, body in sent(plan)}) == plan.readings


def test_messages_come_in_time_order_and_each_sensor_counts(jakarta: City) -> None:
    messages = list(fleet(jakarta).messages())
    assert [m.at for m in messages] == sorted(m.at for m in messages)
    topic = messages[0].topic
    seqs = [json.loads(m.payload)["seq"] for m in messages if m.topic == topic]
    assert seqs == list(range(1, 51))


def test_crossings_are_where_the_ladder_says_and_nobody_else_crosses(jakarta: City) -> None:
    plan = fleet(jakarta)
    crossed: dict[str, int] = {}
    spikes = {(spike.station, spike.observed_at) for spike in plan.spikes()}
    for topic, body in sent(plan):
        station = topic.split("/")[4]
        at = int(body["observed_at"])
        ladder = jakarta.ladder_at(station, at)
        if ladder and ladder.severity_at(body["value"]) and (station, at) not in spikes:
            crossed.setdefault(station, at)
    assert crossed == {one.station: one.at for one in plan.crossings()}
    assert len(crossed) >= 2


def test_a_crossing_rises_without_a_jump_and_stays(jakarta: City) -> None:
    plan = fleet(jakarta)
    station = plan.crossings()[0].station
    values = [body["value"] for topic, body in sent(plan) if topic.endswith(f"/{station}")]
    steps = [after - before for before, after in pairwise(values)]
    assert max(steps) <= 11
    assert 6 <= steps.count(10.0) <= 12
    assert steps[-10:] == [0.0] * 10


def test_a_spike_is_one_reading_far_from_its_neighbours(jakarta: City) -> None:
    plan = fleet(jakarta)
    spike = plan.spikes()[0]
    values = [body["value"] for topic, body in sent(plan) if topic.endswith(f"/{spike.station}")]
    place = values.index(spike.value)
    assert values[place] - values[place - 1] > 290
    assert values[place] - values[place + 1] > 290


def test_more_devices_than_stations_become_further_sensors(contoh: City) -> None:
    sensors = fleet(contoh, count=20).sensors()
    assert len(set(sensors)) == 20
    assert Counter(sensor for _, sensor in sensors) == {"main": 8, "s1": 8, "s2": 4}


@pytest.mark.parametrize(
    ("count", "each", "step_ms"), [(0, 50, 1000), (1, FEWEST_READINGS - 1, 1000), (1, 50, 0)]
)
def test_a_plan_that_cannot_be_is_told(contoh: City, count: int, each: int, step_ms: int) -> None:
    with pytest.raises(ConfigError, match="take fewer devices"):
        Fleet(contoh, count=count, each=each, step_ms=step_ms, start=START)


def test_a_packet_is_a_publish_at_qos_1_with_a_number_that_never_is_zero() -> None:
    packet = encode_publish(b"a/b", b"{}", 0)
    assert packet == b"\x32\x09\x00\x03a/b\x00\x01{}"
    assert encode_publish(b"a/b", b"{}", 65_534)[7:9] == b"\xff\xff"
    assert encode_publish(b"a/b", b"{}", 65_535)[7:9] == b"\x00\x01"
    assert encode_publish(b"a/b", b"x" * 200, 0)[:3] == b"\x32\xcf\x01"


def test_arrays_hold_the_same_readings_as_single_messages(jakarta: City) -> None:
    plan = fleet(jakarta, count=40, each=50)
    single: dict[str, list[dict[str, float]]] = {}
    for topic, body in sent(plan):
        single.setdefault(topic, []).append(body)
    packed: dict[str, list[dict[str, float]]] = {}
    arrays = list(plan.arrays(20))
    for message in arrays:
        bodies = json.loads(message.payload)
        assert message.at == bodies[-1]["observed_at"]
        packed.setdefault(message.topic.decode(), []).extend(bodies)
    assert packed == single
    assert len(arrays) == 40 * 3
    assert {len(json.loads(message.payload)) for message in arrays} == {20, 22, 10, 11}


def test_crossings_and_spikes_come_one_by_one(jakarta: City) -> None:
    plan = fleet(jakarta, count=60, each=200)
    crossings = [one.at for one in plan.crossings()]
    spikes = [one.observed_at for one in plan.spikes()]
    assert len(set(crossings)) == len(crossings) > 1
    assert len({at // 1000 for at in spikes}) == len(spikes) > 1
    assert max(crossings) < min(spikes)
