"""What the models count for Prometheus; names are part of docs/operations.md."""

from prometheus_client import Gauge

__all__ = ["LEFT_OUT", "MODEL_DEGRADED"]

LEFT_OUT = Gauge(
    "pantau_models_left_out_stations", "Stations beyond the first 10,000, which only silence is watched of"
)


MODEL_DEGRADED = Gauge(
    "pantau_model_degraded",
    "1: the promoted model cannot be used, the rules run without it; 0: it is used",
    ["family", "name"],
)
