"""Measures ingest beside its peers, part by part, and prints every figure with its target. See docs/benchmarks.md.

    make bench-ingest ARGS='--only throughput,arrays --rounds 3'

All subjects get the same messages from the same broker configuration, in turns; Pantau runs as ``pantau run`` does by
default. Nothing is written but tables on stdout. Exit code 1: an output was wrong. A target that is not met is told in
the last table and is no error: the machine decides it too.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.peers import influxd  # noqa: E402 - found from the repository's root
from tools.bench.figures import Figure, Found, told  # noqa: E402
from tools.bench.latency import latency  # noqa: E402
from tools.bench.pressure import pressure  # noqa: E402
from tools.bench.rig import Rig  # noqa: E402
from tools.bench.sensors import SIZES, sensors  # noqa: E402
from tools.bench.state import KILLS, SENSORS, state  # noqa: E402
from tools.bench.throughput import throughput  # noqa: E402

PARTS = ("throughput", "arrays", "sensors", "state", "latency", "pressure")
_USUAL = "throughput,arrays,sensors,state,latency"
_TOOLS = {"telegraf": "telegraf", "node-red": "node_red"}
_ARRAY = 100


def main() -> int:
    """Run it; 1 when a check failed."""
    asked = _arguments()
    parts = asked.only.split(",")
    if unknown := [part for part in parts if part not in PARTS]:
        raise SystemExit(f"bench: --only {','.join(unknown)}: there are {', '.join(PARTS)}")
    figures: list[Figure] = []
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pantau-bench-") as name, influxd() as influx:
        folder = Path(name)
        folder.chmod(0o755)
        rig = Rig(folder, influx, {peer: _program(peer) for peer in _peers(parts, asked.subjects)})
        for part in PARTS:
            if part in parts:
                found = _parts(rig, asked)[part]()
                figures += found.figures
                problems += found.problems
    return told(figures, problems)


def _parts(rig: Rig, asked: argparse.Namespace) -> dict[str, Callable[[], Found]]:
    storing = _chosen(asked.subjects, ("telegraf", "pantau"))
    telling = _chosen(asked.subjects, ("node-red", "pantau"))
    readings, rounds = asked.readings, asked.rounds
    sizes = [int(size) for size in asked.sensors.split(",")]
    return {
        "throughput": lambda: throughput(rig, storing, readings=readings, rounds=rounds),
        "arrays": lambda: throughput(rig, storing, readings=readings, rounds=rounds, size=_ARRAY),
        "sensors": lambda: sensors(rig, readings=readings, sizes=sizes),
        "state": lambda: state(rig, count=asked.state, kills=asked.kills),
        "latency": lambda: latency(rig, telling, rate=asked.rate, seconds=asked.seconds, rounds=rounds),
        "pressure": lambda: pressure(rig, rate=asked.rate, minutes=asked.minutes, limit_mib=asked.limit_mib),
    }


def _chosen(subjects: str, of: Sequence[str]) -> list[str]:
    return [name for name in of if name in subjects.split(",")]


def _peers(parts: Sequence[str], subjects: str) -> list[str]:
    """Programs that these parts run beside us."""
    needed = {"throughput": "telegraf", "arrays": "telegraf", "latency": "node-red"}
    return _chosen(subjects, sorted({needed[part] for part in parts if part in needed}))


def _program(peer: str) -> str:
    tool = [str(ROOT / "tools" / _TOOLS[peer])]
    return subprocess.run(tool, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", default=_USUAL, help=f"parts, by commas: {', '.join(PARTS)}")
    add("--subjects", default="telegraf,node-red,pantau", help="who is measured, by commas")
    add("--rounds", type=int, default=3, help="throughput, arrays, latency: of each subject, in turns")
    add("--readings", type=int, default=400_000, help="throughput, arrays, sensors: a round")
    add("--sensors", default=",".join(map(str, SIZES)), help="sensors: sizes, the first one is compared with")
    add("--state", type=int, default=SENSORS, help="state: sensors")
    add("--kills", type=int, default=KILLS, help="state: restarts")
    add("--rate", type=int, default=5000, help="latency, pressure: readings/s")
    add("--seconds", type=float, default=60.0, help="latency: of a round")
    add("--minutes", type=float, default=10.0, help="pressure: how long InfluxDB is away")
    add("--limit-mib", type=float, default=512.0, help="pressure: memory to stay under (docs/operations.md)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
