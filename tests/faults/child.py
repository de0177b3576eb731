"""Pantau as always, but killed at a fault point: ``python -m tests.faults.child --kill-at X --hit 3 -- run``.

The listener lives here and not in the service: no setting of an installation can make it end itself.
"""

import argparse
import itertools
import os
import signal
import sys
from collections.abc import Callable

from app.cli import main
from pantau.faultpoint import Point, listen

SAID = "killed at fault point"


def killer(point: Point, hit: int) -> Callable[[Point], None]:
    """Ends this process at the ``hit``-th time that a point is reached, with no chance to tidy up."""
    counting = itertools.count(1)

    def hears(reached: Point) -> None:
        if reached is point and next(counting) == hit:
            os.write(2, f"{SAID} {point.value!r}, hit {hit}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return hears


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.faults.child")
    parser.add_argument("--kill-at", type=Point, required=True)
    parser.add_argument("--hit", type=int, default=1)
    parser.add_argument("arguments", nargs="+")
    given = parser.parse_args()
    listen(killer(given.kill_at, given.hit))
    sys.argv = ["pantau", *given.arguments]
    main()
