"""What ingest counts, for Prometheus; raised once a batch, not once a message."""

from prometheus_client import Counter, Gauge

__all__ = [
    "BROKER_DROPPED",
    "CONNECTED",
    "FORMAT_READINGS",
    "FORMAT_REFUSED",
    "MESSAGES",
    "READINGS",
    "RECONNECTS",
    "REFUSED",
    "SEQUENCE_DEVICES",
    "SEQUENCE_MISSING",
    "SEQUENCE_RESETS",
    "WAITING",
]

MESSAGES = Counter("pantau_messages_total", "Messages decoded, by payload format", ["format"])
READINGS = Counter("pantau_readings_total", "Readings decoded, by kind", ["kind"])
REFUSED = Counter("pantau_refused_total", "Messages or items refused, by reason code", ["code"])
FORMAT_READINGS = Counter("pantau_format_readings_total", "Readings decoded, by payload format", ["format"])
FORMAT_REFUSED = Counter(
    "pantau_format_refused_total", "Messages or items refused, by payload format", ["format"]
)
CONNECTED = Gauge("pantau_mqtt_connected", "1 while connected to the broker and subscribed")
RECONNECTS = Counter("pantau_mqtt_connections_total", "Connections made to the broker")
WAITING = Gauge(
    "pantau_mqtt_waiting_messages", "Size of the last batch while the broker may have more for us, else 0"
)
BROKER_DROPPED = Gauge("pantau_broker_dropped_messages", "The broker's own count of messages it dropped")
# Totals only: with a label a sensor, 100,000 of them would make a page of megabytes. `pantau gaps` names the worst.
SEQUENCE_DEVICES = Gauge("pantau_sequence_devices", "Sensors that number their messages")
SEQUENCE_MISSING = Gauge(
    "pantau_sequence_missing_messages",
    "Messages that sensors numbered and that never came, since they were first heard",
)
SEQUENCE_RESETS = Gauge("pantau_sequence_resets", "Times that sensors began to number anew: restarts")
