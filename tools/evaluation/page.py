"""Writes docs/evaluation.md: a plan and what was measured in, Markdown out; a run that was not measured is left out."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tools.evaluation.measure import Measured, Row
from tools.evaluation.plan import Cut, Plan, Run, Section, Source, Target, runs_of

__all__ = ["Verdict", "judged", "page", "table"]

PRODUCT = "pantau"
_LOW, _HIGH = "_low", "_high"
_HEAD = "<!-- Written by `make evaluate` from tools/evaluate.toml and docs/evaluation/measured.json: do not edit. -->"


def page(plan: Plan, measured: Mapping[str, Measured]) -> str:
    """The document."""
    fresh = {run.id: _named(measured[run.id]) for run in runs_of(plan) if _is_fresh(run, measured)}
    parts = [
        _HEAD,
        "# Evaluation",
        plan.intro,
        "## Targets",
        plan.reading,
        _targets(plan.targets, fresh),
        "## What must not be concluded",
        plan.conclusions,
    ]
    for section in plan.sections:
        parts += _section(section, fresh)
    used = " ".join(one.command for one in fresh.values())
    cuts = [one for one in plan.cuts if f"{{cuts}}/{one.name}.csv" in used]
    files = used + " ".join(one.file for one in cuts)
    parts += ["## How to reproduce", _reproduce(cuts, fresh)]
    parts += ["## Data", _sources([one for one in plan.sources if one.folder in files])]
    parts += ["## Known limits", plan.limits]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def table(rows: Sequence[Row]) -> str:
    """Rows as a Markdown table; ``x_low`` and ``x_high`` become the interval behind ``x``, the product is in bold."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    shown = [name for name in names if _interval_of(name) not in names]
    numeric = {name: all(not isinstance(row.get(name), str) for row in rows) for name in shown}
    lines = [
        f"| {' | '.join(shown)} |",
        f"| {' | '.join('---:' if numeric[name] else '---' for name in shown)} |",
    ]
    for row in rows:
        cells = [_cell(row, name) for name in shown]
        if row.get("model") == PRODUCT:
            cells = [f"**{cell}**" for cell in cells]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


class Verdict(NamedTuple):
    """The worst row of one model that a target speaks of.

    Attributes:
        value: of the column.
        words: with its interval, where it has one.
        run: where it was found.
        bounds: the interval; empty where there is none.
    """

    value: float
    words: str
    run: str
    bounds: tuple[float, ...] = ()

    def told(self, *, met: bool, bound: float) -> str:
        """Whether a bound is met, and whether the interval leaves that open."""
        words = "met" if met else "**not met**"
        is_open = bool(self.bounds) and self.bounds[0] < bound < self.bounds[-1]
        return f"{words}, not certain" if is_open else words


def judged(target: Target, measured: Mapping[str, Measured], model: str = PRODUCT) -> Verdict | None:
    """The worst value of a model; None where a run was not made, no row fits, or a value is not defined."""
    if any(run not in measured for run in target.runs):
        return None
    found = []
    for run in target.runs:
        for row in measured[run].rows:
            fits = all(_text(row.get(name)) in texts for name, texts in target.where.items())
            if fits and row.get("model", PRODUCT) == model:
                if not isinstance(row.get(target.key), int | float):
                    return None
                value = float(row[target.key])
                found.append(Verdict(value, _cell(row, target.key), run, _bounds(row, target.key)))
    worst = min if target.at_least is not None else max
    return worst(found, key=lambda one: one.value) if found else None


def _targets(targets: Sequence[Target], measured: Mapping[str, Measured]) -> str:
    lines = ["| what | target | measured | best beside it | |", "| --- | --- | --- | --- | --- |"]
    for target in targets:
        sign, bound = ("≥", target.at_least) if target.at_least is not None else ("≤", target.at_most)
        found = judged(target, measured)
        if found is None or bound is None:
            told, verdict = "-", "not measured"
        else:
            met = found.value >= bound if sign == "≥" else found.value <= bound
            told = f"{found.words}{f' ({found.run})' if len(target.runs) > 1 else ''}"
            verdict = (
                "tuned on these data: no claim" if target.in_sample else found.told(met=met, bound=bound)
            )
        verdict += f"; {target.note}" if target.note else ""
        wanted = "-" if bound is None else f"{sign} {_number(bound)}"
        lines.append(f"| {target.what} | {wanted} | {told} | {_best(target, measured)} | {verdict} |")
    return "\n".join(lines)


