"""The benchmark's own parts: what it sends, what it holds to be true, how it judges a figure."""

import json
import os
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.alerts.receivers import wait_until
from tools.bench.city import FIRST_LIMIT_CM, make_city
from tools.bench.cpu import cpu_s, peak_mib, rss_mib, settle
from tools.bench.disk import Disk
from tools.bench.figures import Figure, print_table
from tools.bench.sweep import Sweep
from tools.bench.webhook import receiver

END = 1_769_904_000_000


def sweep(folder: Path, gauges: int = 301, zones: int = 30, rounds: int = 6) -> Sweep:
    city = make_city(folder, gauges, zones)
    return Sweep(city, rounds=rounds, step_ms=1000, end=END, leave_out=f"g{gauges - 1:06}")


def test_a_sweep_touches_every_sensor_as_often_and_leaves_one_out(tmp_path: Path) -> None:
    plan = sweep(tmp_path)
    messages = list(plan.messages())
    seen = Counter((one.topic, json.loads(one.payload)["observed_at"]) for one in messages)
    assert len(seen) == plan.readings == 330 * 6
    assert seen.total() == plan.readings + plan.doubles == plan.readings + 50
    assert set(Counter(topic for topic, _ in seen).values()) == {6}
    assert not any(topic.endswith(b"/g000300") for topic, _ in seen)
    assert END - 6000 <= min(at for _, at in seen) <= max(at for _, at in seen) < END


def test_rounds_of_a_sweep_are_cut_anywhere(tmp_path: Path) -> None:
    plan = sweep(tmp_path)
    parts = [*plan.messages(0, 2), *plan.messages(2)]
    assert [one.payload for one in parts] == [one.payload for one in plan.messages()]


def test_a_sweep_sends_what_it_says_was_sent(tmp_path: Path) -> None:
    plan = sweep(tmp_path)
    sent = {(one.topic, json.loads(one.payload)["seq"]): json.loads(one.payload) for one in plan.messages()}
    assert sum(body["value"] for body in sent.values()) == pytest.approx(sum(v for _, v in plan.values()))
    above = {
        topic.decode().rpartition("/")[2]
        for (topic, seq), body in sent.items()
        if body["unit"] == "cm" and body["value"] >= FIRST_LIMIT_CM and seq == plan.rounds
    }
    assert above == {one.station for one in plan.crossings()}
    assert len(above) == len(plan.spikes()) == 50
    spike = plan.spikes()[0]
    values = [body["value"] for (topic, _), body in sent.items() if topic.endswith(spike.station.encode())]
    assert values.index(spike.value) == plan.rounds - 2
    assert max(values) - values[-1] > 290
    crossing = plan.crossings()[0]
    values = [body["value"] for (topic, _), body in sent.items() if topic.endswith(crossing.station.encode())]
    assert max(after - before for before, after in pairwise(values)) < 20


def test_a_figure_is_met_on_its_own_side_of_the_target(capsys: pytest.CaptureFixture[str]) -> None:
    low = Figure("a", "7 us", "18 us", 0.39, "x", 0.4)
    high = Figure("b", "9/s", "8/s", 1.4, "x", 1.5, at_least=True)
    free = Figure("c", "1", "", 1.0, "", None)
    assert [one.met for one in (low, high, free)] == [True, False, None]
    print_table([low, high, free])
    lines = capsys.readouterr().out.splitlines()[-3:]
    assert lines == [
        "| a | 7 us | 18 us | 0.39 x | <= 0.4 x | met |",
        "| b | 9/s | 8/s | 1.4 x | >= 1.5 x | not met |",
        "| c | 1 | - | 1 | - | - |",
    ]


def test_the_receiver_notes_when_a_notice_came(tmp_path: Path) -> None:
    with receiver(tmp_path) as notices, httpx.Client(trust_env=False) as client:
        before = time.time_ns()
        for number in range(2):
            assert client.post(notices.url, json={"n": number, "text": "two\nlines"}).status_code == 204
        after = time.time_ns()
        wait_until(lambda: len(notices.read()) == 2)  # it answers first and writes afterwards
        found = notices.read()
    assert [body["n"] for _, body in found] == [0, 1]
    assert all(before < at < after for at, _ in found)


def test_a_process_shows_its_time_and_memory_and_settles(tmp_path: Path) -> None:
    with receiver(tmp_path):
        pid = os.getpid()
        assert cpu_s(pid) > 0
        assert 10 < rss_mib(pid) <= peak_mib(pid)
        began = time.monotonic()
        settle(pid, patience_s=20)
        assert time.monotonic() - began < 5


def test_the_disk_is_asked_until_the_part_is_over(tmp_path: Path) -> None:
    with Disk(tmp_path) as disk:
        while len(disk.waits) < 3:
            time.sleep(0.01)
    waits = list(disk.waits)
    assert waits == sorted(waits)
    assert min(waits) > 0
    time.sleep(0.1)
    assert disk.waits == waits
