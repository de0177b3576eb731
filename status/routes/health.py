"""/healthz, /readyz and /metrics: for whoever keeps the service running."""

from collections import Counter

from fastapi import APIRouter
from starlette.responses import Response

from status.service import At, Service, blocking
from status.wire import answer

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="The process is alive")
async def healthz() -> Response:
    """200 as long as anything answers at all."""
    return answer(200, {"alive": True})


@router.get("/readyz", summary="The service does its work")
async def readyz(service: At) -> Response:
    """503 until subscribed, store open and state restored; later 200, with what is degraded and the peers' states."""
    degraded, peers = list(service.health.degraded), dict(service.health.peers)
    if service.watch.failing:
        degraded.append(f"status: the database does not answer ({service.watch.failing})")
    else:
        peers = await blocking(service.board.peers) | peers
    ready = service.health.ready
    return answer(200 if ready else 503, {"ready": ready, "degraded": degraded, "peers": peers})


@router.get("/metrics", summary="Prometheus metrics")
async def metrics(service: At) -> Response:
    """Counters of this process and gauges of what the page shows."""
    await _measure(service)
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _measure(service: Service) -> None:
    metrics = service.metrics
    snapshot = await service.watch.snapshot()
    metrics.position.set(snapshot.position)
    metrics.snapshot_age.set(max(0, service.clock.now() - snapshot.as_of) / 1000)
    metrics.stations.clear()
    for state, count in snapshot.states.items():
        metrics.stations.labels(state).set(count)
    metrics.alerts.clear()
    for (hazard, severity), count in Counter(
        (a.hazard, a.severity) for a in service.watch.open_alerts
    ).items():
        metrics.alerts.labels(hazard, str(severity)).set(count)
