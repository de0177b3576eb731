"""CPU time and memory of processes, as the kernel counts them."""

import os
import time
from pathlib import Path

__all__ = ["cpu_s", "family", "lanes_s", "peak_mib", "rss_mib", "settle", "threads_s"]

_TICKS = os.sysconf("SC_CLK_TCK")
_QUIET, _LOOK_S = 0.3, 0.4


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


def lanes_s(pid: int) -> dict[str, float]:
    """The same by the thread's name alone: threads of one name are one lane."""
    found: dict[str, float] = {}
    for thread, seconds in threads_s(pid).items():
        name = thread.rpartition("/")[0]
        found[name] = found.get(name, 0.0) + seconds
    return found


def settle(pid: int, patience_s: float = 60.0) -> None:
    """Wait until a process has caught up: it uses less than a third of a core (or patience has ended)."""
    deadline = time.monotonic() + patience_s
    before, at = cpu_s(pid), time.monotonic()
    while at < deadline:
        time.sleep(_LOOK_S)
        now, then = cpu_s(pid), time.monotonic()
        if now - before < _QUIET * (then - at):
            return
        before, at = now, then


def rss_mib(pid: int) -> float:
    """Resident memory of a process and all that it started, MiB."""
    return sum(_status_kib(one, "VmRSS") for one in family(pid)) / 1024


def peak_mib(pid: int) -> float:
    """The highest resident memory that each of them ever had, summed up, MiB."""
    return sum(_status_kib(one, "VmHWM") for one in family(pid)) / 1024


def _status_kib(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if name == field:
            return int(rest.split()[0])
    return 0


def _spent_s(stat: Path) -> float:
    # The name in brackets may hold anything; what follows its end is numbers.
    fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
