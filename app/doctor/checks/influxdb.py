"""InfluxDB: does it answer, may our token write to the bucket, for how long does that keep readings."""

from collections.abc import Iterator

import httpx

from app.doctor.finding import Context, Finding
from app.settings import InfluxSettings
from ingest.store.influx import NOT_INFLUXDB

__all__ = ["look"]

_DAY_S = 86_400
_SHORT_DAYS = 30


def look(context: Context) -> Iterator[Finding]:
    """State of InfluxDB; nothing is written to it."""
    influx = context.settings.influx
    if influx is None:
        yield Finding("note", "no PANTAU_INFLUX_URL: readings stay in the database")
        return
    headers = {"Authorization": f"Token {influx.token}"}
    try:
        with httpx.Client(base_url=influx.url, headers=headers, timeout=10, trust_env=False) as http:
            yield _health(http, influx)
            yield _writing(http, influx)
            yield _retention(http, influx)
    except (ValueError, TypeError, AttributeError, KeyError):  # what it said could not be read
        yield Finding("error", f"{influx.url} {NOT_INFLUXDB}", "docs/operations.md, Settings")
    except httpx.HTTPError as error:
        yield Finding(
            "error", f"{influx.url}: {type(error).__name__}: {error}",
            "start it; readings wait in the journal until it answers",
        )  # fmt: skip


def _health(http: httpx.Client, influx: InfluxSettings) -> Finding:
    body = http.get("/health").json()
    if "status" not in body:
        raise ValueError(body)
    text = f"{influx.url}: InfluxDB {body.get('version', '?')}, {body.get('message', '')}"
    return Finding("ok", text) if body.get("status") == "pass" else Finding("error", text, "see its own log")


def _writing(http: httpx.Client, influx: InfluxSettings) -> Finding:
    """An empty batch asks for the right to write, and writes nothing."""
    where = {"org": influx.org, "bucket": influx.bucket, "precision": "ms"}
    answer = http.post("/api/v2/write", params=where, content=b"")
    if answer.is_success:
        return Finding("ok", f"the token may write to bucket {influx.bucket}")
    said = answer.json().get("message", "") if "json" in answer.headers.get("content-type", "") else ""
    advice = "correct PANTAU_INFLUX_TOKEN, _ORG and _BUCKET, or make the bucket"
    return Finding("error", f"bucket {influx.bucket} is refused: {answer.status_code} {said}", advice)


def _retention(http: httpx.Client, influx: InfluxSettings) -> Finding:
    answer = http.get("/api/v2/buckets", params={"org": influx.org, "name": influx.bucket})
    found = answer.json().get("buckets") or [] if answer.is_success else []
    if not found:
        advice = "let the token read buckets, so that a back-fill older than it is told before it is lost"
        return Finding("note", f"the retention of bucket {influx.bucket} is not visible", advice)
    seconds = max((rule.get("everySeconds", 0) for rule in found[0].get("retentionRules", ())), default=0)
    text = f"bucket {influx.bucket} keeps readings {f'{seconds / _DAY_S:g} days' if seconds else 'for ever'}"
    if 0 < seconds < _SHORT_DAYS * _DAY_S:
        return Finding(
            "warning", text, "late batches and training need more: influx bucket update --retention"
        )
    return Finding("ok", text)
