"""What is worth telling."""

from models.voice import Voice
from pantau.ladder import Ladder

LADDER = Ladder(limits=(0.5, None, None), deadband=0.1, hold_ms=1_000)


def _told(scores: list[tuple[int, float]], *, gap_ms: int = 10_000) -> list[int]:
    voice = Voice()
    return [at for at, score in scores if voice.speaks(LADDER, score, at, gap_ms=gap_ms)]


def test_the_first_score_and_each_change_are_told() -> None:
    assert _told([(1, 0.0), (2, 0.0), (3, 0.2), (4, 0.2), (5, 0.0)]) == [1, 3, 5]


def test_while_a_severity_is_in_force_each_score_is_told_until_the_hold_has_passed() -> None:
    assert _told([(1, 0.9), (500, 0.0), (900, 0.0), (1_500, 0.0), (1_600, 0.0)]) == [1, 500, 900, 1_500]


def test_a_gap_starts_the_hold_anew() -> None:
    scores = [(1, 0.9), (500, 0.0), (2_000, 0.0), (2_900, 0.0), (3_000, 0.0), (3_100, 0.0)]
    assert _told(scores, gap_ms=1_000) == [1, 500, 2_000, 2_900, 3_000]
