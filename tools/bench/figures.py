"""The figures that are looked for: each beside its peer and its target, in one Markdown table."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

__all__ = ["Figure", "Found", "print_table", "told"]

_MOST_TOLD = 20


class Figure(NamedTuple):
    """One line of the last table.

    Attributes:
        what: is measured.
        measured, peer: in words, with units; ``peer`` is empty where there is none.
        value: what is compared with the target, in ``unit`` (``x``: the ratio to the peer).
        target: None where none is set.
        at_least: the target is a lower bound, else an upper one.
    """

    what: str
    measured: str
    peer: str
    value: float
    unit: str
    target: float | None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


class Found(NamedTuple):
    """What one part of the benchmark found: figures, and what was wrong with the output."""

    figures: list[Figure]
    problems: list[str]


def print_table(figures: Iterable[Figure]) -> None:
    """Print the table on stdout."""
    print("\n| what | Pantau | beside it | compared | target | |")
    print("| --- | --- | --- | --- | --- | --- |")
    for one in figures:
        sign = ">=" if one.at_least else "<="
        target = "-" if one.target is None else f"{sign} {_number(one.target)} {one.unit}".rstrip()
        verdict = {True: "met", False: "not met", None: "-"}[one.met]
        value = f"{_number(one.value)} {one.unit}".rstrip()
        print(f"| {one.what} | {one.measured} | {one.peer or '-'} | {value} | {target} | {verdict} |")


def told(figures: Iterable[Figure], problems: Sequence[str]) -> int:
    """Print what a whole run found; its exit code."""
    print_table(figures)
    for problem in problems[:_MOST_TOLD]:
        print(f"problem: {problem}")
    if len(problems) > _MOST_TOLD:
        print(f"... and {len(problems) - _MOST_TOLD} more")
    return 1 if problems else 0


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
