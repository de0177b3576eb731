"""``make evaluate``: every evaluation of tools/evaluate.toml on the recordings in, docs/evaluation.md and plots out.

Each run is one call of ``pantau evaluate ... --json``. What it printed is kept in docs/evaluation/measured.json, so
that one run can be made again (``--only``) and the page still tells all; ``--write`` makes no run. A run that fails
keeps its former figures if its command is the same, else it is left out of the page; the exit code is 1 then.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.settings import recordings_folder  # noqa: E402 - found from the repository's root
from tools.evaluation.measure import (  # noqa: E402
    Folders,
    Measured,
    cut,
    load_measured,
    measure,
    pantau,
    save_measured,
)
from tools.evaluation.page import page  # noqa: E402
from tools.evaluation.plan import Plan, load_plan, runs_of  # noqa: E402

PLAN = ROOT / "tools" / "evaluate.toml"
PAGE = ROOT / "docs" / "evaluation.md"
PICTURES = ROOT / "docs" / "evaluation"
MEASURED = PICTURES / "measured.json"


def main() -> int:
    """Run it; 1 when a run failed, 2 when there is nothing to run on."""
    plan = load_plan(PLAN)
    asked = _arguments()
    known = [run.id for run in runs_of(plan)]
    chosen = [] if asked.write else (asked.only.split(",") if asked.only else known)
    if strange := [name for name in chosen if name not in known]:
        print(f"error: --only {','.join(strange)}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    recordings = recordings_folder()
    if chosen and not recordings.is_dir():
        print(
            f"error: no recordings in {recordings}; name their folder in PANTAU_RECORDINGS", file=sys.stderr
        )
        return 2
    began = time.monotonic()
    measured, failed = load_measured(MEASURED), []
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pantau-evaluate-") as name:
        folders = Folders(recordings, Path(asked.keep or name), PICTURES)
        folders.scratch.mkdir(parents=True, exist_ok=True)
        for one in plan.cuts if chosen else ():
            cut(one, folders)
        for number, run in enumerate([run for run in runs_of(plan) if run.id in chosen], start=1):
            print(f"[{number}/{len(chosen)}] pantau evaluate {run.command}", flush=True)
            try:
                measured[run.id] = measure(run, folders, pantau)
            except RuntimeError as error:
                print(f"problem: {run.id}: {error}", flush=True)
                failed.append(run.id)
                continue
            print(f"    {len(measured[run.id].rows)} rows in {measured[run.id].seconds} s", flush=True)
            _write(plan, measured)
    _write(plan, measured)
    print(
        f"{PAGE.relative_to(ROOT)}: {len(chosen) - len(failed)} runs made in {time.monotonic() - began:.0f} s"
    )
    return 1 if failed else 0


def _write(plan: Plan, measured: dict[str, Measured]) -> None:
    """The figures in the order of the plan, and the page; after each run, so that nothing measured is lost."""
    save_measured(MEASURED, {run.id: measured[run.id] for run in runs_of(plan) if run.id in measured})
    PAGE.write_text(page(plan, measured), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make evaluate", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="these runs of tools/evaluate.toml, with commas between")
    parser.add_argument("--write", action="store_true", help="make no run, only write the page again")
    parser.add_argument("--keep", default="", metavar="DIR", help="leave cuts and scores (--out) there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
