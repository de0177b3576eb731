"""What is to be evaluated: ``tools/evaluate.toml`` in, its sections, runs, targets and sources out.

All names of places live in that file. Commands in it may hold ``{recordings}`` (the folder of recordings), ``{cuts}``
(where the cuts lie) and, in pictures, ``{out}`` (what the run wrote with ``--out``).
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

__all__ = ["Cut", "Picture", "Plan", "Run", "Section", "Source", "Target", "load_plan", "runs_of"]


class Cut(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of a recording, by time: ``start`` <= time < ``end``, RFC 3339 in UTC as the file writes it."""

    name: str
    file: str
    start: str = ""
    end: str = ""


class Picture(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``pantau plot <command> --out docs/evaluation/<file>``; ``words`` say what is seen."""

    file: str
    command: str
    words: str


class Run(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """``pantau evaluate <command> --json``; ``title`` stands above its table, ``text`` below the command."""

    id: str
    title: str
    command: str
    text: str = ""
    pictures: list[Picture] = []


class Section(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Runs of one subcommand, with what their columns mean and what they do not tell."""

    title: str
    text: str
    runs: list[Run]


class Target(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What should be reached: the worst of all rows of ``runs`` that fit counts.

    Attributes:
        what: in words.
        runs: identifiers; without any the target is not measured here, and ``note`` says why.
        key: column; where: column -> texts, as the page shows them, of which its value is one.
        at_least, at_most: one of them.
        in_sample: the runs are on data that the product was tuned on, so that the target is neither met nor missed.
    """

    what: str
    runs: list[str] = []
    key: str = ""
    where: dict[str, list[str]] = {}
    at_least: float | None = None
    at_most: float | None = None
    in_sample: bool = False
    note: str = ""


class Source(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A folder of recordings: what it holds, where it is from, under which licence, what of it may be seen here."""

    folder: str
    what: str
    origin: str
    licence: str


class Plan(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file; texts are Markdown. ``reading`` tells how to read the table of targets."""

    intro: str
    reading: str
    conclusions: str
    limits: str
    cuts: list[Cut]
    sections: list[Section]
    targets: list[Target]
    sources: list[Source]


def load_plan(path: Path) -> Plan:
    """Read and check the file.

    Raises:
        ValueError: not of this form, an identifier that occurs twice, or a target of a run that is not there.
    """
    plan = msgspec.toml.decode(path.read_bytes(), type=Plan)
    identifiers = [run.id for run in runs_of(plan)]
    twice = [one for one, count in Counter(identifiers).items() if count > 1]
    strange = [one for target in plan.targets for one in target.runs if one not in identifiers]
    if twice or strange:
        raise ValueError(f"{path}: runs {twice} occur twice, runs {strange} of targets are not there")
    return plan


def runs_of(plan: Plan) -> Iterator[Run]:
    """All runs in the order of the file."""
    for section in plan.sections:
        yield from section.runs
