"""Logs: one line a batch, a refusal, a transition, to stderr; JSON unless a terminal reads them."""

import sys
from typing import TextIO

import structlog

__all__ = ["configure_logs"]


def configure_logs(file: TextIO | None = None) -> None:
    """Set structlog up for this process.

    Args:
        file: where lines go; None: stderr.
    """
    out = sys.stderr if file is None else file
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if out.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
