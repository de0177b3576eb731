"""A guard: what a detector answered in, the same out, or an error that names the broken rule."""

import math
from collections.abc import Sequence

import msgspec

from models.detector import Detector
from pantau.errors import PluginError
from pantau.event import Score

__all__ = ["checked", "checked_one"]


def checked(detector: Detector, answers: Sequence[Score | None], asked: int) -> list[Score | None]:
    """Answers with their scores rounded to the two digits that are told and shown.

    Args:
        detector: who answered.
        answers: one a sample.
        asked: number of samples.

    Raises:
        PluginError: another number of answers, or a score outside 0..1.
    """
    if len(answers) != asked:
        raise PluginError(
            f"detector {detector.name!r}: {len(answers)} answers to {asked} samples, expected one each"
        )
    return [None if answer is None else _rounded(detector, answer) for answer in answers]


def checked_one(detector: Detector, answers: Sequence[Score | None]) -> Score | None:
    """``checked`` of the answer to one sample."""
    if len(answers) != 1:
        checked(detector, answers, 1)
    answer = answers[0]
    return None if answer is None else _rounded(detector, answer)


def _rounded(detector: Detector, answer: Score) -> Score:
    if not (math.isfinite(answer.score) and 0.0 <= answer.score <= 1.0):
        raise PluginError(f"detector {detector.name!r}: score {answer.score!r}, expected 0..1")
    rounded = round(answer.score, 2)
    return answer if rounded == answer.score else msgspec.structs.replace(answer, score=rounded)
