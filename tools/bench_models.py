"""Measures the models: what a reading costs in the slow lane and what training costs, with their targets.

    make bench-models ARGS='--invented'

See docs/benchmarks.md. Detectors run in their default configuration, in this process. Nothing is written but tables
on stdout. Exit code 1: an output was wrong. A target that is not met is told in the last table and is no error: the
machine decides it too.
"""

import argparse
import logging
import sys
import tempfile
from pathlib import Path

import structlog
from msgspec.structs import replace

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.settings import recordings_folder  # noqa: E402 - found from the repository's root
from models.all import configure, detectors  # noqa: E402
from tools.bench.figures import told  # noqa: E402
from tools.bench.slowlane import slow_lane  # noqa: E402
from tools.bench.town import Plan, Town, invented, load_plan, recorded  # noqa: E402
from tools.bench.training import training  # noqa: E402


def main() -> int:
    """Run it; 1 when a check failed."""
    asked = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    plan = load_plan(ROOT / "tools" / "bench_models.toml")
    if asked.days:
        plan = replace(
            plan, days=asked.days, warm_days=min(plan.warm_days, max(1, asked.days // 4)), cold_days=1
        )
    town = _town(plan, asked.recordings, is_invented=asked.invented)
    print(
        f"{town.about}: {len(town.city.stations)} sensors, {len(town.readings):,} readings in {plan.days} days"
    )
    with tempfile.TemporaryDirectory(prefix="pantau-bench-") as folder:
        trained = training(town, Path(folder))
        found = detectors()
        configure(found, Path(folder))
        judged = slow_lane(town, plan, found)
    return told(judged.figures + trained.figures, judged.problems + trained.problems)


def _town(plan: Plan, folder: Path, *, is_invented: bool) -> Town:
    if is_invented or not folder.is_dir():
        return invented(plan)
    return recorded(plan, folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "--recordings", type=Path, default=recordings_folder(), help="folder of recordings; PANTAU_RECORDINGS"
    )
    add(
        "--invented", action="store_true", help="simulated rivers and crowds, also where there are recordings"
    )
    add("--days", type=int, default=0, help="play so many days instead of a month (quick loop; 20 or more)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
