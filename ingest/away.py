"""Attempts to reach a broker in, a log line a minute at most out: who tries for ever must not talk for ever."""

import time

import structlog

__all__ = ["Away"]

_log = structlog.get_logger("pantau.mqtt")

_SAY_EVERY_S = 60.0


class Away:
    """Whether a broker answers, and why not.

    Attributes:
        problem: in words; empty while it answers.
    """

    def __init__(self, broker: object) -> None:
        self.problem = "not yet connected"
        self._broker = str(broker)
        self._said = -_SAY_EVERY_S

    def back(self) -> None:
        """The broker let us in."""
        self.problem, self._said = "", -_SAY_EVERY_S
        _log.info("connected to the broker", broker=self._broker)

    def lost(self, problem: str) -> None:
        """It does not answer, or no longer; logged once a minute however often it is tried."""
        self.problem = problem
        if time.monotonic() - self._said >= _SAY_EVERY_S:
            self._said = time.monotonic()
            _log.warning("broker away, trying on", broker=self._broker, reason=problem)
