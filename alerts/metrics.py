"""What Prometheus sees of the sending."""

from prometheus_client import Counter, Gauge

__all__ = ["NOTICES", "OLDEST", "WAITING"]

NOTICES = Counter("pantau_notices_total", "Attempts to hand a notice over", ["channel", "outcome"])
WAITING = Gauge("pantau_outbox_waiting", "Notices that are not settled")
OLDEST = Gauge(
    "pantau_outbox_oldest_seconds", "Age of the oldest notice that is not settled, on the service's clock"
)
