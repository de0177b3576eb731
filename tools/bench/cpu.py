"""CPU time of processes, as the kernel counts it."""

import os
from pathlib import Path

__all__ = ["cpu_s", "family", "threads_s"]

_TICKS = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that it started."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in children.read_text(encoding="ascii").split()]
    return found


def cpu_s(pid: int) -> float:
    """User and system time of a process and all that it started, seconds."""
    return sum(_spent_s(Path(f"/proc/{one}/stat")) for one in family(pid))


def threads_s(pid: int) -> dict[str, float]:
    """The same by thread, named as the kernel names it, with its number."""
    found = {}
    for one in family(pid):
        for task in Path(f"/proc/{one}/task").iterdir():
            name = (task / "comm").read_text(encoding="utf-8").strip()
            found[f"{name}/{task.name}"] = _spent_s(task / "stat")
    return found


def _spent_s(stat: Path) -> float:
    # The name in brackets may hold anything; what follows its end is numbers.
    fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
