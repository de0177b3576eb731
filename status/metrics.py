"""Prometheus metrics of the pages; ``/metrics`` shows them after those of the rest of the process."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest

__all__ = ["Metrics"]


class Metrics:
    """Counters and gauges of one app, in a registry of their own so that two apps in a process do not meet."""

    def __init__(self) -> None:
        self.streams_now = 0
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "pantau_http_requests",
            "Answers by route, method and status.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self.commands = Counter(
            "pantau_operator_commands",
            "Commands of operators by verb and outcome.",
            ["verb", "outcome"],
            registry=self._registry,
        )
        self.streams = Gauge("pantau_stream_clients", "Clients on /api/v1/stream.", registry=self._registry)
        self.stations = Gauge("pantau_stations", "Stations by state.", ["state"], registry=self._registry)
        self.alerts = Gauge(
            "pantau_open_alerts",
            "Open alerts by hazard and severity.",
            ["hazard", "severity"],
            registry=self._registry,
        )
        self.position = Gauge(
            "pantau_change_number", "Change number of the snapshot.", registry=self._registry
        )
        self.snapshot_age = Gauge(
            "pantau_snapshot_age_seconds",
            "Age of the snapshot on the service's clock.",
            registry=self._registry,
        )

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Counts a client of the stream for as long as the context lasts."""
        self.streams_now += 1
        self.streams.set(self.streams_now)
        try:
            yield
        finally:
            self.streams_now -= 1
            self.streams.set(self.streams_now)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(REGISTRY) + generate_latest(self._registry)
