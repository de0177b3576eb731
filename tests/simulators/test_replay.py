from app.clock import VirtualClock
from pantau.city import City
from simulators.emission import emissions
from simulators.replay import Played, play, sleep_until
from simulators.row import Row

MINUTE = 60_000


class Kept:
    """A sender that keeps what it is given, with the time on a clock."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.sent: list[tuple[int, str, bytes]] = []

    def send(self, topic: str, payload: bytes) -> None:
        self.sent.append((self.clock.now(), topic, payload))


def rows() -> list[Row]:
    return [
        Row(n * MINUTE, f"awan-{n % 2 + 1}", "water_level", float(n), "main" if n else "spare")
        for n in range(5)
    ]


def test_every_row_is_sent_once_at_its_own_instant(contoh: City) -> None:
    clock = VirtualClock()
    kept = Kept(clock)
    seen = []
    stream = emissions(rows(), contoh)
    played = play(stream, contoh, kept, clock.set, progress=lambda p, e: seen.append((p.messages, e.send_at)))
    assert [at for at, _, _ in kept.sent] == [n * MINUTE for n in range(5)]
    assert kept.sent[0][1] == "pantau/v1/contoh/water_level/awan-1/spare"
    assert kept.sent[1][1] == "pantau/v1/contoh/water_level/awan-2"
    assert played == Played(messages=5, at=4 * MINUTE)
    assert seen == [(n + 1, n * MINUTE) for n in range(5)]


def test_a_shift_moves_sending_and_timestamps_alike(contoh: City) -> None:
    clock = VirtualClock()
    kept = Kept(clock)
    play(emissions(rows(), contoh, shift_ms=1000), contoh, kept, clock.set)
    assert kept.sent[1][0] == MINUTE + 1000
    assert b'"observed_at":61000' in kept.sent[1][2]


def test_waiting_naps_until_the_instant_and_not_at_all_for_the_past() -> None:
    class Slow:
        """A clock on which every nap lasts as long as asked for, at 10 times real time."""

        def __init__(self) -> None:
            self.at = 0

        def now(self) -> int:
            return self.at

        def to_real_s(self, at: int) -> float:
            return (at - self.at) / 10_000

        def nap(self, seconds: float) -> None:
            naps.append(seconds)
            self.at += round(seconds * 10_000)

    naps: list[float] = []
    clock = Slow()
    sleep = sleep_until(clock, clock.nap)
    sleep(12_000)
    assert clock.at >= 12_000
    assert max(naps) <= 0.5
    assert sum(naps) < 1.3
    naps.clear()
    sleep(5_000)
    assert naps == []