def _best(target: Target, measured: Mapping[str, Measured]) -> str:
    """The baseline that comes nearest to the target, judged as the product is."""
    rows = [row for run in target.runs if run in measured for row in measured[run].rows]
    others = [
        name for name in dict.fromkeys(str(row.get("model", PRODUCT)) for row in rows) if name != PRODUCT
    ]
    found = [(name, judged(target, measured, name)) for name in others]
    known = [(name, one) for name, one in found if one is not None]
    if not known:
        return "-"
    best = max if target.at_least is not None else min
    name, one = best(known, key=lambda pair: pair[1].value)
    return f"{name} {one.words}"


def _section(section: Section, measured: Mapping[str, Measured]) -> Iterator[str]:
    runs = [run for run in section.runs if run.id in measured]
    if not runs:
        return
    yield f"## {section.title}"
    yield section.text
    for run in runs:
        yield f"### {run.title}"
        out = f" --out out/{run.id}.csv" if run.pictures else ""
        yield f"```sh\npantau evaluate {_shown(run, run.command)}{out}\n```"
        yield table(measured[run.id].rows)
        if run.text:
            yield run.text
        for picture in run.pictures:
            yield f"![{picture.words}](evaluation/{picture.file})"
            yield f"{picture.words} (`pantau plot {_shown(run, picture.command)}`)"


def _reproduce(cuts: Sequence[Cut], measured: Mapping[str, Measured]) -> str:
    minutes = max(1, round(sum(one.seconds for one in measured.values()) / 60))
    text = f"""`PANTAU_RECORDINGS` names the folder of recordings, `../shared/data/recordings` when unset. All runs together took
{minutes} minute{"s" if minutes > 1 else ""} on a machine with two cores. Each row as `--json` printed it: [measured.json](evaluation/measured.json).

```sh
make evaluate                                # everything: figures, plots, this page
make evaluate ARGS="--only {next(iter(measured), "nab")}" # one run; the others stay as they are
make evaluate ARGS="--keep out"              # leave what the commands write with --out in a folder
```"""  # noqa: E501 - as wide as the page
    if not cuts:
        return text
    lines = [
        f"awk -F, 'NR == 1 || ({_between(one)})' \"$PANTAU_RECORDINGS/{one.file}\" > cuts/{one.name}.csv"
        for one in cuts
    ]
    return (
        f"{text}\n\nThe cuts by time, which a model never sees both sides of:\n\n```sh\n"
        + "\n".join(lines)
        + "\n```"
    )


def _between(one: Cut) -> str:
    bounds = [f'$1 >= "{one.start}"'] if one.start else []
    bounds += [f'$1 < "{one.end}"'] if one.end else []
    return " && ".join(bounds)


def _sources(sources: Sequence[Source]) -> str:
    lines = ["| recordings | what | origin | licence |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.folder}` | {one.what} | {one.origin} | {one.licence} |" for one in sources]
    return "\n".join(lines)


def _is_fresh(run: Run, measured: Mapping[str, Measured]) -> bool:
    """Whether it was measured with the command that the plan has now."""
    return run.id in measured and measured[run.id].command == run.command


def _named(one: Measured) -> Measured:
    """Columns that are only called ``low`` and ``high`` are the interval of the column before them."""
    rows = []
    for row in one.rows:
        names = list(row)
        if "low" in names[1:] and "high" in names:
            column = names[names.index("low") - 1]
            ends = {"low": column + _LOW, "high": column + _HIGH}
            row = {ends.get(name, name): value for name, value in row.items()}  # noqa: PLW2901 - the same row, renamed
        rows.append(row)
    return Measured(one.command, one.seconds, rows)


def _shown(run: Run, command: str) -> str:
    """A command as a person types it."""
    return command.format(recordings='"$PANTAU_RECORDINGS"', cuts="cuts", out=f"out/{run.id}.csv")


def _interval_of(name: str) -> str:
    """Of which column this one is a bound of the interval; empty where it is none."""
    return next((name.removesuffix(end) for end in (_LOW, _HIGH) if name.endswith(end)), "")


def _cell(row: Row, name: str) -> str:
    bounds = _bounds(row, name)
    interval = f" ({' to '.join(map(_number, bounds))})" if bounds else ""
    return f"{_text(row.get(name))}{interval}"


def _bounds(row: Row, name: str) -> tuple[float, ...]:
    """The 95 % interval of a column; empty where there is none."""
    low, high = row.get(name + _LOW), row.get(name + _HIGH)
    return () if low is None or high is None else (float(low), float(high))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return _number(value) if isinstance(value, int | float) else str(value).replace("|", "\\|")


def _number(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
