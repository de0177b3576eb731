"""What the pipeline counts for Prometheus; names are part of docs/operations.md."""

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "BATCHES",
    "BATCH_SECONDS",
    "DETECTOR_ERRORS",
    "FATES",
    "JOURNAL_BEHIND",
    "JOURNAL_BYTES",
    "STEP_SECONDS",
    "TRANSITIONS",
]

BATCHES = Counter("pantau_batches", "Batches committed")
BATCH_SECONDS = Histogram(
    "pantau_batch_seconds",
    "Time to judge and commit a batch",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
STEP_SECONDS = Counter("pantau_step_seconds", "Time spent in each step of the fast lane", ["step"])
FATES = Counter("pantau_judged", "Readings by what became of them", ["fate"])
TRANSITIONS = Counter("pantau_transitions", "Transitions of alerts", ["what", "hazard"])
DETECTOR_ERRORS = Counter(
    "pantau_detector_errors", "Times a detector raised; the ladder went on", ["detector"]
)
JOURNAL_BEHIND = Gauge(
    "pantau_journal_behind", "Batches a follower of the journal has still to take", ["follower"]
)
JOURNAL_BYTES = Gauge(
    "pantau_journal_bytes", "Size of the batches in the journal that wait for a follower or a snapshot"
)
