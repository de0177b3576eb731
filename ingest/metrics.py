"""What ingest counts, for Prometheus; raised once a batch, not once a message."""

from prometheus_client import Counter, Gauge

__all__ = [
    "BROKER_DROPPED",
    "CONNECTED",
    "MESSAGES",
    "OVERFLOWED",
    "READINGS",
    "RECONNECTS",
    "REFUSED",
    "WAITING",
]

MESSAGES = Counter("pantau_messages_total", "Messages decoded, by payload format", ["format"])
READINGS = Counter("pantau_readings_total", "Readings decoded, by kind", ["kind"])
REFUSED = Counter("pantau_refused_total", "Messages or items refused, by reason code", ["code"])
CONNECTED = Gauge("pantau_mqtt_connected", "1 while connected to the broker and subscribed")
RECONNECTS = Counter("pantau_mqtt_connections_total", "Connections made to the broker")
WAITING = Gauge("pantau_mqtt_waiting_messages", "Received messages that the pipeline has not taken yet")
OVERFLOWED = Counter(
    "pantau_mqtt_overflowed_total", "QoS 0 messages dropped because the pipeline was too far behind"
)
BROKER_DROPPED = Gauge("pantau_broker_dropped_messages", "The broker's own count of messages it dropped")
